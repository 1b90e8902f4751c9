import type { StatementSync } from "node:sqlite";
import type { Database } from "./database.ts";
import { asRow, asRows, integerAt } from "./row.ts";

/** Numbers that the store keeps about itself. */
export type MetaName = "revision" | "compacted" | "cluster" | "member" | "starts";

/** A lease as it is stored: when it ends is counted anew after a restart. */
export interface LeaseRecord {
  readonly id: bigint;
  readonly ttlSeconds: bigint;
}

/** The small tables: what the store knows of itself, and its leases. */
export class Records {
  readonly #metaGet: StatementSync;
  readonly #metaSet: StatementSync;
  readonly #leaseAll: StatementSync;
  readonly #leaseGet: StatementSync;
  readonly #leaseAdd: StatementSync;
  readonly #leaseRemove: StatementSync;

  constructor(database: Database) {
    this.#metaGet = database.prepare("SELECT value FROM meta WHERE name = ?");
    this.#metaSet = database.prepare("INSERT OR REPLACE INTO meta (name, value) VALUES (?, ?)");
    this.#leaseAll = database.prepare("SELECT id, ttl FROM lease ORDER BY id");
    this.#leaseGet = database.prepare("SELECT id FROM lease WHERE id = ?");
    this.#leaseAdd = database.prepare("INSERT INTO lease (id, ttl) VALUES (?, ?)");
    this.#leaseRemove = database.prepare("DELETE FROM lease WHERE id = ?");
  }

  meta(name: MetaName): bigint | undefined {
    const row = asRow(this.#metaGet.get(name));
    return row === undefined ? undefined : integerAt(row, 0);
  }

  setMeta(name: MetaName, value: bigint): void {
    this.#metaSet.run(name, value);
  }

  leases(): readonly LeaseRecord[] {
    return asRows(this.#leaseAll.all()).map((row) => ({
      id: integerAt(row, 0),
      ttlSeconds: integerAt(row, 1),
    }));
  }

  hasLease(id: bigint): boolean {
    return asRow(this.#leaseGet.get(id)) !== undefined;
  }

  addLease({ id, ttlSeconds }: LeaseRecord): void {
    this.#leaseAdd.run(id, ttlSeconds);
  }

  removeLease(id: bigint): void {
    this.#leaseRemove.run(id);
  }
}
