import type { StatementSync } from "node:sqlite";
import type { KeyRange } from "../key-range.ts";
import type { Database } from "./database.ts";
import { asRow, asRows, bytesAt, integerAt, type Row } from "./row.ts";

/** What a key is without its value. Version 0 is a delete. */
export interface EntryMeta {
  readonly createRevision: bigint;
  readonly modRevision: bigint;
  readonly version: bigint;
  readonly lease: bigint;
}

/** A key and its value at some revision: the fields of etcd's `KeyValue`. */
export interface StoredValue extends EntryMeta {
  readonly key: Uint8Array;
  readonly value: Uint8Array;
}

/** What is there now, and where its value is. */
export interface LiveEntry extends EntryMeta {
  readonly key: Uint8Array;
  /** Of its last change. */
  readonly changeId: bigint;
}

/** A statement for ranges with an end, and one for ranges without. */
interface RangeStatement {
  readonly bounded: StatementSync;
  readonly open: StatementSync;
}

const unlimited = -1n;
const noValue = new Uint8Array(0);

/** The keys and all their changes, in SQL. It knows no rules: the caller says what a change is. */
export class History {
  readonly #liveGet: StatementSync;
  readonly #livePut: StatementSync;
  readonly #liveDelete: StatementSync;
  readonly #liveList: RangeStatement;
  readonly #liveCount: RangeStatement;
  readonly #liveOfLease: StatementSync;
  readonly #listNow: RangeStatement;
  readonly #listThen: RangeStatement;
  readonly #countThen: RangeStatement;
  readonly #changeAdd: StatementSync;
  readonly #changeValue: StatementSync;
  readonly #changeBefore: StatementSync;
  readonly #changes: RangeStatement;
  readonly #windowEnd: StatementSync;
  readonly #removeGarbage: StatementSync;

