/** Carries out every order of store operations of a play, as far as orders lead to different states. */
import assert from "node:assert/strict";
import { setImmediate } from "node:timers/promises";
import { areIndependent, type PendingStep, type SteppedWorld } from "./stepped-world.ts";

/** Actors on a world, begun and waiting for their first operations. */
export interface Explorable {
  readonly world: SteppedWorld;
  /** What one actor asks for together is answered in the order asked, which leads to fewer states. */
  readonly answersInOrder?: boolean;
  /** How many operations of a way may fail, each with and without having happened; none unless told. */
  readonly mostFailures?: number;
  /** The actor whose operations fail; anyone's unless told. */
  readonly failing?: string | undefined;
  /** Throws when the state or what an actor did is wrong. Called in each state that is new. */
  readonly check: () => Promise<void>;
}

/** What it took. */
export interface Exploration {
  readonly runs: number;
  readonly states: number;
}

/** Longer runs are livelocks. */
const maxSteps = 3000;

/** An operation, and what becomes of it. */
interface Move {
  readonly step: PendingStep;
  readonly outcome: "done" | "lost" | "unheard";
}

/** A state on the way, and what is still to be tried there. */
interface Frame {
  readonly key: string;
  /** What can happen, by what names it in this state. */
  readonly moves: ReadonlyMap<string, Move>;
  /** Of the operations before. */
  readonly failures: number;
  /** Those that need not be tried: what would follow is a reordering of what was tried elsewhere. */
  readonly asleep: Set<string>;
  readonly untried: string[];
  taken: string;
}

/**
 * Depth first, each way from the beginning, as promises cannot be copied. A state that was seen is not gone on from, and an
 * operation that only swaps with independent ones before it is not tried again (sleep sets; Godefroid 1996 §5). An actor
 * that stops for ever is one that is not let on until all others are done: no further crashes need to be tried, provided that
 * `check` holds of each state what must hold after a crash.
 */
export async function explore(makePlay: () => Explorable | Promise<Explorable>): Promise<Exploration> {
  /** For each state seen the operations that were never tried in it. */
  const visited = new Map<string, ReadonlySet<string>>();
  const frames: Frame[] = [];
  let runs = 0;
  for (;;) {
    runs += 1;
    await run(await makePlay(), frames, visited);
    for (let last = frames.at(-1); last !== undefined; last = frames.at(-1)) {
      last.asleep.add(last.taken);
      const next = last.untried.shift();
      if (next !== undefined) {
        last.taken = next;
        break;
      }
      frames.pop();
    }
    if (frames.length === 0) return { runs, states: visited.size };
  }
}

/** Repeats the way that the frames tell, and goes on until there is nothing new. */
async function run(
  play: Explorable,
  frames: Frame[],
  visited: Map<string, ReadonlySet<string>>,
): Promise<void> {
  const { world } = play;
  const trace: string[] = [];
  const make = ({ step, outcome }: Move): void => {
    trace.push(`${step.actor}: ${step.label}${outcome === "done" ? "" : ` (${outcome})`}`);
    const index = world.pending.indexOf(step);
    if (outcome === "done") world.perform(index);
    else world.fail(index, outcome === "unheard");
  };
  try {
    for (const { taken, failures } of frames) {
      await setImmediate();
      make(moveNamed(movesOf(play, failures), taken));
    }
    for (;;) {
      await setImmediate();
      assert.ok(frames.length < maxSteps, "does not end");
      const frame = await enter(play, frames.at(-1), visited);
      if (frame === undefined) return;
      frames.push(frame);
      make(moveNamed(frame.moves, frame.taken));
    }
  } catch (error) {
    throw new Error(`after\n  ${trace.join("\n  ")}`, { cause: error });
  }
}

/** The state that a run has come to, or `undefined` when nothing is to be tried from there. */
async function enter(
  play: Explorable,
  before: Frame | undefined,
  visited: Map<string, ReadonlySet<string>>,
): Promise<Frame | undefined> {
  const key = play.world.stateKey();
  const failures = failuresAfter(before);
  const moves = movesOf(play, failures);
  const asleep = sleepersAfter(before, moves);
  const neverTried = visited.get(key);
  if (neverTried === undefined) await play.check();
  const open = [...moves.keys()].filter((name) => !asleep.has(name) && neverTried?.has(name) !== false);
  const left = neverTried === undefined ? asleep : asleep.intersection(neverTried);
  visited.set(key, left);
  const [taken, ...untried] = open;
  return taken === undefined ? undefined : { key, moves, failures, asleep: new Set(left), untried, taken };
}

function failuresAfter(before: Frame | undefined): number {
  if (before === undefined) return 0;
  return before.failures + (before.moves.get(before.taken)?.outcome === "done" ? 0 : 1);
}

function movesOf(play: Explorable, failures: number): ReadonlyMap<string, Move> {
  const mayFail = failures < (play.mostFailures ?? 0);
  const moves = stepsOf(play).flatMap((step): readonly Move[] => {
    const done: Move = { step, outcome: "done" };
    if (!mayFail || (play.failing ?? step.actor) !== step.actor) return [done];
    // Whether a question was heard makes no difference.
    const isWrite = step.touches.some((touch) => touch.isWrite);
    return [done, { step, outcome: "lost" }, ...(isWrite ? [{ step, outcome: "unheard" } as const] : [])];
  });
  return new Map(moves.map((move) => [`${move.outcome} ${move.step.name}`, move]));
}

function stepsOf({ world, answersInOrder = false }: Explorable): readonly PendingStep[] {
  if (!answersInOrder) return world.pending;
  return [...Map.groupBy(world.pending, ({ actor }) => actor).values()].flatMap((some) => some.slice(0, 1));
}

/** What slept before, or was tried before, and does not meet with what was done goes on to sleep. */
function sleepersAfter(before: Frame | undefined, moves: ReadonlyMap<string, Move>): ReadonlySet<string> {
  const done = before?.moves.get(before.taken);
  if (before === undefined || done === undefined) return new Set();
  return new Set(
    [...before.asleep].filter((name) => {
      const move = before.moves.get(name);
      return move !== undefined && moves.has(name) && areIndependent(move.step, done.step);
    }),
  );
}

function moveNamed(moves: ReadonlyMap<string, Move>, name: string): Move {
  const move = moves.get(name);
  assert.ok(move !== undefined, `${name} is not waiting: the play is not the same each time`);
  return move;
}
