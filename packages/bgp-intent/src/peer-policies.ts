import { checkFilter, type Filter, type FilterProblem, type NamedPolicy } from "@caracal/bgp";
import type { BgpIntent, ExportPolicy, PeerIntent } from "@caracal/intent";
import { Prefix } from "@caracal/net";
import { type Direction, filtersOf, ownLinks, peerTypeOf } from "./peer-filters.ts";

/** The node's own export rules, which every peer has after its filters. */
const ownExportPolicy = "calico_export_to_bgp_peers";

/** The names of a peer's policies. Peers with the same filters share them, and so what they are told. */
export function policyNames(peer: PeerIntent): {
  readonly importPolicy: string;
  readonly exportPolicy: string;
} {
  if (peer.filters.length === 0) return { importPolicy: "", exportPolicy: ownExportPolicy };
  const families = peer.carriesIpv4 === true ? "IPv6+IPv4" : `IPv${peer.family}`;
  const filters = `(${peer.filters.join(",")}) ${peerTypeOf(peer)} ${families}`;
  return { importPolicy: `import${filters}`, exportPolicy: `${ownExportPolicy}${filters}` };
}

/**
 * The policies of the node's peers: their BGPFilters, and on export the node's own rules behind them. A filter that cannot
 * be compiled is left out, and `onUnsound` told.
 */
export function peerPolicies(
  intent: BgpIntent,
  onUnsound: (peer: string, problems: readonly FilterProblem[]) => void = () => {},
): readonly NamedPolicy[] {
  const own = ownFilter(intent.exportPolicy);
  const policies = new Map<string, NamedPolicy>();
  const add = (policy: NamedPolicy): void => void policies.set(policy.name, policy);
  // Nothing in the node's own rules looks at what the peer is.
  add({ name: ownExportPolicy, direction: "export", peerType: "eBGP", filters: [own] });
  for (const peer of intent.peers) {
    const { importPolicy, exportPolicy } = policyNames(peer);
    if (peer.filters.length === 0 || policies.has(exportPolicy)) continue;
    const place = (direction: Direction): Omit<NamedPolicy, "name"> => {
      const filters = soundFilters(intent, peer, direction, onUnsound);
      const links = seesLinks(filters) ? { ownLinks: [...ownLinks(intent)] } : {};
      return { direction, peerType: peerTypeOf(peer), filters, ...links };
    };
    add({ name: importPolicy, ...place("import") });
    const { filters, ...rest } = place("export");
    add({ name: exportPolicy, ...rest, filters: [...filters, own] });
  }
  return [...policies.values()];
}

function soundFilters(
  intent: BgpIntent,
  peer: PeerIntent,
  direction: Direction,
  onUnsound: (peer: string, problems: readonly FilterProblem[]) => void,
): readonly Filter[] {
  return filtersOf(intent, peer, direction).filter((filter) => {
    const problems = checkFilter(filter);
    if (problems.length > 0) onUnsound(peer.name, problems);
    return problems.length === 0;
  });
}

function seesLinks(filters: readonly Filter[]): boolean {
  return filters.some(({ rules }) => rules.some(({ match }) => match?.interfaces !== undefined));
}

/** The node's own export rules as a filter: what is told, and the communities it is marked with. It decides as `decideExport`. */
function ownFilter({ advertisements, hiddenPools, ownBlocks, ...told }: ExportPolicy): Filter {
  const inside = (prefixes: readonly Prefix[]): string[] =>
    prefixes.map((prefix) => `${Prefix.format(prefix)}+`);
  const rule = (prefixes: readonly string[], action: "accept" | "reject"): Filter["rules"] =>
    prefixes.length === 0 ? [] : [{ match: { prefixes }, action }];
  const pools = told.pools.map(({ prefix }) => prefix);
  return {
    rules: [
      ...advertisements.map(({ prefix, communities }) => ({
        match: { prefixes: inside([prefix]) },
        set: { communities: { add: communities } },
        action: "continue" as const,
      })),
      ...rule(inside(hiddenPools.map(({ prefix }) => prefix)), "reject"),
      ...rule(ownBlocks.map(Prefix.format), "accept"),
      ...rule(inside(ownBlocks), "reject"),
      ...rule(inside([...told.services, ...told.reflectedServices, ...pools]), "accept"),
    ],
    otherwise: "reject",
  };
}
