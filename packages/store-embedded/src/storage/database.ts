import { closeSync, fdatasyncSync, fsyncSync, mkdirSync, openSync, statfsSync } from "node:fs";
import { join } from "node:path";
import { DatabaseSync, type StatementSync } from "node:sqlite";
import { EmbeddedServerError, reasonOf } from "../embedded-server-error.ts";

/** Written into the file, so that no other program's database is mistaken for ours ("CRCL"). */
const applicationId = 0x4352434c;
const schemaVersion = 1;
const fileName = "store.db";
const cacheKibibytes = 65_536;

/**
 * Every change that made a revision is a row of `change`, in the order of their ids; version 0 is a delete. `live` holds
 * what is there now, with the id of its last change.
 */
const schema = `
  CREATE TABLE change (
    id INTEGER PRIMARY KEY,
    mod INTEGER NOT NULL,
    key BLOB NOT NULL,
    created INTEGER NOT NULL,
    version INTEGER NOT NULL,
    lease INTEGER NOT NULL,
    value BLOB NOT NULL
  ) STRICT;
  CREATE INDEX change_mod ON change (mod);
  CREATE INDEX change_key ON change (key, mod);
  CREATE TABLE live (
    key BLOB PRIMARY KEY,
    id INTEGER NOT NULL,
    mod INTEGER NOT NULL,
    created INTEGER NOT NULL,
    version INTEGER NOT NULL,
    lease INTEGER NOT NULL
  ) STRICT, WITHOUT ROWID;
  CREATE INDEX live_lease ON live (lease) WHERE lease <> 0;
  CREATE TABLE lease (id INTEGER PRIMARY KEY, ttl INTEGER NOT NULL) STRICT;
  CREATE TABLE meta (name TEXT PRIMARY KEY, value INTEGER NOT NULL) STRICT, WITHOUT ROWID;
`;

/** Less room than this on the disk, and the next commits may find none: some pages and their log. */
const leastRoomBytes = 65_536;
/** SQLite's result code for a disk that is full, SQLITE_FULL. */
const sqliteFull = 13;

/** The SQLite file of one data directory, held for this process alone. */
export class Database {
  readonly #sqlite: DatabaseSync;
  readonly #begin: StatementSync;
  readonly #commit: StatementSync;
  /** The write-ahead log, where commits are flushed. */
  readonly #log: number;
  readonly #directory: string;
  #failure: unknown;

  /** Opens or makes `store.db`. A directory that another server holds is an `EmbeddedServerError`. */
  constructor(directory: string) {
    this.#directory = directory;
    try {
      mkdirSync(directory, { recursive: true, mode: 0o700 });
      this.#sqlite = new DatabaseSync(join(directory, fileName), { timeout: 0 });
    } catch (cause) {
      const message = `cannot open the data directory ${directory}: ${reasonOf(cause)}`;
      throw new EmbeddedServerError("unreadable", message, { cause });
    }
    try {
      this.#open(directory);
      // Even these report the last row id, which may be a lease's and needs a bigint.
      this.#begin = this.prepare("BEGIN IMMEDIATE");
      this.#commit = this.prepare("COMMIT");
      this.#log = openLog(directory);
    } catch (error) {
      this.#sqlite.close();
      throw explain(error, directory);
    }
  }

  /** A statement that returns rows as arrays and integers as `bigint`. */
  prepare(sql: string): StatementSync {
    const statement = this.#sqlite.prepare(sql);
    statement.setReadBigInts(true);
    statement.setReturnArrays(true);
    return statement;
  }

  begin(): void {
    // After a failed flush nobody knows what is on the disk: nothing more is promised.
    if (this.#failure !== undefined) throw new Error("the disk failed", { cause: this.#failure });
    this.#begin.run();
  }

  /** When this returns, what was written since `begin` is on the disk. */
  commit(): void {
    this.#commit.run();
    try {
      fdatasyncSync(this.#log);
    } catch (error) {
      this.#failure = error;
      throw error;
    }
  }

  rollback(): void {
    if (this.#sqlite.isTransaction) this.#sqlite.exec("ROLLBACK");
  }

  /** Bytes of the file, and how many of them are not free. */
  size(): { readonly total: bigint; readonly used: bigint } {
    const pragma = (name: string): bigint => BigInt(Number(this.#pragma(name)));
    const page = pragma("page_size");
    const pages = pragma("page_count");
    return { total: page * pages, used: page * (pages - pragma("freelist_count")) };
  }

  /** Whether there is room on the disk for what may be written next. */
  get hasRoom(): boolean {
    const { bavail, bsize } = statfsSync(this.#directory);
    return bavail * bsize >= leastRoomBytes;
  }

  /** Gives free space back to the file system. */
  defragment(): void {
    this.#sqlite.exec("VACUUM");
    this.#sqlite.exec("PRAGMA wal_checkpoint(TRUNCATE)");
  }

  close(): void {
    closeSync(this.#log);
    this.#sqlite.close();
  }

  #open(directory: string): void {
    // The exclusive mode is the lock of the data directory: the kernel frees it however the process ends.
    this.#sqlite.exec("PRAGMA locking_mode = EXCLUSIVE");
    this.#sqlite.exec("PRAGMA journal_mode = WAL");
    // SQLite flushes at checkpoints, `commit` flushes the log: SQLite would flush its time stamp too, which on a busy
    // file system takes ten times as long.
    this.#sqlite.exec("PRAGMA synchronous = NORMAL");
    this.#sqlite.exec(`PRAGMA cache_size = -${cacheKibibytes}`);
    this.#sqlite.exec("BEGIN EXCLUSIVE");
    const owner = Number(this.#pragma("application_id"));
    const version = Number(this.#pragma("user_version"));
    if (owner === 0 && version === 0 && Number(this.#pragma("page_count")) <= 1) {
      this.#sqlite.exec(schema);
      this.#sqlite.exec(`PRAGMA application_id = ${applicationId}`);
    } else if (owner !== applicationId || version !== schemaVersion) {
      throw new EmbeddedServerError("unreadable", `${directory} holds no store of this version`);
    }
    // Makes the log's file, whatever else was written.
    this.#sqlite.exec(`PRAGMA user_version = ${schemaVersion}`);
    this.#sqlite.exec("COMMIT");
  }

  #pragma(name: string): unknown {
    return this.#sqlite.prepare(`PRAGMA ${name}`).get()?.[name];
  }
}

/** Opens the write-ahead log, and makes sure that its name survives too. It holds no lock that closing it would drop. */
function openLog(directory: string): number {
  const log = openSync(join(directory, `${fileName}-wal`), "r");
  fsyncSync(log);
  const parent = openSync(directory, "r");
  fsyncSync(parent);
  closeSync(parent);
  return log;
}

/** Whether a write failed because the disk is full. */
export function isDiskFull(error: unknown): boolean {
  if (!(error instanceof Error)) return false;
  return "errcode" in error ? error.errcode === sqliteFull : "code" in error && error.code === "ENOSPC";
}

const sqliteBusy = 5;

function explain(error: unknown, directory: string): EmbeddedServerError {
  if (error instanceof EmbeddedServerError) return error;
  if (error instanceof Error && "errcode" in error && error.errcode === sqliteBusy) {
    const message = `the data directory ${directory} is in use by another server`;
    return new EmbeddedServerError("directoryInUse", message, { cause: error });
  }
  const message = `cannot read the store in ${directory}: ${reasonOf(error)}`;
  return new EmbeddedServerError("unreadable", message, { cause: error });
}