  constructor(database: Database) {
    const prepare = (sql: string): StatementSync => database.prepare(sql);
    const ranged = (sql: (inRange: string) => string): RangeStatement => ({
      bounded: prepare(sql("key >= ? AND key < ?")),
      open: prepare(sql("key >= ?")),
    });
    const meta = "created, mod, version, lease";
    this.#liveGet = prepare(`SELECT key, id, ${meta} FROM live WHERE key = ?`);
    this.#livePut = prepare(`INSERT OR REPLACE INTO live (key, id, ${meta}) VALUES (?, ?, ?, ?, ?, ?)`);
    this.#liveDelete = prepare("DELETE FROM live WHERE key = ?");
    this.#liveList = ranged(
      (range) => `SELECT key, id, ${meta} FROM live WHERE ${range} ORDER BY key LIMIT ?`,
    );
    this.#liveCount = ranged((range) => `SELECT count(*) FROM live WHERE ${range}`);
    this.#liveOfLease = prepare("SELECT key FROM live WHERE lease = ? AND lease <> 0 ORDER BY key");
    this.#listNow = ranged(
      (range) =>
        `SELECT l.key, l.created, l.mod, l.version, l.lease, c.value
         FROM (SELECT * FROM live WHERE ${range} ORDER BY key LIMIT ?) l CROSS JOIN change c ON c.id = l.id`,
    );
    // What a key was at a revision is its last change up to then.
    const then = (columns: string, range: string): string =>
      `SELECT ${columns} FROM change WHERE ${range} AND version > 0 AND mod =
         (SELECT max(later.mod) FROM change later WHERE later.key = change.key AND later.mod <= ?)`;
    this.#listThen = ranged((range) => `${then(`key, ${meta}, value`, range)} ORDER BY key LIMIT ?`);
    this.#countThen = ranged((range) => then("count(*)", range));
    this.#changeAdd = prepare(`INSERT INTO change (key, ${meta}, value) VALUES (?, ?, ?, ?, ?, ?)`);
    this.#changeValue = prepare("SELECT value FROM change WHERE id = ?");
    this.#changeBefore = prepare(
      `SELECT key, ${meta}, value FROM change WHERE key = ? AND mod < ? ORDER BY mod DESC LIMIT 1`,
    );
    this.#changes = ranged(
      (range) =>
        `SELECT key, ${meta}, value FROM change INDEXED BY change_mod
         WHERE ${range} AND mod >= ? AND mod <= ? ORDER BY mod, id`,
    );
    this.#windowEnd = prepare(
      "SELECT max(id) FROM (SELECT id FROM change WHERE id > ? AND mod <= ? ORDER BY id LIMIT ?)",
    );
    this.#removeGarbage = prepare(
      `DELETE FROM change WHERE id > ? AND id <= ? AND (version = 0 OR EXISTS
         (SELECT 1 FROM change later WHERE later.key = change.key AND later.mod > change.mod AND later.mod <= ?))`,
    );
  }

  live(key: Uint8Array): LiveEntry | undefined {
    const row = asRow(this.#liveGet.get(key));
    return row === undefined ? undefined : liveEntry(row);
  }

  liveInRange(range: KeyRange): readonly LiveEntry[] {
    return list(this.#liveList, range, unlimited).map(liveEntry);
  }

  count(range: KeyRange): bigint {
    return single(this.#liveCount, range);
  }

  countAt(range: KeyRange, revision: bigint): bigint {
    return single(this.#countThen, range, revision);
  }

  /** What is there now, with values; `limit` 0 is no limit. */
  now(range: KeyRange, limit: bigint): StoredValue[] {
    return list(this.#listNow, range, orUnlimited(limit)).map(storedValue);
  }

  /** The same without values, which is cheaper. */
  nowWithoutValues(range: KeyRange, limit: bigint): StoredValue[] {
    const rows = list(this.#liveList, range, orUnlimited(limit));
    return rows.map((row) => ({ ...liveEntry(row), value: noValue }));
  }

  /** What was there at an earlier revision; `limit` 0 is no limit. */
  at(range: KeyRange, revision: bigint, limit: bigint): StoredValue[] {
    return list(this.#listThen, range, revision, orUnlimited(limit)).map(storedValue);
  }

  keysOfLease(lease: bigint): readonly Uint8Array[] {
    return asRows(this.#liveOfLease.all(lease)).map((row) => bytesAt(row, 0));
  }

  /** The value that a change wrote. */
  value(changeId: bigint): Uint8Array {
    const row = asRow(this.#changeValue.get(changeId));
    if (row === undefined) throw new Error(`change ${changeId} is not there`);
    return bytesAt(row, 0);
  }

  /** The last change of a key before a revision. */
  before(key: Uint8Array, revision: bigint): StoredValue | undefined {
    const row = asRow(this.#changeBefore.get(key, revision));
    return row === undefined ? undefined : storedValue(row);
  }

  /** The changes of revisions `first` to `last`, in order. */
  *changes(range: KeyRange, first: bigint, last: bigint): Generator<StoredValue, void, undefined> {
    const { from, to } = range;
    const rows: Iterable<unknown> =
      to === undefined
        ? this.#changes.open.iterate(from, first, last)
        : this.#changes.bounded.iterate(from, to, first, last);
    for (const row of rows) {
      const values = asRow(row);
      if (values !== undefined) yield storedValue(values);
    }
  }

  /** Makes `change` the last change of its key. */
  append(change: StoredValue): void {
    const { key, createRevision, modRevision, version, lease, value } = change;
    const meta = [createRevision, modRevision, version, lease] as const;
    const { lastInsertRowid } = this.#changeAdd.run(key, ...meta, value);
    if (version === 0n) this.#liveDelete.run(key);
    else this.#livePut.run(key, lastInsertRowid, ...meta);
  }

  /**
   * Looks at up to `count` changes behind change `after`, and removes those that no revision from `revision` on needs.
   * Returns the last change looked at, or `undefined` when there was none. Older changes go before newer ones, so that
   * a delete never goes before what it deleted.
   */
  removeGarbage(revision: bigint, after: bigint, count: number): bigint | undefined {
    const end = asRow(this.#windowEnd.get(after, revision, count))?.[0];
    if (typeof end !== "bigint") return undefined;
    this.#removeGarbage.run(after, end, revision);
    return end;
  }
}

function orUnlimited(limit: bigint): bigint {
  return limit === 0n ? unlimited : limit;
}

function list(statement: RangeStatement, { from, to }: KeyRange, ...rest: readonly bigint[]): readonly Row[] {
  return asRows(
    to === undefined ? statement.open.all(from, ...rest) : statement.bounded.all(from, to, ...rest),
  );
}

function single(statement: RangeStatement, range: KeyRange, ...rest: readonly bigint[]): bigint {
  const [row] = list(statement, range, ...rest);
  return row === undefined ? 0n : integerAt(row, 0);
}

function storedValue(row: Row): StoredValue {
  return {
    key: bytesAt(row, 0),
    createRevision: integerAt(row, 1),
    modRevision: integerAt(row, 2),
    version: integerAt(row, 3),
    lease: integerAt(row, 4),
    value: bytesAt(row, 5),
  };
}

function liveEntry(row: Row): LiveEntry {
  return {
    key: bytesAt(row, 0),
    changeId: integerAt(row, 1),
    createRevision: integerAt(row, 2),
    modRevision: integerAt(row, 3),
    version: integerAt(row, 4),
    lease: integerAt(row, 5),
  };
}
