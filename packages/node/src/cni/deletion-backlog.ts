import { createHash } from "node:crypto";
import { mkdirSync, readdirSync, readFileSync, rmSync, statSync } from "node:fs";
import { join } from "node:path";
import { messageOf } from "@caracal/net";
import { replaceFile } from "../replace-file.ts";
import { type CniCall, readCall } from "./cni-call.ts";
import { CniCode, CniError } from "./cni-error.ts";

/** More deletions than a node has pods are a storm that the runtime shall repeat. */
const backlogMost = 4_096;
/** A call's input is bounded by what a plugin sends; a larger file is not ours. */
const fileBytesMost = 4 << 20;
const suffix = ".json";

/**
 * Deletions that were answered while the datastore was away and that have yet to reach it, one file each: they survive the
 * daemon and the node. Written to the disk before the answer, removed when done.
 */
export class DeletionBacklog {
  readonly #directory: string;
  readonly #most: number;
  readonly #calls = new Map<string, CniCall>();

  /** Takes over what earlier daemons left. A file that cannot be read is none of theirs, and stays. */
  constructor(directory: string, most: number = backlogMost) {
    this.#directory = directory;
    this.#most = most;
    mkdirSync(directory, { recursive: true, mode: 0o700 });
    for (const name of readdirSync(directory)) {
      if (!name.endsWith(suffix) || this.#calls.size >= this.#most) continue;
      const call = readFile(join(directory, name));
      if (call !== undefined && name === fileName(call)) this.#calls.set(name, call);
    }
  }

  get calls(): readonly CniCall[] {
    return [...this.#calls.values()];
  }

  /** Keeps a DEL for later; false when there are too many. Throws when the disk does not take it. */
  add(call: CniCall): boolean {
    const name = fileName(call);
    if (this.#calls.has(name)) return true;
    if (this.#calls.size >= this.#most) return false;
    replaceFile(join(this.#directory, name), JSON.stringify(call));
    this.#calls.set(name, call);
    return true;
  }

  /** As `add`; what cannot be kept is to come back. `because` says why it cannot be done now. */
  keep(call: CniCall, because: string): void {
    let trouble = `${this.#most} are kept already`;
    try {
      if (this.add(call)) return;
    } catch (error) {
      // A disk that is full, most of all.
      trouble = messageOf(error);
    }
    const message = `${because}, and the deletion cannot be kept for later`;
    throw new CniError(CniCode.tryAgainLater, message, trouble);
  }

  /** The deletion of the same attachment that waits, if one does. */
  find(call: CniCall): CniCall | undefined {
    // As nearly always: every call asks.
    if (this.#calls.size === 0) return undefined;
    return this.#calls.get(fileName(call));
  }

  /** It is done. */
  remove(call: CniCall): void {
    const kept = this.find(call);
    if (kept === undefined) return;
    const name = fileName(kept);
    rmSync(join(this.#directory, name), { force: true });
    this.#calls.delete(name);
  }
}

/** One for each attachment, container and interface; addresses given to another plugin go by themselves. */
function fileName({ plugin, containerId, ifname }: CniCall): string {
  const attachment = `${containerId}/${ifname}`;
  const subject = plugin === "calico" ? attachment : `${attachment}/${plugin}`;
  const digest = createHash("sha256").update(subject).digest("hex");
  return `${digest}${suffix}`;
}

function readFile(path: string): CniCall | undefined {
  try {
    if (statSync(path).size > fileBytesMost) return undefined;
    const value: unknown = JSON.parse(readFileSync(path, "utf8"));
    const call = readCall(value);
    return call?.command === "DEL" ? call : undefined;
  } catch {
    return undefined;
  }
}
