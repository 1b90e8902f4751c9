import { messageOf } from "@caracal/net";
import type { Clock } from "../clock.ts";
import { backoffMs } from "../retry-book.ts";
import { compareTable, type KnownRules, learnRules } from "./compare-table.ts";
import { changeScript, dropScript, ruleText, wholeScript } from "./nft-script.ts";
import type { NftFamily, NftTable } from "./nft-table.ts";
import type { ListOutcome, Ruleset, RulesetAuthor, RulesetFailure, RulesetNotice } from "./ruleset.ts";

/** Bounds and rhythms of a table's reconciler. */
export interface TableReconcilerLimits {
  /** The table is looked at at least this often. */
  readonly recheckMs: number;
  /** How long news are gathered before they cause a look. */
  readonly noticeDelayMs: number;
  /** Waiting time after the first failure, doubling up to `retryMaxMs`; repairs that follow each other wait by it, too. */
  readonly retryMinMs: number;
  readonly retryMaxMs: number;
  /** So many repairs within `quarrelMs` are made at once; after that somebody else wants the table otherwise. */
  readonly promptRepairs: number;
  readonly quarrelMs: number;
}

const defaultLimits: TableReconcilerLimits = {
  recheckMs: 180_000,
  noticeDelayMs: 50,
  retryMinMs: 500,
  retryMaxMs: 30_000,
  promptRepairs: 5,
  quarrelMs: 60_000,
};

/** Looks after lost news take at most this share of the time, however many are lost. */
const lookTimeShare = 1 / 5;

export interface TableReconcilerOptions {
  readonly ruleset: Ruleset;
  readonly clock: Clock;
  readonly family: NftFamily;
  readonly name: string;
  readonly limits?: Partial<TableReconcilerLimits>;
  readonly onNews?: (news: TableNews) => void;
}

/** What happened to a table. */
export type TableNews =
  /** Somebody else changed it; now it is as it should be again. */
  | { readonly kind: "repaired"; readonly differences: readonly string[]; readonly by?: RulesetAuthor }
  | { readonly kind: "failed"; readonly reason: RulesetFailure["reason"]; readonly detail: string }
  /** The first success after failures. */
  | { readonly kind: "recovered" };

export interface TableStatus {
  /** The kernel has what is wanted, as far as is known. */
  readonly isReady: boolean;
  /** The kernel has had what was wanted at least once. */
  readonly hasBegun: boolean;
  /** Nothing is left to do now. */
  readonly isSettled: boolean;
  /** The table that is wanted, if one is. */
  readonly wanted?: NftTable;
  /** How often it was put back after others had changed it. */
  readonly repairCount: number;
  readonly failure?: Pick<RulesetFailure, "reason" | "detail">;
}

/** What is in the kernel, as far as we know. */
type Known = { readonly kind: "unknown" } | { readonly kind: "known"; readonly table: NftTable | undefined };

/**
 * Keeps one table of nftables as it is wanted: by small transactions while only it changes it, by a whole one when anybody
 * else did, after a failure and at the start. What is told decides nothing but when to look.
 */
export class TableReconciler {
  readonly #options: TableReconcilerOptions;
  #limits: TableReconcilerLimits;
  #wanted: { readonly table: NftTable | undefined } | undefined;
  #known: Known = { kind: "unknown" };
  #rules: KnownRules = new Map();
  /** Somebody else changed the table since the last look, or may have. */
  #suspicion: { readonly isTold: boolean; readonly by: RulesetAuthor | undefined } | undefined;
  #lookAt = Infinity;
  #lastLookMs = 0;
  #retryAt: number | undefined;
  #failures = 0;
  #failure: RulesetFailure | undefined;
  #repairs: number[] = [];
  #repairCount = 0;
  #hasBegun = false;
  #isBusy = false;
  #isStopped = false;
  #callOff: (() => void) | undefined;
  #unsubscribe: (() => void) | undefined;
  #waiters: (() => void)[] = [];

  constructor(options: TableReconcilerOptions) {
    this.#options = options;
    this.#limits = { ...defaultLimits, ...options.limits };
  }

  /** Begins to watch. Nothing is changed before the first wish. */
  start(): void {
    this.#unsubscribe = this.#options.ruleset.subscribe((notice) => this.#hear(notice));
  }

  /** Ends watching. The table stays. */
  stop(): void {
    this.#isStopped = true;
    this.#callOff?.();
    this.#unsubscribe?.();
    this.#tellWaiters();
  }

