/**
 * `npm run fuzz`: every fuzz target for longer than `npm test` has time for, in turns; exit 1 with what repeats a finding.
 *
 *   npm run fuzz                       all targets for a minute, from a seed of the moment, which is printed
 *   npm run fuzz -- 600                for 600 seconds
 *   npm run fuzz -- --rounds 100000    so many rounds of each instead
 *   npm run fuzz -- --target UPDATE    only targets whose name contains this
 *   npm run fuzz -- --target UPDATE --seed 7 --round 12    one round again
 *
 * A finding is a broken promise, a round that takes far too long, or memory that does not come back.
 */
import { globSync } from "node:fs";
import { parseArgs } from "node:util";
import { FuzzFinding, type FuzzTarget, runFuzzRound } from "@caracal/testbed";

/** No input may take more of the processor. */
const slowMs = 20_000;
/** What the process may hold after all that: inputs are small. */
const heapBytesMax = 1 << 30;
/** Each target's turn, at the longest: a short run still comes to all of them. */
const turnMsMax = 1000;

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    target: { type: "string" },
    seed: { type: "string" },
    round: { type: "string" },
    rounds: { type: "string" },
  },
});
const seed = Number(values.seed ?? process.env["SEED"] ?? Date.now() % 1_000_000);
const durationMs = Number(positionals[0] ?? 60) * 1000;
const rounds = values.rounds === undefined ? Infinity : Number(values.rounds);
const targets = (await allTargets()).filter(({ name }) => name.includes(values.target ?? ""));
if (targets.length === 0 || [seed, durationMs, rounds].some(Number.isNaN)) {
  console.error(targets.length === 0 ? "no such target" : "times, rounds and seeds are numbers");
  process.exit(1);
}
console.log(`SEED=${seed}`);
try {
  if (values.round === undefined) fuzzAll();
  else for (const target of targets) runFuzzRound(target, seed, Number(values.round));
} catch (error) {
  if (!(error instanceof FuzzFinding)) throw error;
  console.error(error.message);
  process.exitCode = 1;
}

function fuzzAll(): void {
  const done = new Map(targets.map((target) => [target, 0]));
  const end = performance.now() + durationMs;
  const turnMs = Math.min(turnMsMax, durationMs / targets.length);
  const isOver = (): boolean => (rounds === Infinity ? performance.now() >= end : false);
  let isBusy = true;
  while (isBusy && !isOver()) {
    isBusy = false;
    for (const [target, from] of done) {
      const turnEnd = performance.now() + turnMs;
      let round = from;
      while (round < rounds && performance.now() < turnEnd && !isOver()) runTimed(target, round++);
      if (round < rounds) isBusy = true;
      done.set(target, round);
    }
  }
  for (const [{ name }, count] of done) console.log(`${String(count).padStart(10)}  ${name}`);
  const { heapUsed } = process.memoryUsage();
  if (heapUsed > heapBytesMax) {
    throw new FuzzFinding("memory", seed, 0, `${heapUsed} bytes`, "the heap is still full");
  }
}

function runTimed(target: FuzzTarget, round: number): void {
  const before = process.cpuUsage();
  runFuzzRound(target, seed, round);
  const { user, system } = process.cpuUsage(before);
  const tookMs = (user + system) / 1000;
  if (tookMs > slowMs) throw new FuzzFinding(target.name, seed, round, "see the round", `${tookMs} ms`);
}

/** What the packages' fuzz files offer. */
async function allTargets(): Promise<FuzzTarget[]> {
  const found: FuzzTarget[] = [];
  for (const file of globSync("packages/*/test/**/*.fuzz.ts").toSorted()) {
    const module: unknown = await import(new URL(`../${file}`, import.meta.url).href);
    const list: unknown =
      typeof module === "object" && module !== null && "targets" in module ? module.targets : [];
    if (Array.isArray(list)) for (const one of list) if (isTarget(one)) found.push(one);
  }
  return found;
}

function isTarget(value: unknown): value is FuzzTarget {
  return typeof value === "object" && value !== null && "round" in value && typeof value.round === "function";
}
