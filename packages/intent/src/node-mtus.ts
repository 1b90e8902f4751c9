import { poolFamily, type IpPool } from "@caracal/resources";
import type { FelixSettings } from "./felix-settings.ts";

/** The largest packets of a node's devices and pods, in bytes. */
export interface NodeMtus {
  /** Of the interfaces that lead to other machines. */
  readonly host: number;
  /** Of the tunnel devices; absent where no pool is encapsulated so. */
  readonly ipip?: number;
  readonly vxlan4?: number;
  readonly vxlan6?: number;
  /** Of new pods: the least of the tunnels' that are in use, or the host's where there is none. */
  readonly pod: number;
}

/** What a packet grows by on its way to another node: outer IPv4; outer IPv4, UDP, VXLAN and Ethernet; the same by IPv6. */
const overhead = { ipip: 20, vxlan4: 50, vxlan6: 70 } as const;

/** Least MTU of a link that IPv6 works on (RFC 8200 §5): below it the kernel takes IPv6 away. */
const leastMtu6 = 1280;

/**
 * Felix's rules (facts: CNI, §5): each encapsulation that some pool uses leaves the host's MTU less its overhead, or what
 * `ipipMTU`, `vxlanMTU` and `vxlanMTUV6` say. A disabled pool counts: its pods are still there.
 */
export function nodeMtus(host: number, pools: readonly IpPool[], settings: FelixSettings): NodeMtus {
  const isOn = (value: string | undefined): boolean => (value ?? "Never") !== "Never";
  const isVxlan = (family: 4 | 6): boolean =>
    pools.some((pool) => poolFamily(pool) === family && isOn(pool.spec.vxlanMode));
  const isIpip = settings.ipipEnabled ?? pools.some(({ spec }) => isOn(spec.ipipMode));
  const isVxlan4 = settings.vxlanEnabled ?? isVxlan(4);
  // The switch is IPv4's alone, as Felix's is.
  const isVxlan6 = isVxlan(6);
  const tunnels = {
    ...(isIpip ? { ipip: settings.ipipMTU || host - overhead.ipip } : {}),
    ...(isVxlan4 ? { vxlan4: settings.vxlanMTU || host - overhead.vxlan4 } : {}),
    ...(isVxlan6 ? { vxlan6: settings.vxlanMTUV6 || host - overhead.vxlan6 } : {}),
  };
  const least = Math.min(...Object.values(tunnels));
  return { host, ...tunnels, pod: Number.isFinite(least) ? least : host };
}

/** What is wrong with a node's MTUs by themselves, a phrase each. */
export function mtuFaults(mtus: NodeMtus, pools: readonly IpPool[]): readonly string[] {
  const { host, pod } = mtus;
  const tooLarge = (
    [
      ["ipip", "ipipMTU"],
      ["vxlan4", "vxlanMTU"],
      ["vxlan6", "vxlanMTUV6"],
    ] as const
  ).flatMap(([tunnel, setting]) => {
    const mtu = mtus[tunnel];
    const most = host - overhead[tunnel];
    return mtu === undefined || mtu <= most
      ? []
      : [`${setting} is ${mtu}, but the node's interfaces leave ${most}: larger packets are cut up or lost`];
  });
  const has6 = pools.some((pool) => poolFamily(pool) === 6);
  return has6 && pod < leastMtu6
    ? [...tooLarge, `pods have an MTU of ${pod}, and IPv6 needs ${leastMtu6}: they have no IPv6`]
    : tooLarge;
}
