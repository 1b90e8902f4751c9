import { LabError } from "./lab-error.ts";

/**
 * Short names for display: without what all have in common up to a dash, so `worker2` for
 * `calico-bgp-fullmesh-worker2`. A name alone, or that would become empty, stays whole.
 */
export function shortNames(names: readonly string[]): ReadonlyMap<string, string> {
  const [first = ""] = names;
  let cut = names.length < 2 ? 0 : first.lastIndexOf("-") + 1;
  const fits = (name: string): boolean => name.startsWith(first.slice(0, cut)) && name.length > cut;
  while (cut > 0 && !names.every(fits)) cut = first.lastIndexOf("-", cut - 2) + 1;
  return new Map(names.map((name) => [name, name.slice(cut)]));
}

/** The one of `names` that `word` means: the whole name, or the only one that ends in a dash and it, or begins with it and a dot. */
export function findByShortName(word: string, names: readonly string[]): string | undefined {
  if (names.includes(word)) return word;
  const matches = names.filter((name) => name.endsWith(`-${word}`) || name.startsWith(`${word}.`));
  if (matches.length > 1) throw new LabError(`${word} may be ${matches.join(" or ")}: write it out`);
  return matches[0];
}
