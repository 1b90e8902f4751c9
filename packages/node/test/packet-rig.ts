/**
 * A node with two pods, and a wire to a neighbour outside: what the kernel tests of NAT and tunnel protection share. The neighbour
 * stands for another node, for the world, and for strangers, by the address it uses.
 */
import assert from "node:assert/strict";
import { type PacketIntent, packetIntents } from "@caracal/intent";
import { NftRuleset } from "@caracal/linux";
import type { FelixConfiguration, IpPool, WorkloadEndpoint } from "@caracal/resources";
import { eventually, type Namespace, type Program, Testbed, type TestScope } from "@caracal/testbed";
import { PacketFilter } from "../src/packets/packet-filter.ts";
import { endpoint, memoryLog, node } from "./node-fixtures.ts";

const apiVersion = "projectcalico.org/v3";

/** Answers every TCP connection and every datagram with the address and port it came from. */
const echoScript = `
const net = require("node:net"), dgram = require("node:dgram");
net.createServer((socket) => {
  socket.on("error", () => undefined);
  socket.end((socket.remoteAddress ?? "").replace("::ffff:", "") + " " + socket.remotePort + "\\n");
}).listen(8080, "::");
const udp = dgram.createSocket({ type: "udp6" });
udp.on("message", (_, { address, port }) => udp.send(address.replace("::ffff:", "") + " " + port + "\\n", port, address));
udp.bind(9000, "::", () => console.log("listening"));
`;

export interface PacketParts {
  readonly pools?: readonly IpPool[];
  readonly felix?: FelixConfiguration["spec"];
  readonly endpoints?: readonly WorkloadEndpoint[];
  readonly nodeSpec?: Readonly<Record<string, string>>;
}

export interface PacketRig {
  readonly bed: Testbed;
  readonly node: Namespace;
  readonly pod: Namespace;
  readonly other: Namespace;
  readonly outside: Namespace;
  readonly filter: PacketFilter;
  readonly lines: readonly Record<string, unknown>[];
  /** The cluster becomes this; resolves when the kernel does it. */
  readonly set: (parts: PacketParts) => Promise<void>;
  /** `nft ARGUMENTS…` on the node. */
  readonly nft: (...args: readonly string[]) => Promise<string>;
}

export const podAddress = "10.244.0.5";
export const otherAddress = "10.244.0.6";
export const podAddress6 = "fd00:10::5";

export function pool(name: string, cidr: string, spec: Partial<IpPool["spec"]> = {}): IpPool {
  return { kind: "IPPool", apiVersion, metadata: { name }, spec: { cidr, ...spec } };
}

/** Node `n1` is 10.9.0.1 and fd09::1; `n2` is the neighbour by 10.9.0.2, whose pod is 10.245.0.9. */
export async function packetRig(t: TestScope): Promise<PacketRig> {
  const bed = Testbed.create(t);
  const [host, pod, other, outside] = await Promise.all([
    bed.namespace("node"),
    bed.namespace("pod"),
    bed.namespace("other"),
    bed.namespace("outside"),
  ]);
  await bed.wire(
    { namespace: host, name: "eth0", addresses: ["10.9.0.1/24", "fd09::1/64"] },
    {
      namespace: outside,
      name: "eth0",
      addresses: ["10.9.0.2/24", "10.9.0.3/24", "fd09::2/64"],
    },
  );
  await host.run([
    "sh",
    "-ec",
    `sysctl -qw net.ipv4.ip_forward=1 net.ipv6.conf.all.forwarding=1
     ip route add default via 10.9.0.2
     ip -6 route add default via fd09::2`,
  ]);
  // The world has routes to the pods, so that a packet without NAT arrives too, and shows its source.
  await outside.run([
    "sh",
    "-ec",
    `ip address add 10.245.0.9/32 dev lo; ip address add 198.51.100.7/32 dev lo
     ip -6 address add 2001:db8::7/128 dev lo nodad
     ip -6 address add fd09::3/64 dev eth0 nodad preferred_lft 0
     ip route add 10.244.0.0/16 via 10.9.0.1; ip route add 192.0.2.0/24 via 10.9.0.1
     ip -6 route add fd00:10::/48 via fd09::1; ip -6 route add fd00:99::/64 via fd09::1`,
  ]);
  await addPod(bed, host, pod, "calia", podAddress, podAddress6);
  await addPod(bed, host, other, "calib", otherAddress, "fd00:10::6");
  await Promise.all([host, pod, outside].map(startEcho));
  let intents: readonly PacketIntent[] | undefined;
  const { log, lines } = memoryLog();
  const ruleset = new NftRuleset({ namespace: host.path });
  const filter = new PacketFilter({ ruleset, intents: () => intents, interfacePrefixes: ["cali"], log });
  bed.defer(() => {
    filter[Symbol.dispose]();
    ruleset[Symbol.dispose]();
  });
  const set = async (parts: PacketParts): Promise<void> => {
    intents = intentsOf(parts);
    filter.schedule();
    await eventually(() => filter.intents === intents && filter.status.every(({ isReady }) => isReady), {
      what: "the table in the kernel",
    });
  };
  const nft = async (...args: readonly string[]): Promise<string> =>
    (await host.run(["nft", ...args])).stdout;
  return { bed, node: host, pod, other, outside, filter, lines, set, nft };
}

