import { type IpAddress, type IpFamily, Prefix } from "@caracal/net";
import type { ClusterFacts, NodeFacts, PoolFacts } from "../cluster.ts";
import type { FelixSettings } from "../felix-settings.ts";

/** Where the settings name no other (RFC 7348 §5: the port that IANA has assigned). */
export const defaultVxlanPort = 4789;

/** Which encapsulations a node uses, and how its pools' addresses are reached. */
export interface Overlay {
  readonly pools: readonly PoolFacts[];
  readonly usesIpip: boolean;
  readonly usesVxlan: ReadonlySet<IpFamily>;
  /** Whether routes of IPIP pools, and of pools without encapsulation, are ours to program and not a BGP speaker's. */
  readonly programsIpip: boolean;
  readonly programsDirect: boolean;
  /** A BGP speaker does what `programsIpip` leaves. */
  readonly leavesIpip: boolean;
  /** Nothing speaks BGP: blackholes of all these pools are ours too, and not of VXLAN pools alone. */
  readonly ownsBlackholes: boolean;
}

/** Encapsulations that no pool asks for any more, but that other nodes may still send by: what comes so is still taken. */
export interface Lingering {
  readonly ipip: boolean;
  readonly vxlan: ReadonlySet<IpFamily>;
}

/** How an address of a pool is reached on another node. */
export type Way = "vxlan" | "ipip" | "direct" | "none";

export function overlayOf({
  cluster,
  self,
  felix,
  speaksBgp,
  bgpHasTunnels = true,
  lingering,
}: {
  readonly cluster: ClusterFacts;
  readonly self: NodeFacts;
  readonly felix: FelixSettings;
  readonly speaksBgp: boolean;
  readonly bgpHasTunnels?: boolean | undefined;
  readonly lingering?: Lingering | undefined;
}): Overlay {
  const { pools } = cluster;
  const isVxlan = (family: IpFamily) =>
    lingering?.vxlan.has(family) === true ||
    pools.some((pool) => hasVxlan(pool) && pool.prefix.family === family);
  const usesVxlan = new Set<IpFamily>();
  // The switch is IPv4's alone, as Calico's is.
  if ((felix.vxlanEnabled ?? isVxlan(4)) && self.addresses.has(4)) usesVxlan.add(4);
  if (isVxlan(6) && self.addresses.has(6)) usesVxlan.add(6);
  const mode = felix.programClusterRoutes ?? "EnabledIPIPOnly";
  const bgp = speaksBgp ? (cluster.settings.programClusterRoutes ?? "Enabled") : "Disabled";
  // What cannot be done leaves no choice.
  const leavesIpip = bgpHasTunnels && programs(bgp, "EnabledIPIPOnly");
  return {
    pools,
    leavesIpip,
    usesIpip:
      (felix.ipipEnabled ?? (lingering?.ipip === true || pools.some(hasIpip))) && self.addresses.has(4),
    usesVxlan,
    programsIpip: programs(mode, "EnabledIPIPOnly") && !leavesIpip,
    programsDirect: programs(mode, "EnabledNoEncapOnly") && !programs(bgp, "EnabledNoEncapOnly"),
    ownsBlackholes: !speaksBgp,
  };
}

/** The pool of an address: of several, the smallest. */
export function poolOf(pools: readonly PoolFacts[], prefix: Prefix): PoolFacts | undefined {
  let found: PoolFacts | undefined;
  for (const pool of pools) {
    const isCloser = found === undefined || pool.prefix.length > found.prefix.length;
    if (isCloser && Prefix.covers(pool.prefix, prefix)) found = pool;
  }
  return found;
}

/** How a prefix of a pool is reached on the node with the address `host`; `none` is not for us to say. */
export function wayTo(overlay: Overlay, pool: PoolFacts, self: NodeFacts, host: IpAddress): Way {
  const { family } = pool.prefix;
  const subnet = self.addresses.get(family)?.subnet;
  const isNear = subnet !== undefined && Prefix.contains(subnet, host);
  if (hasVxlan(pool)) {
    if (!overlay.usesVxlan.has(family)) return "none";
    return pool.vxlanMode === "CrossSubnet" && isNear ? "direct" : "vxlan";
  }
  if (hasIpip(pool) && family === 4) {
    if (!overlay.programsIpip || !overlay.usesIpip) return "none";
    return pool.ipipMode === "CrossSubnet" && isNear ? "direct" : "ipip";
  }
  // Without encapsulation only a neighbour can be reached: routers on the way know nothing of pods.
  return overlay.programsDirect && isNear ? "direct" : "none";
}

/** Whether routes of the pool are ours. */
export function isOurs(overlay: Overlay, pool: PoolFacts): boolean {
  if (hasVxlan(pool)) return overlay.usesVxlan.has(pool.prefix.family);
  return hasIpip(pool) ? overlay.programsIpip && overlay.usesIpip : overlay.programsDirect;
}

export function hasVxlan({ vxlanMode }: PoolFacts): boolean {
  return vxlanMode !== "Never";
}

export function hasIpip({ ipipMode }: PoolFacts): boolean {
  return ipipMode !== "Never";
}

type ProgrammingMode = "Enabled" | "Disabled" | "EnabledIPIPOnly" | "EnabledNoEncapOnly";

function programs(mode: ProgrammingMode, part: ProgrammingMode): boolean {
  return mode === "Enabled" || mode === part;
}
