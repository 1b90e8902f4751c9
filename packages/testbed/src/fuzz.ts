import assert from "node:assert/strict";
import { inspect } from "node:util";
import { test } from "node:test";
import { Dice } from "./dice.ts";

/** A promise that must hold for every input, such as "a value or a DecodeError". */
export interface FuzzTarget {
  readonly name: string;
  /** How many inputs `npm test` tries. */
  readonly rounds: number;
  /** Makes one input by the dice, tells `show` what it is, and throws if what becomes of it breaks the promise. */
  readonly round: (dice: Dice, show: (input: unknown) => void) => void;
}

/** An input that breaks the promise. */
export class FuzzFinding extends Error {
  readonly target: string;
  readonly seed: number;
  readonly round: number;

  constructor(target: string, seed: number, round: number, input: unknown, cause: unknown) {
    const what = cause instanceof Error ? (cause.stack ?? cause.message) : String(cause);
    const repeat = `repeat: npm run fuzz -- --target "${target}" --seed ${seed} --round ${round}`;
    super(`${target}: ${what}\n  input: ${inspectInput(input)}\n  ${repeat}`, { cause });
    this.name = "FuzzFinding";
    this.target = target;
    this.seed = seed;
    this.round = round;
  }
}

/** Runs one round, which its number and the seed repeat; throws `FuzzFinding`. */
export function runFuzzRound(target: FuzzTarget, seed: number, round: number): void {
  let input: unknown = "none yet";
  try {
    target.round(new Dice(Math.imul(seed, 0x9e3779b1) + Math.imul(round, 0x85ebca6b)), (shown) => {
      input = shown;
    });
  } catch (cause) {
    throw new FuzzFinding(target.name, seed, round, input, cause);
  }
}

/** The seed of this run: `SEED` of the environment, or the one that every run of `npm test` has. */
export function fuzzSeed(): number {
  return Number(process.env["SEED"] ?? 1);
}

/** Declares a test for each target: its rounds, from the run's seed. */
export function fuzzTests(targets: readonly FuzzTarget[]): void {
  const seed = fuzzSeed();
  for (const target of targets) {
    void test(`fuzz: ${target.name} (SEED=${seed})`, () => {
      assert.ok(Number.isInteger(seed), "SEED is a whole number");
      for (let round = 0; round < target.rounds; round += 1) runFuzzRound(target, seed, round);
    });
  }
}

function inspectInput(input: unknown): string {
  if (input instanceof Uint8Array) return input.toHex();
  return typeof input === "string"
    ? JSON.stringify(input)
    : inspect(input, { depth: 8, maxArrayLength: 100, maxStringLength: 20_000, breakLength: 120 });
}
