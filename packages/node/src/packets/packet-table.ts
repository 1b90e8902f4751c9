import type { NftBaseChain, NftChain, NftFamily, NftRule, NftSet, NftTable } from "@caracal/dataplane";
import type {
  DirectionLimits,
  FloatingAddress,
  OutgoingNat,
  PacketIntent,
  TunnelGuard,
} from "@caracal/intent";
import { IpAddress, Prefix } from "@caracal/net";

/** Not `calico`: a Felix that runs, or once ran, on the host takes that table for its own, and removes what it did not write. */
export const packetTableName = "caracal";

/** As the kernel's own names for hooks go (linux/netfilter_ipv4.h): before connection tracking, with destinations, with sources. */
const rawPriority = -300;
const destinationNatPriority = -100;
const filterPriority = 0;
/** After kube-proxy's, which knows better what to do with services' packets. */
const sourceNatPriority = 110;

/** Names of our kind: those of Calico's sets and chains, as `nft list ruleset` shows them with it. */
class Names {
  readonly family: NftFamily;
  readonly addressType: string;
  /** How addresses of packets are told: `ip saddr`. */
  readonly header: string;
  readonly #prefix: string;

  constructor(family: 4 | 6) {
    this.family = family === 4 ? "ip" : "ip6";
    this.addressType = `ipv${family}_addr`;
    this.header = this.family;
    this.#prefix = family === 4 ? "cali40" : "cali60";
  }

  set(name: string): string {
    return `${this.#prefix}${name}`;
  }
}

/** What a family's chains are put together from. */
interface Part {
  readonly sets?: readonly NftSet[];
  /** Chains that the rules below jump to. */
  readonly chains?: readonly NftChain[];
  readonly raw?: readonly NftRule[];
  readonly destinationNat?: readonly NftRule[];
  readonly sourceNat?: readonly NftRule[];
  readonly input?: readonly NftRule[];
  readonly forward?: readonly NftRule[];
  readonly output?: readonly NftRule[];
}

/** The table of nftables that does what a family's intent says, or `undefined` when there is nothing to do. */
export function packetTable(
  intent: PacketIntent,
  interfacePrefixes: readonly string[],
): NftTable | undefined {
  const names = new Names(intent.family);
  // Floating addresses first: a pod that speaks to itself keeps being told by the outer one.
  const parts = [
    floatingPart(names, intent.floating),
    guardPart(names, intent.guards, interfacePrefixes),
    ...(intent.outgoing === undefined ? [] : [outgoingPart(names, intent.outgoing)]),
    ...(intent.serviceLoops === undefined ? [] : [loopPart(names, intent.serviceLoops)]),
    limitPart(names, intent, interfacePrefixes),
  ];
  const rules = (key: Exclude<keyof Part, "sets" | "chains">): readonly NftRule[] =>
    parts.flatMap((part) => part[key] ?? []);
  const base = (name: string, hook: NftBaseChain, its: readonly NftRule[]): readonly NftChain[] =>
    its.length === 0 ? [] : [{ name, base: hook, rules: its }];
  const chains: readonly NftChain[] = [
    ...base("raw-PREROUTING", { type: "filter", hook: "prerouting", priority: rawPriority }, rules("raw")),
    ...base("raw-OUTPUT", { type: "filter", hook: "output", priority: rawPriority }, rules("raw")),
    ...base(
      "nat-PREROUTING",
      { type: "nat", hook: "prerouting", priority: destinationNatPriority },
      rules("destinationNat"),
    ),
    ...base(
      "nat-OUTPUT",
      { type: "nat", hook: "output", priority: sourceNatPriority },
      rules("destinationNat"),
    ),
    ...base(
      "nat-POSTROUTING",
      { type: "nat", hook: "postrouting", priority: sourceNatPriority },
      rules("sourceNat"),
    ),
    ...base("filter-INPUT", { type: "filter", hook: "input", priority: filterPriority }, rules("input")),
    ...base(
      "filter-FORWARD",
      { type: "filter", hook: "forward", priority: filterPriority },
      rules("forward"),
    ),
    ...base("filter-OUTPUT", { type: "filter", hook: "output", priority: filterPriority }, rules("output")),
    ...parts.flatMap((part) => part.chains ?? []),
  ];
  if (chains.length === 0) return undefined;
  // Outgoing NAT and IP-in-IP may ask for the nodes' addresses both.
  const sets = [...new Map(parts.flatMap((part) => part.sets ?? []).map((set) => [set.name, set])).values()];
  return { family: names.family, name: packetTableName, sets, chains };
}

