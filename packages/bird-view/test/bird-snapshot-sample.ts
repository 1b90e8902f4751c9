import { Ipv4, Prefix } from "@caracal/net";
import type {
  BirdBgpAttributes,
  BirdChangeCounts,
  BirdProtocol,
  BirdRoute,
  BirdSnapshot,
  BirdVia,
} from "../src/bird-snapshot.ts";

/** A moment of one day, local time, as BIRD shows it. */
export function at(clock: string): number {
  return new Date(`2023-05-16T${clock}`).getTime();
}

function ip(text: string): Ipv4 {
  const address = Ipv4.parse(text);
  if (address === undefined) throw new Error(`not an address: ${text}`);
  return address;
}

function net(text: string): Prefix {
  const prefix = Prefix.parse(text);
  if (prefix === undefined) throw new Error(`not a prefix: ${text}`);
  return prefix;
}

const quiet: BirdChangeCounts = {
  importUpdates: { received: 0, rejected: 0, filtered: 0, ignored: 0, accepted: 0 },
  importWithdraws: { received: 0, rejected: 0, ignored: 0, accepted: 0 },
  exportUpdates: { received: 0, rejected: 0, filtered: 0, accepted: 0 },
  exportWithdraws: { received: 0, accepted: 0 },
};

function plainProtocol(name: string, kind: BirdProtocol["kind"], preference: number): BirdProtocol {
  return {
    name,
    kind,
    state: "up",
    sinceMs: at("07:27:40"),
    preference,
    inputFilter: "ACCEPT",
    outputFilter: "REJECT",
    routes: { imported: 0, exported: 0, preferred: 0 },
    changes: quiet,
  };
}

/** The neighbour of the minikube cluster, as its worker sees it. */
export const meshPeer: BirdProtocol = {
  name: "Mesh_192_168_49_2",
  kind: "BGP",
  state: "up",
  sinceMs: at("07:27:53"),
  description: "Connection to BGP peer",
  preference: 100,
  inputFilter: "ACCEPT",
  outputFilter: "calico_export_to_bgp_peers",
  routes: { imported: 1, exported: 2, preferred: 1 },
  changes: {
    importUpdates: { received: 4, rejected: 0, filtered: 0, ignored: 0, accepted: 4 },
    importWithdraws: { received: 3, rejected: 0, ignored: 0, accepted: 3 },
    exportUpdates: { received: 17, rejected: 4, filtered: 8, accepted: 5 },
    exportWithdraws: { received: 8, accepted: 3 },
  },
  bgp: {
    state: "Established",
    neighborAddress: ip("192.168.49.2"),
    neighborAsn: 64512,
    established: {
      neighborId: ip("192.168.49.2"),
      neighborCapabilities: [
        "refresh",
        "enhanced-refresh",
        "restart-able",
        "llgr-aware",
        "AS4",
        "add-path-rx",
        "add-path-tx",
      ],
      session: ["internal", "multihop", "AS4", "add-path-rx", "add-path-tx"],
      sourceAddress: ip("192.168.49.3"),
      holdTimer: { leftSeconds: 157, totalSeconds: 240 },
      keepaliveTimer: { leftSeconds: 67, totalSeconds: 80 },
    },
  },
};

/** What a mesh neighbour sends with its block. */
export const meshAttributes: BirdBgpAttributes = {
  origin: "IGP",
  asPath: [],
  nextHops: [ip("192.168.0.82")],
  localPref: 100,
};

export function route(
  prefix: string,
  via: BirdVia,
  protocol: string,
  rest: Partial<BirdRoute> = {},
): BirdRoute {
  return {
    prefix: net(prefix),
    via,
    protocol,
    source: "kernel",
    sinceMs: at("13:17:25"),
    preference: 10,
    isBest: true,
    ...rest,
  };
}

export function gateway(address: string, device: string): BirdVia {
  return { kind: "gateway", gateway: ip(address), interface: device };
}

export function device(name: string): BirdVia {
  return { kind: "device", interface: name };
}

export { ip, net };

/** Seed node1: its protocols and routes. */
export const sample: BirdSnapshot = {
  version: "v0.3.3+birdv1.6.8",
  routerId: ip("192.168.0.81"),
  nowMs: at("13:45:00"),
  bootedAtMs: at("07:27:40"),
  configuredAtMs: at("13:34:33"),
  protocols: [
    plainProtocol("static1", "Static", 200),
    plainProtocol("kernel1", "Kernel", 10),
    plainProtocol("device1", "Device", 240),
    plainProtocol("direct1", "Direct", 240),
    meshPeer,
  ],
  routes: [
    route("0.0.0.0/0", gateway("192.168.0.1", "ens33"), "kernel1"),
    route("192.168.0.0/24", device("ens33"), "direct1", { source: "device", preference: 240 }),
    route("10.244.103.64/26", gateway("192.168.0.82", "ens33"), "Mesh_192_168_0_82", {
      source: "BGP",
      sinceMs: at("13:34:33"),
      preference: 100,
      igpMetric: 0,
      bgp: meshAttributes,
    }),
    route("10.244.42.64/26", { kind: "blackhole" }, "static1", {
      source: "static",
      sinceMs: at("13:34:33"),
      preference: 200,
    }),
    route("10.244.42.65/32", device("cali2009c1121bd"), "kernel1", { sinceMs: at("13:42:00") }),
  ],
};
