import type { Store } from "@caracal/datastore";
import { lostRoutes, type PlannedCluster } from "@caracal/insight";
import { readRouteTable, type RouteTable } from "@caracal/questions";
import { CliError } from "../cli-error.ts";
import type { CliContext } from "../context.ts";
import { askAll, knowCluster } from "../insight/ask-cluster.ts";

export type Tables = ReadonlyMap<string, RouteTable>;

/** One change of the cluster, what must hold before the next, and how it is taken back. */
export interface MoveStep {
  readonly title: string;
  readonly apply: () => Promise<void>;
  readonly undo: () => Promise<void>;
  /** What is still missing; empty when the next step may follow. */
  readonly missing: (known: PlannedCluster, tables: Tables) => readonly string[];
}

export type MoveOutcome =
  | { readonly kind: "done" }
  /** Everything was taken back. */
  | { readonly kind: "undone"; readonly step: string; readonly missing: readonly string[] }
  /** The person stopped it: it stands where it is, and can go on or back. */
  | { readonly kind: "interrupted"; readonly step: string };

/** Where a move stands is read from the cluster itself. */
export const whatNext = "run it again to go on, or migrate the other way to take it back";

/** How long a step may take until its conditions hold. */
const stepMs = 60_000;
const lookAgainMs = 250;
/** A step counts only when nothing is missing so many times in a row. */
const looksInRow = 3;

/**
 * Makes a move step by step, comparing all nodes' tables after each. A step whose conditions do not come to hold, or a
 * route that a node had before and lacks, takes everything back.
 */
export async function makeMove(
  ctx: CliContext,
  store: Store,
  steps: readonly MoveStep[],
): Promise<MoveOutcome> {
  const first = await look(store);
  const silent = [...first.known.intents.keys()].filter((node) => !first.tables.has(node));
  if (silent.length > 0) {
    throw new CliError(
      `no answer from ${silent.join(", ")}, so routes cannot be compared; nothing was changed: start the daemon there, or delete the node`,
    );
  }
  const unknown = [...first.tables.values()].filter(({ unknownBecause }) => unknownBecause !== undefined);
  if (unknown.length > 0) {
    const names = unknown.map(({ node, unknownBecause }) => `${node} (${unknownBecause ?? ""})`).toSorted();
    throw new CliError(
      `the routes of ${names.join(", ")} are not known, so they cannot be compared; nothing was changed`,
    );
  }
  const begun: MoveStep[] = [];
  for (const [index, step] of steps.entries()) {
    if (ctx.signal.aborted) return { kind: "interrupted", step: step.title };
    ctx.stderr.write(`[${index + 1}/${steps.length}] ${step.title}\n`);
    begun.unshift(step);
    try {
      const refusal = await attempt(step);
      const missing = refusal === undefined ? await settle(ctx, store, step, first.tables) : [refusal];
      if (ctx.signal.aborted) return { kind: "interrupted", step: step.title };
      if (missing.length === 0) continue;
      for (const one of begun) {
        ctx.stderr.write(`undo: ${one.title}\n`);
        await one.undo();
      }
      return { kind: "undone", step: step.title, missing };
    } catch (error) {
      ctx.stderr.write(`stopped at: ${step.title}; ${whatNext}\n`);
      throw error;
    }
  }
  return { kind: "done" };
}

/** Why a step was refused, if it was. A datastore that is away is another matter: nothing can be taken back then. */
async function attempt(step: MoveStep): Promise<string | undefined> {
  try {
    await step.apply();
    return undefined;
  } catch (error) {
    if (error instanceof CliError) return error.message;
    throw error;
  }
}

/** Waits until nothing is missing, or gives what is when the time is over. */
async function settle(
  ctx: CliContext,
  store: Store,
  step: MoveStep,
  before: Tables,
): Promise<readonly string[]> {
  const deadline = ctx.now().getTime() + stepMs;
  let goodLooks = 0;
  for (;;) {
    const { known, tables } = await look(store);
    const silent = [...known.intents.keys()].filter((node) => !tables.has(node));
    // What else seems to be missing then follows from that.
    const missing =
      silent.length > 0
        ? silent.map((node) => `${node} does not answer`)
        : [...step.missing(known, tables), ...lostRoutes(before, tables)];
    goodLooks = missing.length === 0 ? goodLooks + 1 : 0;
    if (goodLooks >= looksInRow || ctx.signal.aborted) return [];
    if (ctx.now().getTime() >= deadline) return missing;
    await ctx.sleep(lookAgainMs);
  }
}

async function look(store: Store): Promise<{ readonly known: PlannedCluster; readonly tables: Tables }> {
  const known = await knowCluster(store);
  const question = { method: "route.table", params: {} };
  const tables = await askAll(store, [...known.intents.keys()], question, readRouteTable);
  return { known, tables };
}
