/** Slips that a word may be away from what was meant: letters left out, put in, changed or swapped. */
const maxSlips = 2;

/** `; did you mean X?` where one of the candidates is near `word`, else nothing: the end of a message. */
export function didYouMean(word: string, candidates: readonly string[], prefix = ""): string {
  const wanted = word.toLowerCase();
  let best: { readonly candidate: string; readonly slips: number } | undefined;
  for (const candidate of candidates) {
    const slips = countSlips(wanted, candidate.toLowerCase());
    // A short word is near everything, so more than half of it must agree.
    if (slips > maxSlips || slips * 2 >= wanted.length) continue;
    if (best === undefined || slips < best.slips) best = { candidate, slips };
  }
  return best === undefined ? "" : `; did you mean ${prefix}${best.candidate}?`;
}

/** Optimal string alignment distance. */
function countSlips(a: string, b: string): number {
  if (Math.abs(a.length - b.length) > maxSlips) return maxSlips + 1;
  let [before, row]: [readonly number[], readonly number[]] = [
    [],
    Array.from({ length: b.length + 1 }, (_, column) => column),
  ];
  for (let i = 1; i <= a.length; i++) {
    const next = [i];
    for (let j = 1; j <= b.length; j++) {
      const changed = (row[j - 1] ?? 0) + (a[i - 1] === b[j - 1] ? 0 : 1);
      const isSwap = a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1];
      const swapped = isSwap ? (before[j - 2] ?? 0) + 1 : changed;
      next.push(Math.min(changed, swapped, (row[j] ?? 0) + 1, (next[j - 1] ?? 0) + 1));
    }
    [before, row] = [row, next];
  }
  return row[b.length] ?? maxSlips + 1;
}
