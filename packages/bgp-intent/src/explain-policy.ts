import { explainFilter, type PolicyRoute, WellKnownCommunity } from "@caracal/bgp";
import { type BgpIntent, decideExport, type ExportVerdict, type PeerIntent } from "@caracal/intent";
import { type Direction, filterSession, filtersOf, type LinkOf, peerTypeOf } from "./peer-filters.ts";

/** What decided about a route on its way in or out. */
export interface PolicyVerdict {
  readonly isAccepted: boolean;
  /** A phrase: `BGPFilter(no-pods) rule 2 accepts`, `it is inside the own block 10.1.0.0/26, which is told whole`. */
  readonly by: string;
}

/** Decides about one route as the peer's policies would, and names what decided. */
export function explainPolicy(
  intent: BgpIntent,
  peer: PeerIntent,
  direction: Direction,
  route: PolicyRoute,
  linkOf: LinkOf,
): PolicyVerdict {
  const session = filterSession(intent, peer, direction, linkOf);
  const names = peer.filters.filter((name) => intent.filters.some((one) => one.name === name));
  let now = route;
  for (const [index, filter] of filtersOf(intent, peer, direction).entries()) {
    const { verdict, rule, attributes } = explainFilter(filter, now, session);
    now = { ...now, attributes };
    if (verdict === "continue") continue;
    const where = rule === undefined ? "" : ` rule ${rule + 1}`;
    return {
      isAccepted: verdict === "accept",
      by: `BGPFilter(${names[index] ?? ""})${where} ${verdict}s it`,
    };
  }
  if (direction === "import") return { isAccepted: true, by: "no filter says otherwise" };
  const verdict = decideExport(intent.exportPolicy, route.prefix);
  return { isAccepted: verdict.isAccepted, by: ruleText(verdict) };
}

/** Whether a session is told the best route to a prefix, by the rules of BGP first and then the node's policies. */
export function explainExport(
  intent: BgpIntent,
  peer: PeerIntent,
  best: PolicyRoute,
  linkOf: LinkOf,
): PolicyVerdict {
  return rulesOfBgp(intent, peer, best) ?? explainPolicy(intent, peer, "export", best, linkOf);
}

function rulesOfBgp(intent: BgpIntent, peer: PeerIntent, best: PolicyRoute): PolicyVerdict | undefined {
  const no = (by: string): PolicyVerdict => ({ isAccepted: false, by });
  const { source } = best;
  if (source.kind === "peer" && source.name === peer.name) return no("it is where the route came from");
  const isInternal = peerTypeOf(peer) === "iBGP";
  if (source.kind === "peer" && !source.external && isInternal) {
    const from = intent.peers.find(({ name }) => name === source.name);
    const isReflected = from?.reflectorClusterId !== undefined || peer.reflectorClusterId !== undefined;
    if (!isReflected) {
      return no(
        "split horizon: what one iBGP peer says goes to no other, unless this node is a route reflector for one of them (RFC 4456)",
      );
    }
  }
  const communities = best.attributes.communities ?? [];
  if (communities.includes(WellKnownCommunity.noAdvertise))
    return no("it carries the community NO_ADVERTISE");
  if (!isInternal && communities.includes(WellKnownCommunity.noExport)) {
    return no("it carries the community NO_EXPORT");
  }
  return undefined;
}

function ruleText({ rule, by = "" }: ExportVerdict): string {
  switch (rule) {
    case "pool-hidden":
      return `IPPool(${by}) has disableBGPExport`;
    case "own-block":
      return "it is a block of this node";
    case "inside-own-block":
      return `it is inside this node's block ${by}, which is told whole`;
    case "service":
      return `it is in the service range ${by}`;
    case "pool":
      return `it is in IPPool(${by})`;
    case "outside-pools":
      return "it is in no IPPool and no service range";
  }
}