/**
 * Floating addresses are translated in both directions of the first packet; connection tracking does the rest. A workload that
 * speaks to its own outer address would get packets from itself: they are given the outer address as source.
 */
function floatingPart(names: Names, floating: readonly FloatingAddress[]): Part {
  if (floating.length === 0) return {};
  const { addressType, header } = names;
  const dnat = names.set("fip-dnat");
  const snat = names.set("fip-snat");
  const pairs = floating.map(({ external, internal }) => [format(external), format(internal)] as const);
  const hairpins = new Map<string, string>();
  for (const [external, internal] of pairs) {
    const key = `${internal} . ${internal}`;
    if (!hairpins.has(key)) hairpins.set(key, external);
  }
  return {
    sets: [
      { name: dnat, keyType: addressType, valueType: addressType, elements: new Map(pairs) },
      {
        name: snat,
        keyType: `${addressType} . ${addressType}`,
        valueType: addressType,
        elements: hairpins,
      },
    ],
    chains: [
      { name: "nat-cali-fip-dnat", rules: [{ text: `dnat to ${header} daddr map @${dnat}` }] },
      {
        name: "nat-cali-fip-snat",
        rules: [{ text: `snat to ${header} saddr . ${header} daddr map @${snat}` }],
      },
    ],
    destinationNat: [{ text: "jump nat-cali-fip-dnat" }],
    sourceNat: [{ text: "jump nat-cali-fip-snat" }],
  };
}

function outgoingPart(names: Names, nat: OutgoingNat): Part {
  const { header } = names;
  const sources = addressSet(names, "masq-ipam-pools", nat.sources);
  const pools = addressSet(names, "all-ipam-pools", nat.pools);
  const hosts = nat.hosts === undefined ? undefined : addressSet(names, "all-hosts-net", nat.hosts);
  const match = [
    `${header} saddr @${sources.name} ${header} daddr != @${pools.name}`,
    ...(hosts === undefined ? [] : [`${header} daddr != @${hosts.name}`]),
    ...(nat.interfaceName === undefined ? [] : [`oifname "${nat.interfaceName}"`]),
  ].join(" ");
  const address = nat.address === undefined ? "" : format(nat.address);
  const verb = nat.address === undefined ? "masquerade" : "snat";
  const plain = address === "" ? verb : `${verb} to ${address}`;
  const rules: NftRule[] = [];
  if (nat.ports !== undefined) {
    const { first, last } = nat.ports;
    const ports = first === last ? first : `${first}-${last}`;
    rules.push({
      text: `meta l4proto { tcp, udp } ${match} ${verb} to ${address}:${ports} fully-random`,
      comment: "pools to the world, by natPortRange",
    });
  }
  rules.push({ text: `${match} ${plain} fully-random`, comment: "pools to the world" });
  return {
    sets: [sources, pools, ...(hosts === undefined ? [] : [hosts])],
    chains: [{ name: "nat-cali-nat-outgoing", rules }],
    sourceNat: [{ text: "jump nat-cali-nat-outgoing" }],
  };
}

/**
 * Encapsulated packets are taken from nodes only. What the node itself sends through a tunnel with an address of another
 * interface is given the tunnel's, by which the answer comes back; VXLAN's packets are not worth a connection's state.
 */
function guardPart(names: Names, guards: readonly TunnelGuard[], interfacePrefixes: readonly string[]): Part {
  const { header } = names;
  const sets: NftSet[] = [];
  const raw: NftRule[] = [];
  const input: NftRule[] = [];
  const fromWorkloads: NftRule[] = [];
  const sourceNat: NftRule[] = [];
  for (const guard of guards) {
    const { kind, device, port, senders, isOpenToWorkloads } = guard;
    const label = kind === "ipip" ? "IPIP" : "VXLAN";
    const packet = kind === "ipip" ? "meta l4proto 4" : `udp dport ${port}`;
    const set = addressSet(names, kind === "ipip" ? "all-hosts-net" : "all-vxlan-net", senders);
    sets.push(set);
    input.push({
      text: `${packet} ${header} saddr != @${set.name} drop`,
      comment: `${label} from no node of ours`,
    });
    if (kind === "vxlan") raw.push({ text: `${packet} notrack` });
    if (!isOpenToWorkloads)
      fromWorkloads.push({ text: `${packet} drop`, comment: `${label} from a workload` });
    const leaving = `oifname "${device}" fib saddr . oif type != local fib saddr type local`;
    sourceNat.push({ text: `${leaving} masquerade`, comment: "the node itself, by a tunnel" });
  }
  if (fromWorkloads.length === 0) return { sets, raw, input, sourceNat };
  const chain = { name: "filter-cali-from-wl-encap", rules: fromWorkloads };
  const jump = { text: `iifname ${workloadNames(interfacePrefixes)} jump ${chain.name}` };
  return { sets, raw, input: [jump, ...input], forward: [jump], chains: [chain], sourceNat };
}

