import {
  type Clock,
  type Ruleset,
  type TableNews,
  TableReconciler,
  type TableReconcilerOptions,
  type TableStatus,
} from "@caracal/dataplane";
import type { PacketIntent } from "@caracal/intent";
import { systemClock } from "@caracal/linux";
import type { Log } from "../observe/log.ts";
import type { HealthReport } from "../observe/health.ts";
import { packetTable, packetTableName } from "./packet-table.ts";

export interface PacketFilterOptions {
  readonly ruleset: Ruleset;
  /** How packets are to be treated, or `undefined` while that is not known. */
  readonly intents: () => readonly PacketIntent[] | undefined;
  /** What names of the host side of pods' interfaces begin with. */
  readonly interfacePrefixes: readonly string[];
  /** How often the tables are compared, whatever is told of them. */
  readonly recheckMs?: () => number;
  readonly log: Log;
  /** The machine's own unless told. */
  readonly clock?: Clock;
  readonly limits?: TableReconcilerOptions["limits"];
}

const families = [4, 6] as const;

/** Keeps a node's packet filter as its intent says: a table of nftables a family. */
export class PacketFilter implements Disposable {
  readonly #options: PacketFilterOptions;
  readonly #tables = new Map<4 | 6, TableReconciler>();
  #intents: readonly PacketIntent[] | undefined;
  #isScheduled = false;
  #isStopped = false;

  constructor(options: PacketFilterOptions) {
    this.#options = options;
    const { ruleset, clock = systemClock, limits } = options;
    for (const family of families) {
      const table = new TableReconciler({
        ruleset,
        clock,
        family: family === 4 ? "ip" : "ip6",
        name: packetTableName,
        ...(limits === undefined ? {} : { limits }),
        onNews: (news) => this.#tell(family, news),
      });
      this.#start(table);
      this.#tables.set(family, table);
    }
  }

  /** Looks soon how packets are to be treated; many calls before that make one look. */
  schedule(): void {
    if (this.#isScheduled || this.#isStopped) return;
    this.#isScheduled = true;
    setImmediate(() => {
      this.#isScheduled = false;
      if (!this.#isStopped) this.#look();
    });
  }

  /** How packets are to be treated, as last looked at. */
  get intents(): readonly PacketIntent[] {
    return this.#intents ?? [];
  }

  get status(): readonly (TableStatus & { readonly family: 4 | 6 })[] {
    return [...this.#tables].map(([family, table]) => ({ family, ...table.status }));
  }

  /**
   * Ready when what was wanted first is in the kernel, and as long as nothing fails. A kernel that can never have it keeps the
   * node in service, which says so: what is missing on the host can be brought, another kernel cannot.
   */
  get health(): HealthReport {
    const { status } = this;
    const failed = status.find(({ failure }) => failure !== undefined)?.failure;
    const count = status.filter(({ wanted }) => wanted !== undefined).length;
    const isReady = status.every(({ hasBegun, failure }) =>
      failure === undefined ? hasBegun : failure.reason === "unsupported",
    );
    const detail = failed?.detail ?? (isReady ? `${count} tables` : "the tables are not written yet");
    return { live: true, ready: isReady, detail };
  }

  /** Ends watching; the tables stay. */
  [Symbol.dispose](): void {
    this.#isStopped = true;
    for (const table of this.#tables.values()) table.stop();
  }

  /** A kernel that tells nothing of its nftables is looked at by the clock alone. */
  #start(table: TableReconciler): void {
    try {
      table.start();
    } catch (error) {
      this.#options.log.warn({ err: error }, "changes of nftables are not told by the kernel");
    }
  }

  #look(): void {
    const intents = this.#options.intents();
    if (intents === undefined) return;
    this.#intents = intents;
    const recheckMs = this.#options.recheckMs?.();
    for (const family of families) {
      if (recheckMs !== undefined) this.#tables.get(family)?.recheckEvery(recheckMs);
      const intent = intents.find((one) => one.family === family);
      const table = intent === undefined ? undefined : packetTable(intent, this.#options.interfacePrefixes);
      this.#tables.get(family)?.want(table);
    }
  }

  #tell(family: 4 | 6, news: TableNews): void {
    const { log } = this.#options;
    const table = `${family === 4 ? "ip" : "ip6"} ${packetTableName}`;
    switch (news.kind) {
      case "repaired": {
        const { differences, by } = news;
        const facts = { table, differences, ...(by === undefined ? {} : { by }) };
        log.warn(facts, "somebody else changed our nftables; they are as they should be again");
        return;
      }
      case "failed":
        log.error({ table, reason: news.detail }, "nftables are not as they should be");
        return;
      case "recovered":
        log.info({ table }, "nftables are as they should be");
    }
  }
}
