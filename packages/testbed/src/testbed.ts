import { execFileSync } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { abandoned, bedPrefix, namesIn } from "./leftovers.ts";
import { configureLink, type LinkEnd, Namespace } from "./namespace.ts";
import { Program, type StartOptions } from "./program.ts";
import { run } from "./run.ts";

/** The part of a `node:test` context that a bed needs. */
export interface TestScope {
  after(clean: () => Promise<void>): void;
}

const NETNS_DIRECTORY = "/run/netns";
const FATAL_SIGNALS = { SIGINT: 2, SIGTERM: 15, SIGHUP: 1 } as const;
const SIGNAL_EXIT_BASE = 128;
/** A program that was just killed may still write a file. */
const removal = { recursive: true, force: true, maxRetries: 10 } as const;

const openBeds = new Set<Testbed>();
let bedCount = 0;

/**
 * Namespaces, wires, programs and files of one test.
 *
 *     test("two hosts ping", { skip: requireRoot() }, async (t) => {
 *       const bed = Testbed.create(t);
 *       const [a, b] = [await bed.namespace("a"), await bed.namespace("b")];
 *       await bed.wire({ namespace: a, name: "eth0", addresses: ["10.0.0.1/24"] },
 *                      { namespace: b, name: "eth0", addresses: ["10.0.0.2/24"] });
 *       await a.run(["ping", "-c1", "10.0.0.2"]);
 *     });
 */
export class Testbed implements AsyncDisposable {
  /** What every name of the bed starts with; unlike any other bed's. */
  readonly prefix: string;
  readonly #namespaces: Namespace[] = [];
  readonly #programs: Program[] = [];
  readonly #directories: string[] = [];
  readonly #deferred: (() => Promise<void> | void)[] = [];
  #isClosed = false;

  private constructor(prefix: string) {
    this.prefix = prefix;
  }

  /** A new bed, closed at the end of `scope`; without one, close it yourself or by `await using`. */
  static create(scope?: TestScope): Testbed {
    if (bedCount === 0) watchForExit();
    sweep();
    const bed = new Testbed(bedPrefix(bedCount++));
    openBeds.add(bed);
    scope?.after(() => bed.close());
    return bed;
  }

  /** A new namespace with `lo` up, listed by `ip netns` as the bed's prefix and `label`. */
  async namespace(label: string): Promise<Namespace> {
    if (this.#isClosed) throw new Error(`the bed of ${label} is closed`);
    const namespace = new Namespace(`${this.prefix}-${label}`, (program) => this.#keep(program));
    this.#namespaces.push(namespace);
    await run(["ip", "netns", "add", namespace.name]);
    await namespace.ip("link", "set", "lo", "up");
    return namespace;
  }

  /** A veth pair between two interfaces; both are up when this resolves. */
  async wire(a: LinkEnd, b: LinkEnd): Promise<void> {
    const peer = ["peer", "name", b.name, "netns", b.namespace.name];
    await a.namespace.ip("link", "add", a.name, "type", "veth", ...peer);
    await configureLink(a);
    await configureLink(b);
  }

  /** A bridge in a namespace of its own, wired to every end: one layer-2 network. Gives the bridge's namespace. */
  async network(label: string, ends: readonly LinkEnd[]): Promise<Namespace> {
    const namespace = await this.namespace(label);
    await namespace.ip("link", "add", "br0", "type", "bridge", "mcast_snooping", "0");
    await namespace.ip("link", "set", "br0", "up");
    for (const [index, end] of ends.entries()) {
      const port = `port${index}`;
      await this.wire({ namespace, name: port }, end);
      await namespace.ip("link", "set", port, "master", "br0");
    }
    return namespace;
  }

  /** Starts a program outside any namespace of the bed; the bed ends it. */
  async start(argv: readonly string[], options?: StartOptions): Promise<Program> {
    const program = await Program.start(argv, options);
    this.#keep(program);
    return program;
  }

  /** What a test that has failed, but still runs, starts after the end would never be ended. */
  #keep(program: Program): void {
    this.#programs.push(program);
    if (!this.#isClosed) return;
    program.signal("SIGKILL");
    throw new Error(`a program was started in a bed that is closed: ${program.title}`);
  }

  /** A new, empty directory, removed with the bed. */
  directory(label: string = "dir"): string {
    const path = mkdtempSync(join(tmpdir(), `${this.prefix}-${label}-`));
    this.#directories.push(path);
    return path;
  }

  /** Runs `clean` when the bed closes, before its programs are ended; last registered, first run. */
  defer(clean: () => Promise<void> | void): void {
    this.#deferred.push(clean);
  }

  /** Ends all programs, removes namespaces and directories. May be called twice. */
  async close(): Promise<void> {
    try {
      for (const clean of this.#deferred.splice(0).toReversed()) await clean();
      this.#isClosed = true;
      await Promise.all(this.#programs.map((program) => program.stop()));
    } finally {
      this.closeNow();
    }
  }

  /** The same at once and without waiting, for a process that is about to exit; deferred work is not done. */
  closeNow(): void {
    this.#isClosed = true;
    for (const program of this.#programs.splice(0)) program.signal("SIGKILL");
    for (const namespace of this.#namespaces.splice(0)) removeNamespace(namespace.name);
    for (const path of this.#directories.splice(0)) rmSync(path, removal);
    openBeds.delete(this);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }
}

/** Removes what beds of dead processes left. */
function sweep(): void {
  for (const name of abandoned(namesIn(NETNS_DIRECTORY))) removeNamespace(name);
  for (const name of abandoned(namesIn(tmpdir()))) {
    rmSync(join(tmpdir(), name), removal);
  }
}

/** Kills whatever still runs inside, then removes the namespace; one that is gone already is no error. */
function removeNamespace(name: string): void {
  try {
    const pids = execFileSync("ip", ["netns", "pids", name], { encoding: "utf8", stdio: "pipe" });
    for (const pid of pids.split("\n").filter((line) => line !== "")) kill(Number(pid));
  } catch {
    // The namespace went first.
  }
  try {
    execFileSync("ip", ["netns", "delete", name], { stdio: "pipe" });
  } catch {
    // As above: another sweep may be at work.
  }
}

function kill(pid: number): void {
  try {
    process.kill(pid, "SIGKILL");
  } catch {
    // The process went first.
  }
}

function watchForExit(): void {
  mkdirSync(tmpdir(), { recursive: true });
  process.on("exit", closeAllNow);
  for (const [signal, number] of Object.entries(FATAL_SIGNALS)) {
    process.on(signal, () => {
      closeAllNow();
      process.exit(SIGNAL_EXIT_BASE + number);
    });
  }
}

function closeAllNow(): void {
  for (const bed of openBeds) bed.closeNow();
}
