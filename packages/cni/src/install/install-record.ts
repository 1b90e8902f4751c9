import { basename, join } from "node:path";
import {
  digestOf,
  type FileOwner,
  type HostEntry,
  type HostFile,
  readHostFile,
  removeAllLeftTemporaries,
  removeHostFile,
  removeIfEmpty,
  replaceHostFile,
} from "../host-file.ts";
import { isObject } from "./json-object.ts";

/** Of the plugin's kubeconfig, beside the network configuration. */
export const kubeconfigName = "calico-kubeconfig";

/** What stood in a path before the first installation, and what the last one put there. */
export interface PathRecord {
  readonly path: string;
  /** Digest of what was put there; absent: the file was taken away. */
  readonly installed?: string;
  /** The same without its token, where others may give it a new one. */
  readonly installedForm?: string;
  /** What was there; absent: nothing was. */
  readonly before?: FormerEntry;
}

/** A file or a symbolic link that was replaced; its content is kept under its digest. */
export interface FormerEntry {
  readonly digest: string;
  readonly mode: number;
  /** Absent in records of earlier versions. */
  readonly owner?: FileOwner;
  /** Where a symbolic link led. */
  readonly link?: string;
}

/** An installation's memory is broken: `path` and why. */
export class InstallRecordError extends Error {
  override readonly name = "InstallRecordError";
}

/**
 * The memory of an installation: what was in each path before, with copies, so that `uninstall` can put it back. It is written
 * before a path is touched; killed in between, path and record still tell what is to be done.
 */
export class InstallRecord {
  readonly #directory: string;
  readonly #paths = new Map<string, PathRecord>();

  constructor(directory: string) {
    this.#directory = directory;
    for (const ours of [directory, join(directory, "before")]) removeAllLeftTemporaries(ours);
    const file = readHostFile(this.#file);
    for (const record of file === undefined ? [] : parseRecords(this.#file, file.content.toString())) {
      this.#paths.set(record.path, record);
    }
  }

  /** In the order in which they were first put in place. */
  get paths(): readonly PathRecord[] {
    return [...this.#paths.values()];
  }

  get(path: string): PathRecord | undefined {
    return this.#paths.get(path);
  }

  /** Remembers what is about to be done. `current` is kept as what was before, unless an earlier time is remembered. */
  remember(path: string, installed: Buffer | undefined, current: HostEntry | undefined): void {
    const known = this.#paths.get(path);
    const before = known === undefined ? current && this.#former(current) : known.before;
    this.#paths.set(path, {
      path,
      ...(installed !== undefined && { installed: digestOf(installed), ...formOf(path, installed) }),
      ...(before !== undefined && { before }),
    });
    this.#write();
  }

  /** Keeps a copy, and gives its digest. */
  keep(content: Buffer): string {
    const digest = digestOf(content);
    // Configurations hold tokens and keys.
    replaceHostFile(this.copyPath(digest), { content, mode: 0o600 });
    return digest;
  }

  #former({ content, mode, owner, link }: HostEntry): FormerEntry {
    return { digest: this.keep(content), mode, owner, ...(link !== undefined && { link }) };
  }

  copyPath(digest: string): string {
    return join(this.#directory, "before", digest);
  }

  /** What was there, as it was kept. */
  kept({ digest, mode, owner }: FormerEntry): HostFile {
    const copy = readHostFile(this.copyPath(digest));
    if (copy === undefined || digestOf(copy.content) !== digest) {
      throw new InstallRecordError(
        `the copy ${this.copyPath(digest)} of what was there before is gone or damaged`,
      );
    }
    return { content: copy.content, mode, ...(owner !== undefined && { owner }) };
  }

  /**
   * The path is as it was: its copy goes too, and with the last path all that was remembered. The copy first: who is killed
   * before the rest finds the path as it was, and needs no copy.
   */
  forget(path: string): void {
    const digest = this.#paths.get(path)?.before?.digest;
    this.#paths.delete(path);
    if (digest !== undefined && !this.paths.some(({ before }) => before?.digest === digest)) {
      removeHostFile(this.copyPath(digest));
      removeIfEmpty(join(this.#directory, "before"));
    }
    if (this.#paths.size > 0) this.#write();
    else removeHostFile(this.#file);
  }

  get #file(): string {
    return recordPath(this.#directory);
  }

  #write(): void {
    const text = `${JSON.stringify({ version: 1, paths: this.paths }, undefined, 2)}\n`;
    replaceHostFile(this.#file, { content: Buffer.from(text), mode: 0o600 });
  }
}

/** The file of what is remembered; there is none once all is as it was. */
export function recordPath(directory: string): string {
  return join(directory, "installed.json");
}

/** Digest of a kubeconfig without its token, which the node daemon renews while it runs; of no other file. */
export function formOf(path: string, content: Buffer): { readonly installedForm?: string } {
  if (basename(path) !== kubeconfigName) return {};
  const text = content.toString().replace(/^(\s*token:).*$/m, "$1");
  return { installedForm: digestOf(Buffer.from(text)) };
}

function parseRecords(file: string, text: string): readonly PathRecord[] {
  const broken = (why: string): InstallRecordError =>
    new InstallRecordError(
      `${file} ${why}: nothing was changed; move it away to install without what was before`,
    );
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    throw broken("is not JSON");
  }
  const paths: unknown = isObject(value) && value["version"] === 1 ? value["paths"] : undefined;
  if (!Array.isArray(paths) || !paths.every(isPathRecord)) throw broken("is not a record of this version");
  return paths;
}

function isPathRecord(value: unknown): value is PathRecord {
  if (!isObject(value) || typeof value["path"] !== "string") return false;
  const { installed, installedForm, before } = value;
  return (
    (installedForm === undefined || isDigest(installedForm)) &&
    (installed === undefined || isDigest(installed)) &&
    (before === undefined || isFormerEntry(before))
  );
}

function isFormerEntry(value: unknown): value is FormerEntry {
  if (!isObject(value)) return false;
  const { digest, mode, owner, link } = value;
  const isOwner =
    owner === undefined ||
    (isObject(owner) && Number.isInteger(owner["uid"]) && Number.isInteger(owner["gid"]));
  return (
    isDigest(digest) && Number.isInteger(mode) && isOwner && (link === undefined || typeof link === "string")
  );
}

function isDigest(value: unknown): value is string {
  return typeof value === "string" && /^[0-9a-f]{64}$/.test(value);
}
