/** Tests that are explorations, carried out where they take the least time. */
import { test } from "node:test";
import type { Exploration } from "@caracal/testbed";

export interface NamedExploration {
  readonly name: string;
  readonly explore: () => Promise<Exploration>;
}

/**
 * Explores all, then tells how each ended, as a test of its own. The runner follows every promise that is made from its first test
 * on, which takes more than half as much time again.
 */
export async function testEach(explorations: readonly NamedExploration[]): Promise<void> {
  const outcomes: (readonly [name: string, outcome: PromiseSettledResult<Exploration>])[] = [];
  for (const { name, explore } of explorations) {
    const [outcome] = await Promise.allSettled([explore()]);
    outcomes.push([name, outcome]);
  }
  for (const [name, outcome] of outcomes) {
    test(name, (t) => {
      if (outcome.status === "rejected") throw outcome.reason;
      t.diagnostic(`${outcome.value.states} states, ${outcome.value.runs} runs`);
    });
  }
}
