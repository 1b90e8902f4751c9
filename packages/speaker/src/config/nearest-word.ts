/** Slips that a word may be away from what was meant: letters left out, put in or changed. */
const maxSlips = 2;
/** So many letters of a word's beginning tell which one was meant. */
const minStem = 3;

/** The word that was probably meant, if one is near. */
export function nearestWord(word: string, candidates: readonly string[]): string | undefined {
  const wanted = word.toLowerCase();
  const longer = candidates.filter((candidate) => candidate.toLowerCase().startsWith(wanted));
  if (wanted.length >= minStem && longer.length === 1) return longer[0];
  let best: { readonly candidate: string; readonly slips: number } | undefined;
  for (const candidate of candidates) {
    const slips = countSlips(wanted, candidate.toLowerCase());
    // A short word is near everything, so more than half of it must agree.
    if (slips > maxSlips || slips * 2 >= wanted.length) continue;
    if (best === undefined || slips < best.slips) best = { candidate, slips };
  }
  return best?.candidate;
}

/** Levenshtein distance. */
function countSlips(a: string, b: string): number {
  let row: readonly number[] = Array.from({ length: b.length + 1 }, (_, column) => column);
  for (let i = 1; i <= a.length; i += 1) {
    const next = [i];
    for (let j = 1; j <= b.length; j += 1) {
      const changed = (row[j - 1] ?? 0) + (a[i - 1] === b[j - 1] ? 0 : 1);
      next.push(Math.min(changed, (row[j] ?? 0) + 1, (next[j - 1] ?? 0) + 1));
    }
    row = next;
  }
  return row[b.length] ?? 0;
}
