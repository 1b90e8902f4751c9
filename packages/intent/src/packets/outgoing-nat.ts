import { IpAddress, type IpFamily, type Prefix } from "@caracal/net";
import type { ClusterFacts, PoolFacts } from "../cluster.ts";
import type { FelixSettings } from "../felix-settings.ts";
import { nodePrefixes } from "./tunnel-guards.ts";
import { withoutCovered } from "./without-covered.ts";

/** What leaves the cluster leaves it with an address of the node's. */
export interface OutgoingNat {
  /** Sources that are given another address. */
  readonly sources: readonly Prefix[];
  /** Destinations for which they keep theirs: all pools. */
  readonly pools: readonly Prefix[];
  /** And the cluster's nodes, where the settings say so. */
  readonly hosts?: readonly Prefix[];
  /** Ports that TCP and UDP connections are given. */
  readonly ports?: { readonly first: number; readonly last: number };
  /** The new source; absent, that of the interface which the packet leaves by. */
  readonly address?: IpAddress;
  /** Only what leaves by these interfaces: a name, or its beginning and `*`. */
  readonly interfaceName?: string;
}

/** The outgoing NAT of a family. Pools without it that lie inside one with it keep it, as the addresses are the same. */
export function outgoingNat(
  cluster: ClusterFacts,
  felix: FelixSettings,
  family: IpFamily,
): OutgoingNat | undefined {
  const pools = cluster.pools.filter((pool) => pool.prefix.family === family && !pool.isForServices);
  const sources = pools.filter(({ hasNatOutgoing }) => hasNatOutgoing);
  if (sources.length === 0) return undefined;
  const ports = portsOf(felix.natPortRange);
  const address =
    felix.natOutgoingAddress === undefined ? undefined : IpAddress.parse(felix.natOutgoingAddress);
  const filter = felix.iptablesNATOutgoingInterfaceFilter ?? "";
  return {
    sources: prefixesOf(sources),
    pools: poolPrefixes(cluster, family),
    ...(felix.natOutgoingExclusions === "IPPoolsAndHostIPs"
      ? { hosts: nodePrefixes(cluster, felix, family) }
      : {}),
    ...(ports === undefined ? {} : { ports }),
    ...(address === undefined || IpAddress.family(address) !== family ? {} : { address }),
    // iptables writes any ending as `+`.
    ...(filter === "" ? {} : { interfaceName: filter.replace(/\+$/, "*") }),
  };
}

/** Of all pools that workloads have addresses of. */
export function poolPrefixes(cluster: ClusterFacts, family: IpFamily): readonly Prefix[] {
  return prefixesOf(cluster.pools.filter((pool) => pool.prefix.family === family && !pool.isForServices));
}

function prefixesOf(pools: readonly PoolFacts[]): readonly Prefix[] {
  return withoutCovered(pools.map(({ prefix }) => prefix));
}

/** Zero is Calico's "any". */
function portsOf(setting: FelixSettings["natPortRange"]): OutgoingNat["ports"] {
  const [, first, last = first] = /^(\d+)(?::(\d+))?$/.exec(String(setting ?? 0)) ?? [];
  return first === undefined || Number(last) === 0 ? undefined : { first: Number(first), last: Number(last) };
}
