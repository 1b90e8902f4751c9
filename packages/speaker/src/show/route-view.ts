import type { RouteSnapshot } from "@caracal/bgp";
import { Prefix } from "@caracal/net";
import { type AttributesView, attributesView } from "./attributes-view.ts";

/** One path to a prefix, as `show` and `-o json` tell it. Its attributes are those after the import filter. */
export interface RouteView extends AttributesView {
  readonly prefix: string;
  readonly best: boolean;
  /** It is as good as the best one and takes part of the traffic. */
  readonly shares?: true;
  /** valid, unreachable, filtered, looped or leaked. */
  readonly state: RouteSnapshot["state"];
  /** Why it takes no part, or is not the best: of a valid route, the step of the decision that it lost. */
  readonly why?: string;
  readonly stale: boolean;
  /** The neighbour's name; absent for a route of our own. */
  readonly neighbor?: string;
  readonly pathId: number;
  /** What the neighbour said, where the import filter made something else of it. */
  readonly received?: AttributesView;
  readonly since: string;
}

/** `filterReason` says which rule refused a route, where one did. */
export function routeView(
  route: RouteSnapshot,
  filterReason: (route: RouteSnapshot) => string | undefined,
): RouteView {
  const { source, attributes, received, prefix, best, state, stale, pathId, shares } = route;
  const why = route.why === "import policy" ? (filterReason(route) ?? route.why) : route.why;
  return {
    prefix: Prefix.format(prefix),
    best,
    ...(shares === true && !best ? { shares } : {}),
    state,
    ...(why === undefined ? {} : { why }),
    stale,
    ...(source.kind === "peer" ? { neighbor: source.name } : {}),
    pathId,
    ...attributesView(attributes),
    ...(received === undefined ? {} : { received: attributesView(received) }),
    since: new Date(route.sinceS * 1000).toISOString(),
  };
}
