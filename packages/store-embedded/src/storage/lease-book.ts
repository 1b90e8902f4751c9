import { EtcdError, Refusal } from "../etcd-error.ts";
import type { LeaseRecord, Records } from "./records.ts";
import type { WriteQueue } from "./write-queue.ts";

/** etcd's least time to live, one and a half election time-outs rounded up. */
const minTtlSeconds = 2n;
/** etcd's greatest. */
const maxTtlSeconds = 9_000_000_000n;
const expiryCheckMs = 500;

interface Lease extends LeaseRecord {
  /** On the clock of `performance.now()`, which no one sets back. */
  expiresAtMs: number;
  isEnding: boolean;
}

/**
 * The leases and when they end. The time left is not stored: after a restart every lease has its full time again, as in
 * etcd, so that its holder can come back.
 */
export class LeaseBook {
  readonly #queue: WriteQueue;
  readonly #leases = new Map<bigint, Lease>();
  readonly #timer: NodeJS.Timeout;

  constructor(records: Records, queue: WriteQueue) {
    this.#queue = queue;
    for (const record of records.leases()) this.#add(record);
    this.#timer = setInterval(() => this.#expire(), expiryCheckMs);
    this.#timer.unref();
  }

  /** Makes a lease; `id` 0 has one chosen. Returns what was granted. */
  async grant(id: bigint, ttlSeconds: bigint): Promise<LeaseRecord> {
    if (ttlSeconds > maxTtlSeconds) throw new EtcdError(Refusal.leaseTooLong);
    const granted = ttlSeconds < minTtlSeconds ? minTtlSeconds : ttlSeconds;
    const record = await this.#queue.run(({ records }) => {
      const chosen = id === 0n ? this.#freeId() : id;
      if (records.hasLease(chosen)) throw new EtcdError(Refusal.leaseExists);
      const lease = { id: chosen, ttlSeconds: granted };
      records.addLease(lease);
      return lease;
    });
    this.#add(record);
    return record;
  }

  /** Ends a lease and deletes its keys, in one revision. Returns the store's revision. */
  async revoke(id: bigint): Promise<bigint> {
    const revision = await this.#queue.run((write) => {
      if (!write.records.hasLease(id)) throw new EtcdError(Refusal.leaseNotFound);
      write.deleteKeysOfLease(id);
      write.records.removeLease(id);
      return write.revision;
    });
    this.#leases.delete(id);
    return revision;
  }

  /** Gives a lease its full time again; returns that, or `undefined` when there is no such lease. */
  keepAlive(id: bigint): bigint | undefined {
    const lease = this.#leases.get(id);
    if (lease === undefined || lease.isEnding) return undefined;
    lease.expiresAtMs = deadline(lease);
    return lease.ttlSeconds;
  }

  /** Whole seconds left, and granted. */
  timeToLive(id: bigint): { readonly left: bigint; readonly granted: bigint } | undefined {
    const lease = this.#leases.get(id);
    if (lease === undefined) return undefined;
    const leftMs = Math.max(0, lease.expiresAtMs - performance.now());
    return { left: BigInt(Math.floor(leftMs / 1000)), granted: lease.ttlSeconds };
  }

  /** Ids, those that end first first. */
  ids(): readonly bigint[] {
    return [...this.#leases.values()].toSorted((a, b) => a.expiresAtMs - b.expiresAtMs).map(({ id }) => id);
  }

  close(): void {
    clearInterval(this.#timer);
  }

  #add({ id, ttlSeconds }: LeaseRecord): void {
    const lease = { id, ttlSeconds, expiresAtMs: 0, isEnding: false };
    lease.expiresAtMs = deadline(lease);
    this.#leases.set(id, lease);
  }

  #freeId(): bigint {
    for (;;) {
      const [id = 0n] = crypto.getRandomValues(new BigUint64Array(1));
      const positive = BigInt.asUintN(63, id);
      if (positive !== 0n && !this.#leases.has(positive)) return positive;
    }
  }

  #expire(): void {
    const now = performance.now();
    for (const lease of this.#leases.values()) {
      if (lease.isEnding || lease.expiresAtMs > now) continue;
      lease.isEnding = true;
      this.revoke(lease.id).catch(() => {
        // The store is closing or cannot write: the next round tries again.
        lease.isEnding = false;
      });
    }
  }
}

function deadline({ ttlSeconds }: LeaseRecord): number {
  return performance.now() + Number(ttlSeconds) * 1000;
}
