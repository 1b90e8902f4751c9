import type { Fields, ResponseHeaderSchema } from "@caracal/etcd-api";
import { WatchHub } from "./watch/watch-hub.ts";
import { Compactor } from "./storage/compactor.ts";
import { Database } from "./storage/database.ts";
import { History } from "./storage/history.ts";
import { LeaseBook } from "./storage/lease-book.ts";
import { type MetaName, Records } from "./storage/records.ts";
import { Revisions } from "./storage/revisions.ts";
import { WriteQueue } from "./storage/write-queue.ts";

export type Header = Fields<typeof ResponseHeaderSchema>;

/** A data directory with all that works on it. */
export class EmbeddedStore {
  readonly database: Database;
  readonly history: History;
  readonly revisions: Revisions;
  readonly queue: WriteQueue;
  readonly leases: LeaseBook;
  readonly compactor: Compactor;
  readonly watches: WatchHub;
  readonly clusterId: bigint;
  readonly memberId: bigint;
  /** etcd counts elections; one server counts its starts. */
  readonly term: bigint;

  /** Opens the directory, or makes it. Throws `EmbeddedServerError`. */
  constructor(directory: string, progressIntervalMs: number) {
    this.database = new Database(directory);
    try {
      const records = new Records(this.database);
      this.database.begin();
      this.clusterId = identity(records, "cluster");
      this.memberId = identity(records, "member");
      this.term = (records.meta("starts") ?? 0n) + 1n;
      records.setMeta("starts", this.term);
      this.database.commit();
      this.history = new History(this.database);
      this.revisions = new Revisions(records);
      this.watches = new WatchHub(progressIntervalMs);
      this.queue = new WriteQueue(this.database, this.history, records, this.revisions, ({ changes }) =>
        this.watches.publish(changes),
      );
      this.leases = new LeaseBook(records, this.queue);
      this.compactor = new Compactor(this.queue, this.revisions);
    } catch (error) {
      this.database.close();
      throw error;
    }
    void this.compactor.clean();
  }

  /** The head of an answer given at `revision`. */
  header(revision: bigint = this.revisions.newest): Header {
    return { clusterId: this.clusterId, memberId: this.memberId, revision, raftTerm: this.term };
  }

  /** Finishes what waits and frees the directory. */
  async close(): Promise<void> {
    this.leases.close();
    await this.queue.close();
    this.watches.close();
    this.database.close();
  }
}

/** A random id, kept for the life of the data. */
function identity(records: Records, name: MetaName): bigint {
  const known = records.meta(name);
  if (known !== undefined) return known;
  const [random = 1n] = crypto.getRandomValues(new BigUint64Array(1));
  const id = BigInt.asUintN(63, random) | 1n;
  records.setMeta(name, id);
  return id;
}
