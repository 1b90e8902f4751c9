import { type AsPath } from "../wire/as-path.ts";

/** One place of a path: an AS number, or the members of a set, any of which fills it. */
type Place = number | readonly number[];

/** A path as places, nearest first, as BIRD's path masks see it. */
export function placesOf(path: AsPath): readonly Place[] {
  return path.flatMap<Place>((one) => (one.kind === "set" ? [one.asns] : one.asns));
}

export function beginsWith(places: readonly Place[], asns: readonly number[]): boolean {
  return standsAt(places, asns, 0);
}

export function contains(places: readonly Place[], asns: readonly number[]): boolean {
  for (let at = 0; at + asns.length <= places.length; at += 1) if (standsAt(places, asns, at)) return true;
  return false;
}

export function isExactly(places: readonly Place[], asns: readonly number[]): boolean {
  return places.length === asns.length && standsAt(places, asns, 0);
}

function standsAt(places: readonly Place[], asns: readonly number[], at: number): boolean {
  return asns.every((asn, index) => {
    const place = places[at + index];
    return typeof place === "object" ? place.includes(asn) : place === asn;
  });
}
