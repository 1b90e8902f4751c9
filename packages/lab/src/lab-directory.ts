import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { namespacePath } from "@caracal/linux";
import { messageOf } from "@caracal/net";
import { LabError } from "./lab-error.ts";
import {
  isLabRecord,
  isNodeRecord,
  isPodRecord,
  type LabRecord,
  type NodeRecord,
  type PodRecord,
} from "./lab-record.ts";
import { isProcessIdentity, type ProcessIdentity } from "./process-identity.ts";
import { BRIDGES_NAME } from "./topology.ts";

export const DEFAULT_ROOT = "/run/caracal/labs";

/** What runs in a lab besides its pods: the store's server (or the relay to it), a node's daemon, a program of a switch. */
export type DaemonName =
  | "store"
  | { readonly node: string }
  | { readonly switch: string; readonly program: string };

/**
 * A lab's directory, which is all the state it has:
 *
 *     ROOT/LAB/lab.json, topology.yaml    what it is made of
 *             /ready                      once it was up and routed
 *             /store/, store.sock, store.log, store.pid
 *             /nodes/NODE/node.json, daemon.pid, daemon.log, run/, lib/
 *             /switches/SWITCH/PROGRAM.pid, PROGRAM.log, run/, bin/
 *             /pods/POD.json
 *
 * Each node and each pod has a file of its own, so that any number of commands work on one lab at once. A file is
 * written before what it tells of is made and removed after it is gone: so nothing is ever left without a trace.
 */
export class LabDirectory {
  readonly name: string;
  readonly path: string;

  constructor(root: string, name: string) {
    this.name = name;
    this.path = join(root, name);
  }

  get exists(): boolean {
    return existsSync(this.path);
  }

  /** Takes the name; `false` when it is taken. */
  claim(): boolean {
    mkdirSync(join(this.path, ".."), { recursive: true });
    try {
      mkdirSync(this.path);
    } catch (cause) {
      if (isErrno(cause, "EEXIST")) return false;
      throw new LabError(`cannot make ${this.path}: ${messageOf(cause)}`, { cause });
    }
    mkdirSync(join(this.path, "nodes"));
    mkdirSync(join(this.path, "pods"));
    mkdirSync(join(this.path, "switches"));
    return true;
  }

  remove(): void {
    rmSync(this.path, { recursive: true, force: true });
  }

  /** What the lab is, or `undefined` when its `up` was killed before it could say. */
  get record(): LabRecord | undefined {
    return readRecord(join(this.path, "lab.json"), isLabRecord);
  }

  writeRecord(record: LabRecord): void {
    writeFile(join(this.path, "lab.json"), record);
  }

  /** The text of the topology's file as it was at `up`. */
  get topologyText(): string | undefined {
    try {
      return readFileSync(join(this.path, "topology.yaml"), "utf8");
    } catch {
      return undefined;
    }
  }

  writeTopology(text: string): void {
    writeFileSync(join(this.path, "topology.yaml"), text);
  }

  /** It was up and routed once. */
  get isReady(): boolean {
    return existsSync(join(this.path, "ready"));
  }

  markReady(): void {
    writeFileSync(join(this.path, "ready"), "");
  }

  /** All nodes, sorted by name. */
  nodes(): readonly NodeRecord[] {
    const names = namesIn(join(this.path, "nodes"));
    return names.flatMap((name) => readRecord(join(this.nodePath(name), "node.json"), isNodeRecord) ?? []);
  }

  /** Notes a new node; `false` when there is one of that name. */
  addNode(record: NodeRecord): boolean {
    try {
      mkdirSync(this.nodePath(record.name));
    } catch (error) {
      if (isErrno(error, "EEXIST")) return false;
      throw error;
    }
    mkdirSync(join(this.nodePath(record.name), "run"));
    mkdirSync(join(this.nodePath(record.name), "lib"));
    writeFile(join(this.nodePath(record.name), "node.json"), record);
    return true;
  }

  removeNode(name: string): void {
    rmSync(this.nodePath(name), { recursive: true, force: true });
  }

  nodePath(name: string): string {
    return join(this.path, "nodes", name);
  }

  runDirectory(node: string): string {
    return join(this.nodePath(node), "run");
  }