function intentsOf({
  pools = [],
  felix,
  endpoints = [],
  nodeSpec = {},
}: PacketParts): readonly PacketIntent[] {
  const nodes = [node("n1", "10.9.0.1/24"), node("n2", "10.9.0.2/24")].map((one, index) => ({
    ...one,
    spec: {
      bgp: { ...one.spec.bgp, ipv6Address: `fd09::${index + 1}/64` },
      ...nodeSpec,
    },
  }));
  const felixConfigurations: readonly FelixConfiguration[] =
    felix === undefined
      ? []
      : [{ kind: "FelixConfiguration", apiVersion, metadata: { name: "default" }, spec: felix }];
  const none = { bgpConfigurations: [], bgpPeers: [], bgpFilters: [] };
  return packetIntents({ node: "n1", cluster: { nodes, pools, felixConfigurations, ...none }, endpoints });
}

/** A pod's endpoint with floating addresses, by the interface that the rig gave it. */
export function floatingPod(
  name: "a" | "b",
  ...nats: readonly (readonly [internal: string, external: string])[]
): WorkloadEndpoint {
  const ipNATs = nats.map(([internalIP, externalIP]) => ({ internalIP, externalIP }));
  return endpoint("n1", name, nats[0]?.[0] ?? podAddress, { interfaceName: `cali${name}`, ipNATs });
}

/** As CNI does it: a host route each way, and the host's end answers for every address. */
async function addPod(
  bed: Testbed,
  host: Namespace,
  pod: Namespace,
  hostEnd: string,
  address: string,
  address6: string,
): Promise<void> {
  await bed.wire(
    { namespace: host, name: hostEnd, mac: "ee:ee:ee:ee:ee:ee" },
    { namespace: pod, name: "eth0", addresses: [`${address}/32`, `${address6}/128`] },
  );
  await host.run([
    "sh",
    "-ec",
    `sysctl -qw net.ipv4.conf.${hostEnd}.proxy_arp=1 net.ipv6.conf.${hostEnd}.proxy_ndp=1
     sysctl -qw net.ipv4.neigh.${hostEnd}.proxy_delay=0
     ip -6 address add fe80::1/64 dev ${hostEnd} nodad
     ip route add ${address} dev ${hostEnd} scope link
     ip -6 route add ${address6} dev ${hostEnd}`,
  ]);
  await pod.run([
    "sh",
    "-ec",
    `ip route add 169.254.1.1 dev eth0 scope link
     ip route add default via 169.254.1.1 dev eth0
     ip -6 route add default via fe80::1 dev eth0`,
  ]);
}

async function startEcho(namespace: Namespace): Promise<Program> {
  const program = await namespace.start([process.execPath, "-e", echoScript]);
  await eventually(() => program.output.includes("listening"), { what: "the echo server" });
  return program;
}

/** Who a TCP connection comes from, as the other side sees it; `undefined` when nothing answers. */
export async function seenBy(
  from: Namespace,
  to: string,
  protocol: "tcp" | "udp" = "tcp",
  seconds = 3,
): Promise<{ readonly address: string; readonly port: number } | undefined> {
  const port = protocol === "tcp" ? 8080 : 9000;
  const script = `exec 3<>/dev/${protocol}/${to}/${port} && { echo x >&3; head -n 1 <&3; }`;
  const { stdout } = await from.runAnyway(["timeout", String(seconds), "bash", "-c", script]);
  const [address = "", seenPort] = stdout.trim().split(" ");
  return address === "" ? undefined : { address, port: Number(seenPort) };
}

/** Whether one of a few pings is answered. */
export async function pings(from: Namespace, to: string, ...options: readonly string[]): Promise<boolean> {
  const args = ["ping", "-n", "-c3", "-i0.05", "-W1", ...options, to];
  return (await from.runAnyway(args)).exitCode === 0;
}

/** Pings twenty-five times a second until it is stopped; gives how many were sent and how many answered. */
export async function steadyPing(from: Namespace, to: string) {
  const program = await from.start(["ping", "-n", "-i0.04", "-W1", to]);
  await eventually(() => program.output.includes("bytes from"), { what: "the first echo" });
  return async (): Promise<{ readonly sent: number; readonly lost: number }> => {
    program.signal("SIGINT");
    await program.exited;
    const [, sent, received] = /(\d+) packets transmitted, (\d+) received/.exec(program.output) ?? [];
    assert.ok(sent !== undefined, program.output);
    return { sent: Number(sent), lost: Number(sent) - Number(received) };
  };
}

/** Counts what comes in and is let in, by matches of nft's language. */
export async function observe(namespace: Namespace, matches: readonly string[]): Promise<void> {
  const statements = [
    "add table ip seen",
    "add chain ip seen in { type filter hook input priority 10; }",
    ...matches.flatMap((match, index) => [
      `add counter ip seen c${index}`,
      `add rule ip seen in ${match} counter name c${index}`,
    ]),
  ];
  await namespace.run(["nft", "-f", "-"], { input: `${statements.join("\n")}\n` });
}

/** The packets of each match. */
export async function seen(namespace: Namespace): Promise<readonly number[]> {
  const { stdout } = await namespace.run(["nft", "list", "table", "ip", "seen"]);
  return [...stdout.matchAll(/packets (\d+)/g)].map(([, packets]) => Number(packets));
}
