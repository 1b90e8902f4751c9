import { IpAddress, type IpFamily } from "@caracal/net";
import type { NodeFacts } from "../cluster.ts";
import type { FelixSettings } from "../felix-settings.ts";
import type { IntentProblem } from "../intent-problem.ts";
import { defaultVxlanPort, type Overlay } from "./overlay.ts";
import type { Tunnel, Vtep, VxlanTunnel } from "./tunnel-intent.ts";
import type { NodeTunnels, TunnelEnd } from "./vteps.ts";

const defaultVni = 4096;

export interface DeviceInput {
  readonly overlay: Overlay;
  readonly ends: NodeTunnels;
  readonly self: NodeFacts;
  readonly felix: FelixSettings;
  readonly problems: IntentProblem[];
}

/** The devices of the encapsulations in use. */
export function tunnelDevices(input: DeviceInput): readonly Tunnel[] {
  const { overlay, ends, self, felix } = input;
  const tunnels: Tunnel[] = [];
  if (overlay.usesIpip) {
    const address = ends.ipip.get(self.name);
    tunnels.push({
      kind: "ipip",
      name: "tunl0",
      family: 4,
      ...mtuOf(felix.ipipMTU),
      ...(address === undefined ? {} : { address }),
    });
  }
  for (const family of [4, 6] as const) {
    if (!overlay.usesVxlan.has(family)) continue;
    const tunnel = vxlanTunnel(input, family);
    if (tunnel !== undefined) tunnels.push(tunnel);
  }
  return tunnels;
}

function vxlanTunnel({ ends, self, felix }: DeviceInput, family: IpFamily): VxlanTunnel | undefined {
  const known = ends.vxlan.get(family);
  const own = known?.get(self.name);
  const local = self.addresses.get(family)?.address;
  // Its end is another node's, which stands among the problems.
  if (known === undefined || own === undefined || local === undefined) return undefined;
  return {
    kind: "vxlan",
    name: family === 4 ? "vxlan.calico" : "vxlan-v6.calico",
    family,
    vni: felix.vxlanVNI ?? defaultVni,
    port: felix.vxlanPort ?? defaultVxlanPort,
    local,
    mac: own.mac,
    ...mtuOf(family === 4 ? felix.vxlanMTU : felix.vxlanMTUV6),
    ...(own.address === undefined ? {} : { address: own.address }),
    vteps: [...known.values()]
      .flatMap((end) => (end === own ? [] : vtep(end, family)))
      .toSorted((a, b) => IpAddress.compare(a.address, b.address)),
    ...checksumOverride(felix.featureDetectOverride),
  };
}

/** Felix's `featureDetectOverride`: `Name=value,Name=value`. */
function checksumOverride(text = ""): { readonly checksumOffload?: boolean } {
  const value = /(?:^|,)\s*ChecksumOffloadBroken\s*=\s*(true|false)\s*(?:,|$)/i.exec(text)?.[1];
  return value === undefined ? {} : { checksumOffload: value.toLowerCase() === "false" };
}

function vtep({ node, address, mac }: TunnelEnd, family: IpFamily): readonly Vtep[] {
  const host = node.addresses.get(family)?.address;
  return host === undefined || address === undefined ? [] : [{ node: node.name, address, mac, host }];
}

/** Zero is Calico's "find out". */
function mtuOf(value: number | undefined): { readonly mtu?: number } {
  return value === undefined || value === 0 ? {} : { mtu: value };
}
