import { Prefix } from "@caracal/net";

/** Prefixes without those inside another, ordered: two prefixes are apart, or one is in the other. */
export function withoutCovered(prefixes: readonly Prefix[]): readonly Prefix[] {
  const kept: Prefix[] = [];
  for (const prefix of prefixes.toSorted(Prefix.compare)) {
    const last = kept.at(-1);
    if (last === undefined || !Prefix.covers(last, prefix)) kept.push(prefix);
  }
  return kept;
}
