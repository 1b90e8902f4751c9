import { type ChildProcess, spawn } from "node:child_process";
import { setTimeout as sleep } from "node:timers/promises";

/** A place to listen: an interface in a network namespace. */
export interface Tap {
  readonly title: string;
  /** The namespace's file. */
  readonly namespace: string;
  readonly interface: string;
}

/** An echo request as it passed a tap. */
export interface SeenPacket {
  readonly tap: Tap;
  readonly sourceMac: string;
  readonly destinationMac: string;
  readonly sourceIp: string;
  readonly destinationIp: string;
  /** tcpdump's own line. */
  readonly line: string;
}

const READY_DEADLINE_MS = 10_000;
const PACKET_DEADLINE_MS = 10_000;

/** The command that listens for one echo request between two addresses. */
export function tcpdumpCommand(tap: Tap, from: string, to: string): readonly string[] {
  const filter = `icmp[icmptype] == icmp-echo and src host ${from} and dst host ${to}`;
  return ["tcpdump", "-i", tap.interface, "-e", "-n", "-t", "-l", "--immediate-mode", "-c", "1", filter];
}

/**
 * Listens on every tap while `ping` runs, and gives the first echo request each one saw, in the order of the taps.
 * A tap that saw none is left out.
 */
export async function captureHops(
  taps: readonly Tap[],
  from: string,
  to: string,
  ping: () => Promise<unknown>,
): Promise<readonly SeenPacket[]> {
  const listeners = taps.map((tap) => new Listener(tap, from, to));
  try {
    await Promise.all(listeners.map((listener) => listener.untilReady()));
    await ping();
    const seen = await Promise.all(listeners.map((listener) => listener.packet()));
    return seen.filter((packet) => packet !== undefined);
  } finally {
    for (const listener of listeners) listener.stop();
  }
}

class Listener {
  readonly #tap: Tap;
  readonly #child: ChildProcess;
  #stdout = "";
  #stderr = "";

  constructor(tap: Tap, from: string, to: string) {
    this.#tap = tap;
    const args = [`--net=${tap.namespace}`, "--", ...tcpdumpCommand(tap, from, to)];
    this.#child = spawn("nsenter", args, { stdio: ["ignore", "pipe", "pipe"] });
    this.#child.on("error", (error) => (this.#stderr += error.message));
    this.#child.stdout?.setEncoding("utf8").on("data", (chunk: string) => (this.#stdout += chunk));
    this.#child.stderr?.setEncoding("utf8").on("data", (chunk: string) => (this.#stderr += chunk));
  }

  async untilReady(): Promise<void> {
    const isReady = await until(() => this.#stderr.includes("listening on"), READY_DEADLINE_MS);
    if (!isReady) throw new Error(`tcpdump does not start on ${this.#tap.title}: ${this.#stderr.trim()}`);
  }

  async packet(): Promise<SeenPacket | undefined> {
    await until(() => this.#stdout.includes("\n"), PACKET_DEADLINE_MS);
    const line = this.#stdout.split("\n")[0] ?? "";
    const found = /^(\S+) > (\S+), .*?: (\S+) > (\S+): ICMP echo request/.exec(line);
    if (found === null) return undefined;
    const [, sourceMac = "", destinationMac = "", sourceIp = "", destinationIp = ""] = found;
    return { tap: this.#tap, sourceMac, destinationMac, sourceIp, destinationIp, line };
  }

  stop(): void {
    this.#child.kill();
  }
}

async function until(check: () => boolean, deadlineMs: number): Promise<boolean> {
  const end = performance.now() + deadlineMs;
  while (!check()) {
    if (performance.now() > end) return false;
    await sleep(20);
  }
  return true;
}