  libDirectory(node: string): string {
    return join(this.nodePath(node), "lib");
  }

  controlSocket(node: string): string {
    return join(this.runDirectory(node), "control.sock");
  }

  /** All switches, sorted by name. */
  switchNames(): readonly string[] {
    return namesIn(join(this.path, "switches"));
  }

  addSwitch(name: string): void {
    for (const directory of [this.switchRunDirectory(name), this.switchBinDirectory(name)])
      mkdirSync(directory, { recursive: true });
  }

  /** Configuration and sockets of a switch's programs. */
  switchRunDirectory(name: string): string {
    return join(this.path, "switches", name, "run");
  }

  /** Commands that find the switch's own programs: first in the PATH of what runs there. */
  switchBinDirectory(name: string): string {
    return join(this.path, "switches", name, "bin");
  }

  /** All pods, sorted by name. */
  pods(): readonly PodRecord[] {
    const files = namesIn(join(this.path, "pods")).filter((file) => file.endsWith(".json"));
    return files.flatMap((file) => readRecord(join(this.path, "pods", file), isPodRecord) ?? []);
  }

  /** Notes a new pod; `false` when there is one of that name. */
  addPod(record: PodRecord): boolean {
    try {
      writeFileSync(this.#podFile(record.name), toText(record), { flag: "wx" });
      return true;
    } catch (error) {
      if (isErrno(error, "EEXIST")) return false;
      throw error;
    }
  }

  updatePod(record: PodRecord): void {
    writeFile(this.#podFile(record.name), record);
  }

  removePod(name: string): void {
    rmSync(this.#podFile(name), { force: true });
  }

  get storeSocket(): string {
    return join(this.path, "store.sock");
  }

  get storeData(): string {
    return join(this.path, "store");
  }

  logFile(daemon: DaemonName): string {
    return `${this.#daemonFile(daemon)}.log`;
  }

  daemon(daemon: DaemonName): ProcessIdentity | undefined {
    return readRecord(this.#pidFile(daemon), isProcessIdentity);
  }

  noteDaemon(daemon: DaemonName, identity: ProcessIdentity): void {
    writeFile(this.#pidFile(daemon), identity);
  }

  /** The name of a network namespace of this lab, as `ip netns` shows it. */
  namespaceName(part: string): string {
    return `${this.name}-${part}`;
  }

  /** The file of that namespace. */
  namespacePath(part: string): string {
    return namespacePath(this.namespaceName(part));
  }

  /** The parts of the lab that have a namespace: the bridges, switches, nodes, pods. */
  namespaceParts(): readonly string[] {
    const names = [...this.nodes(), ...this.pods()].map((record) => record.name);
    return [BRIDGES_NAME, ...this.switchNames(), ...names];
  }

  #podFile(name: string): string {
    return join(this.path, "pods", `${name}.json`);
  }

  #pidFile(daemon: DaemonName): string {
    return `${this.#daemonFile(daemon)}.pid`;
  }

  #daemonFile(daemon: DaemonName): string {
    if (daemon === "store") return join(this.path, "store");
    if ("node" in daemon) return join(this.nodePath(daemon.node), "daemon");
    return join(this.path, "switches", daemon.switch, daemon.program);
  }
}

/** Names of all labs of this machine, whole or broken. */
export function labNames(root: string): readonly string[] {
  return namesIn(root);
}

/** Replaces the file in one step: a reader, or a crash, meets the old text or the new one. */
function writeFile(path: string, value: unknown): void {
  const draft = `${path}.${process.pid}.new`;
  writeFileSync(draft, toText(value));
  renameSync(draft, path);
}

function toText(value: unknown): string {
  return `${JSON.stringify(value, undefined, 2)}\n`;
}

function readRecord<T>(path: string, is: (value: unknown) => value is T): T | undefined {
  try {
    const value: unknown = JSON.parse(readFileSync(path, "utf8"));
    return is(value) ? value : undefined;
  } catch {
    return undefined;
  }
}

function namesIn(directory: string): readonly string[] {
  try {
    return readdirSync(directory).toSorted();
  } catch {
    return [];
  }
}

function isErrno(error: unknown, errno: string): boolean {
  return error instanceof Error && "code" in error && error.code === errno;
}
