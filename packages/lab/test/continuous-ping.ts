/** Pings that run while a test does harm: every pair of pods, many a second, and which echoes never came. */
import type { ChildProcess } from "node:child_process";
import { once } from "node:events";
import { spawnInNamespace } from "@caracal/linux";
import { eventually } from "@caracal/testbed";
import type { LabDirectory } from "../src/index.ts";

const INTERVAL_SECONDS = "0.02";
/** Without an answer for so long, those that are out are lost. */
const lastAnswerMs = 5_000;

/** One `ping` that runs until it is told to stop. */
export class ContinuousPing {
  readonly title: string;
  readonly #child: ChildProcess;
  readonly #answered = new Set<number>();
  #newest = 0;
  #rest = "";
  #summary = "";

  constructor(lab: LabDirectory, from: string, address: string, intervalSeconds = INTERVAL_SECONDS) {
    this.title = `${from} to ${address}`;
    const args = ["-n", "-i", intervalSeconds, "-W", "5", address];
    this.#child = spawnInNamespace(lab.namespacePath(from), "ping", args, {
      env: { ...process.env, LC_ALL: "C" },
      stdio: ["ignore", "pipe", "ignore"],
    });
    this.#child.stdout?.setEncoding("utf8");
    this.#child.stdout?.on("data", (chunk: string) => this.#read(chunk));
  }

  /** Echoes that came back so far. */
  get answeredCount(): number {
    return this.#answered.size;
  }

  /** The number of the last echo that came back; the first one has 1. */
  get newest(): number {
    return this.#newest;
  }

  /** Ends it, once or again; gives what was lost. The last echoes may still have been on their way. */
  async stop(): Promise<{ readonly sent: number; readonly lost: readonly number[] }> {
    // What is answered from now on shows that nothing before it is still to come.
    const isAnswered = this.#isRunning && (await this.#answersAgain());
    if (this.#isRunning) {
      const closed = once(this.#child, "close");
      this.#child.kill("SIGINT");
      await closed;
    }
    const sent = Number(/^([0-9]+) packets transmitted/m.exec(this.#summary)?.[1] ?? 0);
    const lost = [];
    for (let sequence = 1; sequence < (isAnswered ? this.#newest : sent); sequence += 1) {
      if (!this.#answered.has(sequence)) lost.push(sequence);
    }
    return { sent, lost };
  }

  get #isRunning(): boolean {
    return this.#child.exitCode === null && this.#child.signalCode === null;
  }

  async #answersAgain(): Promise<boolean> {
    const before = this.#newest;
    const hasAnswered = eventually(() => this.#newest > before || !this.#isRunning, {
      deadlineMs: lastAnswerMs,
    });
    await hasAnswered.catch(() => undefined);
    return this.#newest > before;
  }

  #read(chunk: string): void {
    const lines = `${this.#rest}${chunk}`.split("\n");
    this.#rest = lines.pop() ?? "";
    for (const line of lines) {
      const sequence = /bytes from .* icmp_seq=([0-9]+)/.exec(line)?.[1];
      if (sequence === undefined) this.#summary += `${line}\n`;
      else {
        this.#answered.add(Number(sequence));
        this.#newest = Math.max(this.#newest, Number(sequence));
      }
    }
  }
}

/** Pings from one pod of each node to one pod of every other. */
export function pingAcrossNodes(lab: LabDirectory): readonly ContinuousPing[] {
  const pods = lab.nodes().flatMap((node) => lab.pods().find((pod) => pod.node === node.name) ?? []);
  return pods.flatMap((from) =>
    pods
      .filter((to) => to.name !== from.name)
      .map((to) => new ContinuousPing(lab, from.name, to.addresses[0] ?? "")),
  );
}
