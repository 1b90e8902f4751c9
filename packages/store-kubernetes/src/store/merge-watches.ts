/** What several watches give, as it comes; fails with the first of them that does. */
export async function* mergeWatches<Batch>(
  watches: readonly AsyncGenerator<Batch, void>[],
): AsyncGenerator<Batch, void> {
  const waiting = new Map(watches.map((watch) => [watch, advance(watch)]));
  while (waiting.size > 0) {
    const { watch, step } = await Promise.race(waiting.values());
    if (step.done === true) {
      waiting.delete(watch);
      continue;
    }
    // Asked for before it is handed on, so that no watch waits for the reader of another.
    waiting.set(watch, advance(watch));
    yield step.value;
  }
}

async function advance<Batch>(
  watch: AsyncGenerator<Batch, void>,
): Promise<{ readonly watch: AsyncGenerator<Batch, void>; readonly step: IteratorResult<Batch, void> }> {
  return { watch, step: await watch.next() };
}
