import {
  checkFilter,
  compileFilters,
  type Filter,
  type FilterProblem,
  type Policies,
  type Policy,
} from "@caracal/bgp";
import { type BgpIntent, decideExport, type FilterIntent, type PeerIntent } from "@caracal/intent";
import { Prefix } from "@caracal/net";
import {
  type Direction,
  filterSession,
  filtersOf,
  type LinkOf,
  ownLinks,
  peerTypeOf,
} from "./peer-filters.ts";

/** The node's own export rules, which every peer has after its filters. */
const ownExportPolicy = "calico_export_to_bgp_peers";

/** The names of a peer's policies. Peers with the same filters share them, and so what they are told. */
export function policyNames(peer: PeerIntent): {
  readonly importPolicy: string;
  readonly exportPolicy: string;
} {
  if (peer.filters.length === 0) return { importPolicy: "", exportPolicy: ownExportPolicy };
  const filters = `(${peer.filters.join(",")}) ${peerTypeOf(peer)} IPv${peer.family}`;
  return { importPolicy: `import${filters}`, exportPolicy: `${ownExportPolicy}${filters}` };
}

/**
 * The policies of the node's peers: their BGPFilters, and on export the node's own rules behind them. A policy that would
 * decide as before is the same object as before, so that only what changed is evaluated again.
 */
export class PeerPolicies {
  readonly #linkOf: LinkOf;
  readonly #onUnsound: (peer: string, problems: readonly FilterProblem[]) => void;
  #known = new Map<string, { readonly basis: string; readonly policy: Policy }>();
  #linkGeneration = 0;

  /** `linkOf` names the link that leads to a next hop; a filter that cannot be compiled is left out, and `onUnsound` told. */
  constructor(linkOf: LinkOf, onUnsound: (peer: string, problems: readonly FilterProblem[]) => void) {
    this.#linkOf = linkOf;
    this.#onUnsound = onUnsound;
  }

  /** Next hops may be behind other links now. */
  linksChanged(): void {
    this.#linkGeneration += 1;
  }

  compile(intent: BgpIntent): Policies {
    let made: Policy | undefined;
    const own = (): Policy => (made ??= ownPolicy(intent));
    const ownBasis = JSON.stringify(intent.exportPolicy, bigintAsText);
    const before = this.#known;
    this.#known = new Map();
    const keep = (name: string, basis: string, make: () => Policy): void => {
      const old = before.get(name);
      if (this.#known.has(name)) return;
      this.#known.set(name, old?.basis === basis ? old : { basis, policy: make() });
    };
    keep(ownExportPolicy, ownBasis, own);
    for (const peer of intent.peers) {
      if (peer.filters.length === 0) continue;
      const { importPolicy, exportPolicy } = policyNames(peer);
      const imports = filtersOf(intent, peer, "import");
      keep(importPolicy, this.#basis(intent, imports), () => this.#compile(intent, peer, "import", imports));
      const exports = filtersOf(intent, peer, "export");
      const basis = ownBasis + this.#basis(intent, exports);
      keep(exportPolicy, basis, () => this.#compile(intent, peer, "export", exports, own()));
    }
    return new Map([...this.#known].map(([name, { policy }]) => [name, policy]));
  }

  /** Everything that the policy of these filters depends on. */
  #basis(intent: BgpIntent, filters: readonly FilterIntent[]): string {
    const seesLinks = filters.some(({ rules }) => rules.some(({ match }) => match.interfaces !== undefined));
    const links = seesLinks ? [this.#linkGeneration, [...ownLinks(intent)]] : [];
    return JSON.stringify([filters, links]);
  }

  #compile(
    intent: BgpIntent,
    peer: PeerIntent,
    direction: Direction,
    filters: readonly Filter[],
    last?: Policy,
  ): Policy {
    const sound = filters.filter((filter) => {
      const problems = checkFilter(filter);
      if (problems.length > 0) this.#onUnsound(peer.name, problems);
      return problems.length === 0;
    });
    return compileFilters(sound, filterSession(intent, peer, direction, this.#linkOf), last);
  }
}

/** The node's own export rules: what is told, and the communities it is marked with. */
function ownPolicy({ exportPolicy }: BgpIntent): Policy {
  const decide: Policy = ({ prefix, attributes }) =>
    decideExport(exportPolicy, prefix).isAccepted ? attributes : undefined;
  const { advertisements } = exportPolicy;
  if (advertisements.length === 0) return decide;
  const rules = advertisements.map(({ prefix, communities }) => ({
    match: { prefixes: [`${Prefix.format(prefix)}+`] },
    set: { communities: { add: communities } },
    action: "continue" as const,
  }));
  const session = { direction: "export", peerType: "eBGP", linkOf: () => undefined } as const;
  return compileFilters([{ rules, otherwise: "continue" }], session, decide);
}

function bigintAsText(_key: string, value: unknown): unknown {
  return typeof value === "bigint" ? String(value) : value;
}
