import { messageOf } from "@caracal/net";
import type { Change } from "@caracal/netlink";
import type { Clock } from "./clock.ts";
import { type DesiredRoute, isAsWanted, resolveRoute, type RouteKey, routeKey } from "./desired-route.ts";
import { DesiredTable, type RouteSource } from "./desired-table.ts";
import type { Kernel, KernelNotice, RouteOutcome } from "./kernel.ts";
import { LinkTable } from "./link-table.ts";
import { type PlannedOperation, planRoutes, type RouteConflict, type RouteSlot } from "./plan-routes.ts";
import { type NewsEffect, readNews } from "./read-news.ts";
import { backoffMs, RetryBook } from "./retry-book.ts";
import type { RouteOwnership } from "./route-ownership.ts";
import { RouteMirror } from "./route-mirror.ts";

/** Bounds and rhythms of a reconciler. */
export interface RouteReconcilerLimits {
  /** A full dump is taken at least this often. */
  readonly resyncMs: number;
  /** How long news are gathered before they cause a full dump. */
  readonly noticeDelayMs: number;
  /** Waiting time after the first failure of a route or a dump, doubling up to `retryMaxMs`. */
  readonly retryMinMs: number;
  readonly retryMaxMs: number;
  /** Operations handed to the kernel at a time. */
  readonly operationsPerApply: number;
  /** News kept while busy; more are given up for a dump. */
  readonly newsMax: number;
}

const defaultLimits: RouteReconcilerLimits = {
  resyncMs: 90_000,
  noticeDelayMs: 100,
  retryMinMs: 500,
  retryMaxMs: 30_000,
  operationsPerApply: 4096,
  newsMax: 100_000,
};

/** Dumps after news take at most this share of the time, however many news there are. */
const dumpTimeShare = 1 / 5;

export interface RouteReconcilerOptions {
  readonly kernel: Kernel;
  readonly clock: Clock;
  /** In order of precedence. */
  readonly sources: readonly RouteSource[];
  readonly limits?: Partial<RouteReconcilerLimits>;
  /** Called when the status changed. */
  readonly onStatus?: (status: RouteStatus) => void;
}

/** A wanted route that is not in the kernel although it was tried. */
export interface RouteFailure {
  readonly key: RouteKey;
  readonly errno: string;
  readonly detail: string;
  readonly attempts: number;
}

export interface RouteStatus {
  /** The kernel has exactly what is wanted. */
  readonly ready: boolean;
  /** Nothing is left to do now; what is listed below waits for time or for a change. */
  readonly settled: boolean;
  readonly wantedCount: number;
  readonly failures: readonly RouteFailure[];
  /** Wanted routes whose interface does not exist yet. */
  readonly waiting: readonly { readonly key: RouteKey; readonly interfaceName: string }[];
  readonly conflicts: readonly RouteConflict[];
  /** Why the last dump or apply failed as a whole; absent after a dump that succeeded. */
  readonly kernelFailure?: string;
}

/**
 * Makes the kernel's routes those that its sources want, and keeps them so. It touches only routes that a source owns.
 * Level, not edge: a full dump starts it and comes back on a timer, after lost news and after anything unexpected;
 * in between it works from what it knows, so that a small change costs little.
 */
export class RouteReconciler {
  readonly #kernel: Kernel;
  readonly #clock: Clock;
  readonly #limits: RouteReconcilerLimits;
  readonly #onStatus: ((status: RouteStatus) => void) | undefined;
  readonly #desired: DesiredTable;
  readonly #retries: RetryBook<RouteKey>;
  readonly #waiting = new Map<RouteKey, string>();
  readonly #conflicts = new Map<RouteKey, RouteConflict>();
  #links = new LinkTable();
  #mirror: RouteMirror | undefined;
  #dirty = new Set<RouteKey>();
  /** News that came during a pass, which works on what was known before. */
  #news: Change[] = [];
  #busy = false;
  #started = false;
  #stopped = false;
  #startedAt = 0;
  #dumpAt = 0;
  #resyncMs: number;
  /** What is known does not hold: nothing is settled before the next dump. */
  #stale = true;
  #lastDumpMs = 0;
  #kernelFailures = 0;
  #kernelFailure: string | undefined;
  #callOff: (() => void) | undefined;
  #unsubscribe: (() => void) | undefined;
  #listeners: (() => void)[] = [];

