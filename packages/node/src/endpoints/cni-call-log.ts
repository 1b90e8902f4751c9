import { appendFileSync, mkdirSync, readdirSync, renameSync, rmSync, statSync } from "node:fs";
import { basename, dirname, extname, join } from "node:path";
import type { Clock } from "@caracal/dataplane";
import { isRecord, parseJson } from "@caracal/resources";
import type { CniAnswer } from "../cni/cni-call.ts";
import { readCall } from "../cni/cni-call.ts";
import type { Log } from "../observe/log.ts";

export interface CniCallLogOptions {
  readonly clock: Clock;
  readonly now: () => Date;
  /** Where it is told that a file cannot be written. */
  readonly log: Log;
}

/** What a configuration says of its log: Calico's keys and defaults. */
interface LogFile {
  readonly path: string;
  readonly writesInfo: boolean;
  readonly mostBytes: number;
  readonly mostDays: number;
  readonly mostFiles: number;
}

interface Ended {
  readonly params: unknown;
  readonly answer: CniAnswer;
  readonly at: Date;
}

/** Lines are gathered so long: nobody waits for them. */
const gatherMs = 200;
/** More calls than this between two writings are not told of. */
const waitingMost = 4_096;
const mebibyte = 1 << 20;
const dayMs = 86_400_000;

/** A line for each CNI call in the file that its configuration names (`log_file_path`), which is turned over as Calico's is. */
export class CniCallLog implements Disposable {
  readonly #options: CniCallLogOptions;
  #waiting: Ended[] = [];
  #callOff: (() => void) | undefined;
  #hasFailed = false;

  constructor(options: CniCallLogOptions) {
    this.#options = options;
  }

  note(params: unknown, answer: CniAnswer): void {
    if (this.#waiting.length >= waitingMost) return;
    this.#waiting.push({ params, answer, at: this.#options.now() });
    this.#callOff ??= this.#options.clock.after(gatherMs, () => this.#write());
  }

  /** Writes what waits. */
  [Symbol.dispose](): void {
    this.#callOff?.();
    this.#write();
  }

  #write(): void {
    this.#callOff = undefined;
    const texts = new Map<string, { readonly file: LogFile; text: string }>();
    for (const ended of this.#waiting.splice(0)) {
      const file = logFileOf(ended.params);
      if (file === undefined || (ended.answer.exitCode === 0 && !file.writesInfo)) continue;
      const known = texts.get(file.path) ?? { file, text: "" };
      texts.set(file.path, { file, text: known.text + lineOf(ended) });
    }
    for (const { file, text } of texts.values()) {
      try {
        mkdirSync(dirname(file.path), { recursive: true });
        this.#turnOver(file, Buffer.byteLength(text));
        appendFileSync(file.path, text, { mode: 0o644 });
      } catch (error) {
        if (!this.#hasFailed)
          this.#options.log.warn({ err: error }, "the log of CNI calls cannot be written");
        this.#hasFailed = true;
      }
    }
  }

  #turnOver({ path, mostBytes, mostDays, mostFiles }: LogFile, moreBytes: number): void {
    const { size = 0 } = statSync(path, { throwIfNoEntry: false }) ?? {};
    if (size === 0 || size + moreBytes <= mostBytes) return;
    const now = this.#options.now();
    const ending = extname(path);
    const start = `${basename(path, ending)}-`;
    const stamp = now.toISOString().replaceAll(":", "-");
    renameSync(path, join(dirname(path), `${start}${stamp}${ending}`));
    const former = readdirSync(dirname(path))
      .filter((name) => name.startsWith(start) && name.endsWith(ending))
      .toSorted()
      .toReversed();
    for (const [index, name] of former.entries()) {
      const file = join(dirname(path), name);
      const ageMs = now.getTime() - (statSync(file, { throwIfNoEntry: false })?.mtimeMs ?? 0);
      if (index >= mostFiles || ageMs > mostDays * dayMs) rmSync(file, { force: true });
    }
  }
}

function lineOf({ params, answer, at }: Ended): string {
  const call = readCall(params);
  const isOk = answer.exitCode === 0;
  const line = {
    time: at.toISOString(),
    level: isOk ? "info" : "error",
    plugin: call?.plugin,
    command: call?.command,
    containerID: call?.containerId,
    ifname: call?.ifname,
    args: call?.args,
    ...(answer.stdout !== "" && { answer: answer.stdout.trimEnd() }),
  };
  return `${JSON.stringify(line)}\n`;
}

function logFileOf(params: unknown): LogFile | undefined {
  const stdin = readCall(params)?.stdin;
  const parsed = stdin === undefined ? undefined : parseJson(stdin);
  const config = parsed?.kind === "ok" && isRecord(parsed.value) ? parsed.value : {};
  const { log_file_path: path, log_level: level } = config;
  if (typeof path !== "string" || !path.startsWith("/") || path.includes("\0")) return undefined;
  return {
    path,
    writesInfo: typeof level !== "string" || !/^(warn|warning|error|fatal|panic)$/i.test(level),
    mostBytes: positive(config["log_file_max_size"], 100) * mebibyte,
    mostDays: positive(config["log_file_max_age"], 30),
    mostFiles: positive(config["log_file_max_count"], 10),
  };
}

function positive(value: unknown, preset: number): number {
  const number = Number(value);
  return number > 0 ? number : preset;
}