  /** The table is to be like this, or not to be. */
  want(table: NftTable | undefined): void {
    this.#wanted = { table };
    // A new wish is tried at once, whatever became of the old one.
    this.#retryAt = undefined;
    this.#wake();
  }

  /** The table is looked at so often from now on; `Infinity` leaves it to news. */
  recheckEvery(recheckMs: number): void {
    if (recheckMs === this.#limits.recheckMs) return;
    this.#limits = { ...this.#limits, recheckMs };
    // What is due sooner, by news or after a failure, stays so.
    const nextAt = this.#options.clock.now() + recheckMs;
    if (this.#suspicion === undefined && this.#known.kind === "known") this.#lookAt = nextAt;
    this.#wake();
  }

  get status(): TableStatus {
    const isSettled = !this.#isBusy && this.#dueAt() > this.#options.clock.now();
    const wanted = this.#wanted?.table;
    return {
      isReady: isSettled && this.#isAsWanted(),
      hasBegun: this.#hasBegun,
      isSettled,
      ...(wanted === undefined ? {} : { wanted }),
      repairCount: this.#repairCount,
      ...(this.#failure === undefined
        ? {}
        : { failure: { reason: this.#failure.reason, detail: this.#failure.detail } }),
    };
  }

  /** Waits until what is wanted now was tried. Also ends when the reconciler stops. */
  async settled(): Promise<TableStatus> {
    while (!this.#isStopped && !this.status.isSettled) {
      await new Promise<void>((resolve) => this.#waiters.push(resolve));
    }
    return this.status;
  }

  #isAsWanted(): boolean {
    return (
      this.#wanted !== undefined &&
      this.#failure === undefined &&
      this.#suspicion === undefined &&
      this.#known.kind === "known" &&
      this.#known.table === this.#wanted.table
    );
  }

  #hear(notice: RulesetNotice): void {
    const { family, name } = this.#options;
    const { clock } = this.#options;
    let pauseMs = this.#repairPauseMs();
    if (notice.kind === "overrun") {
      this.#suspicion ??= { isTold: false, by: undefined };
      // Others may change so much that news are lost again and again.
      pauseMs = Math.max(pauseMs, this.#lastLookMs * (1 / lookTimeShare - 1));
    } else if (notice.tables.some((table) => table.family === family && table.name === name))
      this.#suspicion = { isTold: true, by: notice.by };
    else return;
    this.#lookAt = Math.min(this.#lookAt, clock.now() + pauseMs);
    this.#wake();
  }

  /** Repairs come at once, unless there were many lately. */
  #repairPauseMs(): number {
    const { quarrelMs, promptRepairs, noticeDelayMs, retryMinMs, retryMaxMs } = this.#limits;
    const now = this.#options.clock.now();
    this.#repairs = this.#repairs.filter((at) => now - at < quarrelMs);
    const excess = this.#repairs.length - promptRepairs;
    return excess < 0 ? noticeDelayMs : backoffMs(excess + 1, retryMinMs, retryMaxMs);
  }

  #dueAt(): number {
    if (this.#wanted === undefined) return Infinity;
    if (this.#retryAt !== undefined) return this.#retryAt;
    const isNew = this.#known.kind === "unknown" || this.#known.table !== this.#wanted.table;
    return isNew && this.#suspicion === undefined ? -Infinity : this.#lookAt;
  }

  #wake(): void {
    if (this.#isStopped || this.#isBusy) return;
    this.#callOff?.();
    const dueAt = this.#dueAt();
    if (dueAt === Infinity) return;
    const now = this.#options.clock.now();
    this.#callOff = this.#options.clock.after(Math.ceil(Math.max(0, dueAt - now)), () => void this.#pass());
  }

  async #pass(): Promise<void> {
    const { clock } = this.#options;
    if (this.#isBusy || this.#isStopped || this.#wanted === undefined) return;
    this.#isBusy = true;
    const { table } = this.#wanted;
    const isLook = this.#lookAt <= clock.now() || this.#suspicion !== undefined;
    let failure: RulesetFailure | undefined;
    try {
      failure = await this.#reconcile(table, isLook);
    } catch (error) {
      const detail = messageOf(error);
      failure = { kind: "failed", reason: "broken", detail };
    }
    this.#conclude(failure);
    this.#isBusy = false;
    this.#wake();
    this.#tellWaiters();
  }

  #conclude(failure: RulesetFailure | undefined): void {
    const { clock, onNews } = this.#options;
    const { retryMinMs, retryMaxMs, recheckMs } = this.#limits;
    const before = this.#failure;
    this.#failure = failure;
    if (failure === undefined) {
      this.#hasBegun = true;
      this.#failures = 0;
      this.#retryAt = undefined;
      this.#lookAt =
        this.#suspicion === undefined ? clock.now() + recheckMs : clock.now() + this.#repairPauseMs();
      if (before !== undefined) onNews?.({ kind: "recovered" });
      return;
    }
    this.#failures += 1;
    this.#known = { kind: "unknown" };
    this.#retryAt = clock.now() + backoffMs(this.#failures, retryMinMs, retryMaxMs);
    const { reason, detail } = failure;
    if (before?.detail !== detail) onNews?.({ kind: "failed", reason, detail });
  }

  async #reconcile(table: NftTable | undefined, isLook: boolean): Promise<RulesetFailure | undefined> {
    const known = this.#known;
    if (known.kind === "unknown") return await this.#begin(table);
    if (!isLook) return await this.#change(known.table, table);
    const suspicion = this.#suspicion;
    this.#suspicion = undefined;
    // Where we have nothing, there is nothing to put back.
    if (known.table === undefined) return table === undefined ? undefined : await this.#write(table, true);
    const startedAt = this.#options.clock.now();
    const listed = await this.#list();
    this.#lastLookMs = this.#options.clock.now() - startedAt;
    if (listed.kind === "failed") return listed;
    const differences = compareTable(known.table, listed.table, this.#rules);
    // Told of a change without a difference, we may have learned from a table that was no longer ours alone.
    const isOurs = differences.length === 0 && suspicion?.isTold !== true;
    if (isOurs) return await this.#change(known.table, table);
    const failure = await this.#write(table, listed.table !== undefined);
    if (failure === undefined && differences.length > 0) {
      this.#repairs.push(this.#options.clock.now());
      this.#repairCount += 1;
      const by = suspicion?.by;
      this.#options.onNews?.({ kind: "repaired", differences, ...(by === undefined ? {} : { by }) });
    }
    return failure;
  }

  /** What an earlier run left is written over as a whole: nobody knows what others did to it meanwhile. */
  async #begin(table: NftTable | undefined): Promise<RulesetFailure | undefined> {
    this.#suspicion = undefined;
    if (table !== undefined) return await this.#write(table, true);
    const listed = await this.#list();
    // Without nftables there is no way in which we could have left anything.
    if (listed.kind === "failed" && !["missing", "unsupported"].includes(listed.reason)) return listed;
    return await this.#write(undefined, listed.kind === "listed" && listed.table !== undefined);
  }

  async #change(
    before: NftTable | undefined,
    table: NftTable | undefined,
  ): Promise<RulesetFailure | undefined> {
    if (before === undefined || table === undefined) return await this.#write(table, before !== undefined);
    const script = changeScript(before, table);
    if (script !== "") {
      const outcome = await this.#options.ruleset.apply(script);
      // What we took for granted is not so: somebody was faster than the news of it.
      if (outcome.kind === "failed") return await this.#write(table, true);
    }
    this.#known = { kind: "known", table };
    const isLearned = table.chains.every(({ rules }) =>
      rules.every((rule) => this.#rules.has(ruleText(rule))),
    );
    return isLearned ? undefined : await this.#learn(table);
  }

  async #write(table: NftTable | undefined, isThere: boolean): Promise<RulesetFailure | undefined> {
    if (table !== undefined || isThere) {
      const script = table === undefined ? dropScript(this.#options) : wholeScript(table);
      const outcome = await this.#options.ruleset.apply(script);
      if (outcome.kind === "failed") return outcome;
    }
    this.#known = { kind: "known", table };
    return table === undefined ? undefined : await this.#learn(table);
  }

  /** Reads back what was written. */
  async #learn(table: NftTable): Promise<RulesetFailure | undefined> {
    const listed = await this.#list();
    if (listed.kind === "failed") return listed;
    // Compared without what was learned before: another release of nft may show it otherwise.
    const [difference] = compareTable(table, listed.table, new Map());
    // Somebody came in between; the news of it, or the next attempt, brings things in order.
    if (difference !== undefined || listed.table === undefined)
      return { kind: "failed", reason: "broken", detail: `read back after writing: ${difference ?? "gone"}` };
    this.#rules = learnRules(table, listed.table);
    return undefined;
  }

  #list(): Promise<ListOutcome> {
    const { ruleset, family, name } = this.#options;
    return ruleset.list(family, name);
  }

  #tellWaiters(): void {
    const waiters = this.#waiters;
    this.#waiters = [];
    for (const tell of waiters) tell();
  }
}