function loopPart(names: Names, { ranges, action }: NonNullable<PacketIntent["serviceLoops"]>): Part {
  const set = addressSet(names, "service-cidrs", ranges);
  const rule = {
    text: `${names.header} daddr @${set.name} ${action}`,
    comment: "service addresses that nobody translated",
  };
  return {
    sets: [set],
    chains: [{ name: "filter-cali-cidr-block", rules: [rule] }],
    forward: [{ text: "jump filter-cali-cidr-block" }],
  };
}

/**
 * Workloads' limits of packets and connections hold for all that they send and receive, the node's own packets too; what leaves
 * the pools carries the workload's differentiated services code point.
 */
function limitPart(
  names: Names,
  { limits, clusterRanges }: Pick<PacketIntent, "limits" | "clusterRanges">,
  interfacePrefixes: readonly string[],
): Part {
  const pools = clusterRanges === undefined ? undefined : addressSet(names, "all-ipam-pools", clusterRanges);
  const toWorkloads = limits.flatMap(({ interfaceName, ingress }) =>
    limitRules(`oifname "${interfaceName}"`, ingress),
  );
  const fromWorkloads = limits.flatMap(({ interfaceName, egress }) =>
    limitRules(`iifname "${interfaceName}"`, egress),
  );
  const marks = limits.flatMap(({ interfaceName, dscp }): readonly NftRule[] => {
    if (dscp === undefined || pools === undefined) return [];
    const leaving = `iifname "${interfaceName}" ${names.header} daddr != @${pools.name}`;
    return [{ text: `${leaving} ${names.header} dscp set ${dscp}` }];
  });
  const chain = (name: string, rules: readonly NftRule[]): readonly NftChain[] =>
    rules.length === 0 ? [] : [{ name, rules }];
  const jump = (word: string, [target]: readonly NftChain[]): readonly NftRule[] =>
    target === undefined ? [] : [{ text: `${word} ${workloadNames(interfacePrefixes)} jump ${target.name}` }];
  const to = chain("filter-cali-to-wl-limits", toWorkloads);
  const from = chain("filter-cali-from-wl-limits", fromWorkloads);
  const dscp = chain("filter-cali-from-wl-dscp", marks);
  return {
    sets: pools === undefined ? [] : [pools],
    chains: [...to, ...from, ...dscp],
    input: jump("iifname", from),
    forward: [...jump("iifname", from), ...jump("oifname", to), ...jump("iifname", dscp)],
    output: jump("oifname", to),
  };
}

function limitRules(match: string, { packets, connections }: DirectionLimits): readonly NftRule[] {
  const rules: NftRule[] = [];
  if (packets !== undefined) {
    const { perSecond, burst } = packets;
    rules.push({ text: `${match} limit rate over ${perSecond}/second burst ${burst} packets drop` });
  }
  if (connections !== undefined) {
    const opening = `${match} meta l4proto tcp ct state new ct count over ${connections}`;
    rules.push({ text: `${opening} reject with tcp reset` });
  }
  return rules;
}

/** Names of workloads' interfaces, as a set of patterns. */
function workloadNames(interfacePrefixes: readonly string[]): string {
  return `{ ${interfacePrefixes.map((prefix) => `"${prefix}*"`).join(", ")} }`;
}

/** Sets of thousands of nodes do not change when a pod comes. */
const elementsOf = new WeakMap<readonly Prefix[], ReadonlyMap<string, string>>();

function addressSet(names: Names, name: string, prefixes: readonly Prefix[]): NftSet {
  const elements =
    elementsOf.get(prefixes) ??
    new Map(
      prefixes.map((prefix) => [Prefix.isHost(prefix) ? format(prefix.address) : Prefix.format(prefix), ""]),
    );
  elementsOf.set(prefixes, elements);
  return { name: names.set(name), keyType: names.addressType, isInterval: true, elements };
}

function format(address: IpAddress): string {
  return IpAddress.format(address);
}
