import { readFileSync, statSync } from "node:fs";
import type { Clock } from "@caracal/dataplane";
import { isRecord, type WorkloadEndpoint } from "@caracal/resources";
import type { Log } from "../observe/log.ts";
import { replaceFileAside } from "../replace-file.ts";

/** More pods than a node has: what is above that is not remembered. */
export const knownPodsMost = 4_096;
/** So many names, each of a namespace and an endpoint at their longest, are less. */
const fileBytesMost = 4 << 20;
/** Changes come in crowds: so long they are gathered. What came in that time is lost with the node's power. */
const gatherMs = 1_000;
/** A disk that is full is tried again after so long. */
const retryMs = 30_000;

export interface KnownPodsOptions {
  readonly path: string;
  readonly clock: Clock;
  readonly log: Log;
}

/**
 * The node's endpoints as the datastore last showed them, by name, and a file of them: after a reboot nothing else on the node
 * tells which pods were there, and their deletions are asked for before the datastore may be back.
 */
export class KnownPods implements AsyncDisposable {
  readonly #options: KnownPodsOptions;
  /** What the file says. */
  #kept: ReadonlySet<string>;
  #endpoints: readonly WorkloadEndpoint[] | undefined;
  #callOff: (() => void) | undefined;
  #writing: Promise<void> = Promise.resolve();
  #hasFailed = false;

  constructor(options: KnownPodsOptions) {
    this.#options = options;
    this.#kept = readNames(options.path);
  }

  /** Whether the datastore showed the endpoint when it was last heard of, be it by an earlier daemon. */
  has(namespace: string, name: string): boolean {
    const key = keyOf(namespace, name);
    return this.#endpoints?.some((endpoint) => nameOf(endpoint) === key) ?? this.#kept.has(key);
  }

  /** All endpoints of the node, as they are in the datastore now. */
  set(endpoints: readonly WorkloadEndpoint[]): void {
    if (endpoints === this.#endpoints) return;
    this.#endpoints = endpoints;
    this.#callOff ??= this.#options.clock.after(gatherMs, () => this.#write());
  }

  /** What is yet to be written is. */
  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#callOff !== undefined) this.#write();
    await this.#writing;
    this.#callOff?.();
  }

  #write(): void {
    this.#callOff?.();
    this.#callOff = undefined;
    this.#writing = this.#writing.then(() => this.#keep());
  }

  async #keep(): Promise<void> {
    const { path, clock, log } = this.#options;
    const names = (this.#endpoints ?? []).slice(0, knownPodsMost).map(nameOf);
    const wanted = new Set(names);
    if (wanted.size === this.#kept.size && wanted.isSubsetOf(this.#kept)) return;
    try {
      await replaceFileAside(path, JSON.stringify({ endpoints: names }));
      this.#kept = wanted;
      this.#hasFailed = false;
    } catch (error) {
      if (!this.#hasFailed) log.warn({ err: error, path }, "the node's pods cannot be remembered");
      this.#hasFailed = true;
      this.#callOff ??= clock.after(retryMs, () => this.#write());
    }
  }
}

function nameOf({ metadata }: WorkloadEndpoint): string {
  return keyOf(metadata.namespace ?? "", metadata.name);
}

function keyOf(namespace: string, name: string): string {
  return `${namespace}/${name}`;
}

/** A file that cannot be read says nothing; the next one takes its place. */
function readNames(path: string): ReadonlySet<string> {
  try {
    if (statSync(path).size > fileBytesMost) return new Set();
    const value: unknown = JSON.parse(readFileSync(path, "utf8"));
    const names: unknown = isRecord(value) ? value["endpoints"] : undefined;
    return new Set(Array.isArray(names) ? names.filter((name) => typeof name === "string") : []);
  } catch {
    return new Set();
  }
}
