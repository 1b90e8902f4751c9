import type { AdvertisedRoute } from "@caracal/bgp";
import { Prefix } from "@caracal/net";
import { type AttributesView, attributesView } from "./attributes-view.ts";

/** A path that a neighbour is told or not told, as `show advertised` and its `-o json` tell it. Its attributes are as told. */
export interface AdvertisedView extends AttributesView {
  readonly prefix: string;
  readonly state: AdvertisedRoute["state"];
  /** What keeps it from the neighbour. */
  readonly why?: string;
  /** Who told us; absent for a route of our own. */
  readonly neighbor?: string;
  readonly pathId: number;
}

/** `filterReason` says which rule refused a route, where one did. */
export function advertisedView(
  route: AdvertisedRoute,
  filterReason: (route: AdvertisedRoute) => string | undefined,
): AdvertisedView {
  const { prefix, source, attributes, state, pathId } = route;
  const why = route.why === "export policy" ? (filterReason(route) ?? route.why) : route.why;
  return {
    prefix: Prefix.format(prefix),
    state,
    ...(why === undefined ? {} : { why }),
    ...(source.kind === "peer" ? { neighbor: source.name } : {}),
    pathId,
    ...attributesView(attributes),
  };
}
