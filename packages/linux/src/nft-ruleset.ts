import { spawn } from "node:child_process";
import {
  type ListOutcome,
  type NftFamily,
  readListedTable,
  type Ruleset,
  type RulesetFailure,
  type RulesetNotice,
  type TransactionOutcome,
} from "@caracal/dataplane";
import { type NamespaceTarget, withNamespace } from "./namespace.ts";
import { NftMonitor } from "./nft-monitor.ts";

export interface NftRulesetOptions {
  /** The thread's own namespace if absent. */
  readonly namespace?: NamespaceTarget;
  /** `nft` as the PATH has it unless told. */
  readonly program?: string;
}

/** What nft may print: a table of a million members is some 60 MB. */
const outputBytesMax = 128 << 20;
/** A transaction that takes longer has been caught behind something that does not end. */
const runMs = 60_000;
/** Own transactions whose notice has not come; the kernel tells of every one that changed something. */
const ownPortsMax = 64;

/** nft shows the statement that the kernel refused; a kernel that refuses a mere table has none of that family. */
const tableRefused = /Operation not supported\n(add|delete) table /;

interface Finished {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/**
 * The `Ruleset` port for real: `nft -f -` for transactions, `nft -j list table` for looks, and the kernel's own notices
 * of what others do. nft is started per call: its language is stable, its library's and the kernel's messages are not.
 */
export class NftRuleset implements Ruleset, Disposable {
  readonly #options: NftRulesetOptions;
  readonly #listeners = new Set<(notice: RulesetNotice) => void>();
  /** Netlink addresses of our own transactions: a program's first socket has its process id. */
  readonly #ownPorts = new Set<number>();
  #monitor: NftMonitor | undefined;

  constructor(options: NftRulesetOptions = {}) {
    this.#options = options;
  }

  async apply(script: string): Promise<TransactionOutcome> {
    const finished = await this.#run(["-f", "-"], script);
    if ("kind" in finished) return finished;
    const { code, stderr } = finished;
    if (code === 0) return { kind: "done" };
    if (tableRefused.test(stderr))
      return failed("unsupported", "the kernel has no nftables: there is no NAT and no tunnel protection");
    return failed("refused", firstLine(stderr));
  }

  async list(family: NftFamily, name: string): Promise<ListOutcome> {
    const finished = await this.#run(["-j", "list", "table", family, name]);
    if ("kind" in finished) return finished;
    const { code, stdout, stderr } = finished;
    if (code !== 0)
      return stderr.includes("No such file or directory")
        ? { kind: "listed" }
        : failed("broken", firstLine(stderr));
    const table = readListedTable(parseJson(stdout));
    return table === undefined
      ? failed("broken", "nft printed no JSON: it must be built with JSON support")
      : { kind: "listed", table };
  }

  /** Watching begins with the first listener and ends with the last. */
  subscribe(listener: (notice: RulesetNotice) => void): () => void {
    const own = (notice: RulesetNotice): void => listener(notice);
    const { namespace } = this.#options;
    this.#monitor ??= NftMonitor.open({
      ...(namespace === undefined ? {} : { namespace }),
      isOwn: (portId) => this.#ownPorts.delete(portId),
      onNotice: (notice) => {
        for (const told of this.#listeners) told(notice);
      },
    });
    this.#listeners.add(own);
    return () => {
      this.#listeners.delete(own);
      if (this.#listeners.size === 0) this.#unwatch();
    };
  }

  [Symbol.dispose](): void {
    this.#listeners.clear();
    this.#unwatch();
  }

  #unwatch(): void {
    this.#monitor?.[Symbol.dispose]();
    this.#monitor = undefined;
  }

  /** Runs nft to its end. Rejects when the namespace is gone. */
  #run(args: readonly string[], input?: string): Promise<Finished | RulesetFailure> {
    const { namespace, program = "nft" } = this.#options;
    // Numbers and addresses as they are, messages in the language that is looked for.
    const env = { PATH: process.env["PATH"], LC_ALL: "C" };
    const start = () => spawn(program, args, { stdio: ["pipe", "pipe", "pipe"], env, timeout: runMs });
    return new Promise((resolve) => {
      const child = namespace === undefined ? start() : withNamespace(namespace, start);
      if (input !== undefined && child.pid !== undefined) this.#own(child.pid);
      const stdout = collect(child.stdout, () => child.kill());
      const stderr = collect(child.stderr, () => child.kill());
      child.on("error", (error) => {
        const isMissing = "code" in error && error.code === "ENOENT";
        resolve(
          isMissing
            ? failed("missing", `${program} is not installed: NAT and tunnel protection need nftables`)
            : failed("broken", error.message),
        );
      });
      child.on("close", (code, signal) => {
        if (code === 0 || child.pid === undefined) resolve({ code, stdout: stdout(), stderr: stderr() });
        else {
          // A refused transaction has no notice.
          this.#ownPorts.delete(child.pid);
          resolve(
            code === null
              ? failed("broken", `${program} was ended by ${signal}`)
              : { code, stdout: stdout(), stderr: stderr() },
          );
        }
      });
      // nft may end before it has read all, which its exit tells.
      child.stdin.on("error", () => undefined);
      child.stdin.end(input);
    });
  }

  #own(pid: number): void {
    this.#ownPorts.add(pid);
    const [oldest] = this.#ownPorts;
    if (this.#ownPorts.size > ownPortsMax && oldest !== undefined) this.#ownPorts.delete(oldest);
  }
}

function failed(reason: RulesetFailure["reason"], detail: string): RulesetFailure {
  return { kind: "failed", reason, detail };
}

/** What a stream gave, bounded: more ends its program. */
function collect(stream: NodeJS.ReadableStream, onTooMuch: () => void): () => string {
  const parts: Buffer[] = [];
  let bytes = 0;
  stream.on("data", (part: Buffer) => {
    bytes += part.length;
    if (bytes <= outputBytesMax) parts.push(part);
    else onTooMuch();
  });
  return () => Buffer.concat(parts).toString("utf8");
}

/** nft shows the place below its message; the message alone is a line. */
function firstLine(text: string): string {
  return text.split("\n", 1)[0]?.replace(/^\/dev\/stdin:/, "line ") ?? "";
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
