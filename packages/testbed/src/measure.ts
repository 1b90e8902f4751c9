/** Milliseconds that some work takes. */
export async function timed(work: () => Promise<void>): Promise<number> {
  const began = performance.now();
  await work();
  return performance.now() - began;
}

/** Does so many pieces of work, by their number, with so many under way at a time. */
export async function inParallel(
  count: number,
  workers: number,
  work: (index: number) => Promise<void>,
): Promise<void> {
  let next = 0;
  const run = async (): Promise<void> => {
    while (next < count) {
      next += 1;
      await work(next);
    }
  };
  await Promise.all(Array.from({ length: workers }, run));
}

/** How often a piece of work is done in a second, with so many under way at a time for so long. */
export async function rateOf(
  workers: number,
  durationMs: number,
  work: () => Promise<unknown>,
): Promise<number> {
  const end = performance.now() + durationMs;
  let done = 0;
  await Promise.all(
    Array.from({ length: workers }, async () => {
      while (performance.now() < end) {
        await work();
        done += 1;
      }
    }),
  );
  return (done * 1000) / durationMs;
}

/** The median figure of each subject. They are measured in turns, so that what disturbs the machine disturbs all. */
export async function medians(
  subjects: Readonly<Record<string, () => Promise<number>>>,
  rounds: number,
): Promise<Readonly<Record<string, number>>> {
  const found = new Map<string, number[]>();
  for (let round = 0; round < rounds; round += 1) {
    for (const [name, measure] of Object.entries(subjects)) {
      found.set(name, [...(found.get(name) ?? []), await measure()]);
    }
  }
  return Object.fromEntries(
    [...found].map(([name, figures]) => [name, figures.toSorted((a, b) => a - b)[rounds >> 1] ?? Number.NaN]),
  );
}

/** A line with the figures of one comparison, and the ratio of the first subject's to each other's. */
export function figuresText(what: string, unit: string, figures: Readonly<Record<string, number>>): string {
  const [first, ...others] = Object.entries(figures);
  const ours = first?.[1] ?? Number.NaN;
  return [
    what.padEnd(34),
    ...Object.entries(figures).map(([name, figure]) => `${name} ${figure.toFixed(0)} ${unit}`),
    ...others.map(([name, figure]) => `ratio to ${name} ${(ours / figure).toFixed(2)}`),
  ].join("  ");
}