  constructor(options: RouteReconcilerOptions) {
    this.#kernel = options.kernel;
    this.#clock = options.clock;
    this.#limits = { ...defaultLimits, ...options.limits };
    this.#resyncMs = this.#limits.resyncMs;
    this.#onStatus = options.onStatus;
    this.#desired = new DesiredTable(options.sources);
    this.#retries = new RetryBook(this.#limits.retryMinMs, this.#limits.retryMaxMs);
  }

  /** Begins to watch and to change the kernel. Graces count from here. */
  start(): void {
    if (this.#started) return;
    this.#started = true;
    this.#startedAt = this.#clock.now();
    this.#dumpAt = this.#startedAt;
    this.#unsubscribe = this.#kernel.subscribe((notice) => this.#hear(notice));
    this.#wake();
  }

  /** Ends watching. Routes stay in the kernel: traffic outlives the daemon. */
  stop(): void {
    this.#stopped = true;
    this.#callOff?.();
    this.#unsubscribe?.();
    this.#tell();
  }

  /** A source's routes are now these and no others. */
  replace(source: string, routes: Iterable<DesiredRoute>): void {
    const before = new Set(this.#desired.keysOf(source));
    for (const route of routes) before.delete(this.#set(source, route));
    for (const key of before) {
      this.#desired.remove(source, key);
      this.#touch(key);
    }
    this.#wake();
  }

  /** A source knows its routes in the kernel by something else from now on; what it wants must be among them. */
  own(source: string, owns: RouteOwnership): void {
    this.#desired.own(source, owns);
    this.#touchAll();
    this.#wake();
  }

  /** Full dumps come at least this often from now on, or as the limits say; `Infinity` leaves it to the kernel's news. */
  resyncEvery(ms: number = this.#limits.resyncMs): void {
    if (ms === this.#resyncMs) return;
    this.#resyncMs = ms;
    this.#dumpAt = Math.min(this.#dumpAt, this.#clock.now() + ms);
    this.#wake();
  }

  /** Some of a source's routes changed. */
  update(source: string, set: Iterable<DesiredRoute>, remove: Iterable<DesiredRoute> = []): void {
    for (const route of remove) {
      const key = routeKey(route);
      if (this.#desired.remove(source, key)) this.#touch(key);
    }
    for (const route of set) this.#set(source, route);
    this.#wake();
  }

  /** What is wanted now, each key once. */
  wanted(): Iterable<DesiredRoute> {
    return this.#desired.routes();
  }

  /** The name of an interface that routes may lead through, as of the last dump. */
  linkName(index: number): string | undefined {
    return this.#links.name(index);
  }

  /** What is wanted now in the place of a route. */
  wantedFor(route: DesiredRoute): DesiredRoute | undefined {
    return this.#desired.at(routeKey(route));
  }

  /** The source has said all it wants: what it owns beyond that is removed from now on. */
  complete(source: string): void {
    if (!this.#desired.complete(source)) return;
    this.#touchAll();
    this.#wake();
  }

  /** Takes a full dump now. */
  resync(): void {
    this.#stale = true;
    this.#dumpAt = Math.min(this.#dumpAt, this.#clock.now());
    this.#wake();
  }

  get status(): RouteStatus {
    const settled = !this.#stale && !this.#busy && this.#nothingDue();
    const failures = [...this.#retries.entries()].map(([key, { errno, detail, attempts }]) => ({
      key,
      errno,
      detail,
      attempts,
    }));
    const blocked = failures.length + this.#waiting.size + this.#conflicts.size;
    return {
      ready: settled && blocked === 0,
      settled,
      wantedCount: this.#desired.size,
      failures,
      waiting: [...this.#waiting].map(([key, interfaceName]) => ({ key, interfaceName })),
      conflicts: [...this.#conflicts.values()],
      ...(this.#kernelFailure === undefined ? {} : { kernelFailure: this.#kernelFailure }),
    };
  }

  /** Waits until all that is wanted now was tried. Also ends when the reconciler stops. */
  async settled(): Promise<RouteStatus> {
    while (!this.#stopped && !this.status.settled) {
      await new Promise<void>((resolve) => this.#listeners.push(resolve));
    }
    return this.status;
  }

  #set(source: string, route: DesiredRoute): RouteKey {
    const { key, changed } = this.#desired.set(source, route);
    if (changed) this.#touch(key);
    return key;
  }

  #touch(key: RouteKey): void {
    this.#dirty.add(key);
    // A new wish is tried at once, whatever became of the old one.
    this.#retries.forget(key);
  }

  #touchAll(): void {
    for (const key of this.#mirror?.keys() ?? []) this.#dirty.add(key);
    for (const key of this.#desired.keys()) this.#dirty.add(key);
  }

  #nothingDue(): boolean {
    const deadline = this.#retries.deadline;
    const now = this.#clock.now();
    return (
      this.#dirty.size === 0 &&
      this.#dumpAt > now &&
      this.#news.length === 0 &&
      !(deadline !== undefined && deadline <= now)
    );
  }

  /** Sets the one timer to when something is next due. */
  #wake(): void {
    if (!this.#started || this.#stopped || this.#busy) return;
    const now = this.#clock.now();
    const graceMs = this.#desired.nextGraceMs;
    const workAt = this.#dirty.size > 0 && this.#mirror !== undefined ? now : Infinity;
    const at = Math.min(
      workAt,
      this.#dumpAt,
      this.#retries.deadline ?? Infinity,
      graceMs === undefined ? Infinity : this.#startedAt + graceMs,
    );
    this.#callOff?.();
    // Whole milliseconds: a wait that rounding made too short would end just before its time, again and again.
    this.#callOff = this.#clock.after(Math.ceil(Math.max(0, at - now)), () => void this.#pass());
  }

  async #pass(): Promise<void> {
    if (this.#busy || this.#stopped) return;
    this.#busy = true;
    try {
      const now = this.#clock.now();
      if (this.#desired.expire(now - this.#startedAt)) this.#touchAll();
      if (this.#dumpAt <= now) await this.#dump();
      if (this.#mirror !== undefined) await this.#reconcile(this.#mirror);
    } catch (error) {
      // What was done is unknown: the next pass begins with a dump.
      this.#stale = true;
      this.#kernelFailures += 1;
      this.#kernelFailure = messageOf(error);
      const { retryMinMs, retryMaxMs } = this.#limits;
      this.#dumpAt = this.#clock.now() + backoffMs(this.#kernelFailures, retryMinMs, retryMaxMs);
    } finally {
      this.#busy = false;
    }
    this.#digest();
    this.#wake();
    this.#tell();
  }

  async #dump(): Promise<void> {
    const startedAt = this.#clock.now();
    // Whoever asks for a dump while this one runs gets another.
    this.#stale = false;
    this.#dumpAt = startedAt + this.#resyncMs;
    const links = new LinkTable(await this.#kernel.dumpLinks());
    const routes = await this.#kernel.dumpRoutes();
    this.#lastDumpMs = this.#clock.now() - startedAt;
    this.#links = links;
    this.#mirror = new RouteMirror(routes.filter((route) => this.#desired.concernsTable(route.table)));
    this.#kernelFailure = undefined;
    this.#kernelFailures = 0;
    this.#waiting.clear();
    this.#conflicts.clear();
    this.#touchAll();
  }

  async #reconcile(mirror: RouteMirror): Promise<void> {
    const now = this.#clock.now();
    const keys = this.#dirty;
    this.#dirty = new Set();
    const due = this.#retries.due(now);
    for (const key of due) keys.add(key);
    const plan = planRoutes(this.#slots(keys, mirror, now), (route) =>
      this.#desired.claim(route, this.#links),
    );
    for (const conflict of plan.conflicts) {
      this.#conflicts.set(conflict.key, conflict);
      this.#retries.forget(conflict.key);
    }
    // What was to be tried again and needs nothing any more would be due for ever.
    const planned = new Set(plan.operations.map(({ key }) => key));
    for (const key of due) if (!planned.has(key)) this.#retries.forget(key);
    const { operationsPerApply } = this.#limits;
    for (let at = 0; at < plan.operations.length; at += operationsPerApply) {
      const part = plan.operations.slice(at, at + operationsPerApply);
      const outcomes = await this.#kernel.applyRoutes(part.map(({ operation }) => operation));
      for (const [index, planned] of part.entries()) this.#absorb(mirror, planned, outcomes[index]);
      if (this.#stopped) return;
    }
  }

  *#slots(keys: Iterable<RouteKey>, mirror: RouteMirror, now: number): Generator<RouteSlot, void, undefined> {
    for (const key of keys) {
      if (this.#retries.isWaiting(key, now)) continue;
      this.#waiting.delete(key);
      this.#conflicts.delete(key);
      const actual = mirror.at(key);
      const desired = this.#desired.at(key);
      if (desired === undefined) {
        yield { key, wanted: undefined, actual };
        continue;
      }
      const wanted = resolveRoute(desired, this.#links);
      if (!("missing" in wanted)) {
        // What is in the kernel already, however it got there, is no failure any more.
        if (actual.some((route) => isAsWanted(wanted, route))) this.#retries.forget(key);
        yield { key, wanted, actual };
        continue;
      }
      // What is there goes on carrying traffic until its successor's interface is there.
      this.#waiting.set(key, wanted.missing);
      this.#retries.forget(key);
    }
  }

  #absorb(
    mirror: RouteMirror,
    { key, operation }: PlannedOperation,
    outcome: RouteOutcome | undefined,
  ): void {
    if (outcome === undefined) throw new RangeError("the kernel port answered with too few outcomes");
    if (outcome.kind === "done" || (operation.kind === "delete" && outcome.errno === "ESRCH")) {
      mirror.done(key, operation);
      this.#retries.forget(key);
      return;
    }
    const { errno, detail } = outcome;
    const now = this.#clock.now();
    this.#retries.fail(key, now, errno, detail);
    // Somebody was there first, and the mirror does not know: look before trying again.
    if (errno === "EEXIST") this.#dumpSoon();
  }

  #hear(notice: KernelNotice): void {
    if (this.#stopped) return;
    if (notice.kind === "overrun") {
      this.resync();
      return;
    }
    for (const change of notice.changes) this.#news.push(change);
    if (this.#news.length > this.#limits.newsMax) {
      this.#news = [];
      this.resync();
    }
    if (this.#busy) return;
    this.#digest();
    this.#wake();
    this.#tell();
  }

  /** Takes news in: most say nothing new or concern nobody here; some make keys dirty, some ask for a dump. */
  #digest(): void {
    const news = this.#news;
    this.#news = [];
    const mirror = this.#mirror;
    if (mirror === undefined) return;
    const known = { mirror, links: this.#links, desired: this.#desired };
    for (const change of news) this.#react(readNews(change, known));
  }

  #react(effect: NewsEffect): void {
    switch (effect.kind) {
      case "none":
        return;
      case "stale":
        this.#dumpSoon();
        return;
      case "installed":
        this.#retries.forget(effect.key);
        return;
      case "chance":
        this.#retries.hasten(this.#clock.now() + this.#limits.noticeDelayMs);
        for (const [key, interfaceName] of this.#waiting) {
          if (interfaceName === effect.interfaceName) this.#touch(key);
        }
    }
  }

  #dumpSoon(): void {
    this.#stale = true;
    const waitMs = Math.max(this.#limits.noticeDelayMs, this.#lastDumpMs / dumpTimeShare);
    this.#dumpAt = Math.min(this.#dumpAt, this.#clock.now() + waitMs);
  }

  #tell(): void {
    const listeners = this.#listeners;
    this.#listeners = [];
    for (const listener of listeners) listener();
    this.#onStatus?.(this.status);
  }
}
