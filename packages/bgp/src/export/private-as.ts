import { type AsPath, type AsSegment } from "../wire/as-path.ts";

/** How AS numbers for private use are kept from a peer in another AS. */
export interface PrivateAsRemoval {
  /** "leading": those before the first public one, nearest first. */
  readonly which: "all" | "leading";
  /** Our own number takes the place of each, so that the path stays as long as it was. */
  readonly replaces: boolean;
}

/** RFC 6996 §5. */
export function isPrivateAsn(asn: number): boolean {
  return (asn >= 64_512 && asn <= 65_534) || (asn >= 4_200_000_000 && asn <= 4_294_967_294);
}

/**
 * The path without private numbers. `keptAsn`, the peer's own, stays: by it the peer finds that the route has been there.
 */
export function withoutPrivateAsns(
  path: AsPath,
  { which, replaces }: PrivateAsRemoval,
  keptAsn: number,
  ownAsn: number,
): AsPath {
  let isLeading = true;
  const goes = (asn: number): boolean => {
    const isUnwanted = isPrivateAsn(asn) && asn !== keptAsn;
    if (!isUnwanted && which === "leading") isLeading = false;
    return isUnwanted && isLeading;
  };
  return path.flatMap(({ kind, asns }): AsSegment[] => {
    // A set has no order: nothing of it is before its public numbers.
    if (kind === "set" && which === "leading" && !asns.every((asn) => isPrivateAsn(asn) && asn !== keptAsn)) {
      isLeading = false;
    }
    const kept = asns.flatMap((asn) => (goes(asn) ? (replaces ? [ownAsn] : []) : [asn]));
    if (kept.length === 0) return [];
    return [{ kind, asns: kind === "set" ? [...new Set(kept)] : kept }];
  });
}
