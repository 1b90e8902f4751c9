import { spawnInNamespace } from "@caracal/linux";

/** What `ping` measured. */
export interface PingOutcome {
  readonly sent: number;
  readonly received: number;
  /** Average round-trip time; absent when nothing came back. */
  readonly rttMs?: number;
  /** Why there is nothing to measure, where `ping` said so. */
  readonly failure?: string;
}

/** How to ping. */
export interface PingOptions {
  /** The network namespace's file. */
  readonly namespace: string;
  readonly address: string;
  readonly count: number;
  readonly env: Readonly<Record<string, string | undefined>>;
}

const INTERVAL_SECONDS = "0.1";
const WAIT_SECONDS = "1";
const TIMEOUT_MS = 60_000;

/** Sends a few echo requests from a namespace. */
export function ping(options: PingOptions): Promise<PingOutcome> {
  const args = [
    "-n",
    "-q",
    "-c",
    String(options.count),
    "-i",
    INTERVAL_SECONDS,
    "-W",
    WAIT_SECONDS,
    options.address,
  ];
  return new Promise((resolve) => {
    const child = spawnInNamespace(options.namespace, "ping", args, {
      env: { ...options.env, LC_ALL: "C" },
      stdio: ["ignore", "pipe", "pipe"],
      timeout: TIMEOUT_MS,
    });
    let text = "";
    for (const stream of [child.stdout, child.stderr]) {
      stream?.setEncoding("utf8");
      stream?.on("data", (chunk: string) => (text += chunk));
    }
    child.once("error", (error) =>
      resolve({ sent: 0, received: 0, failure: `cannot run ping: ${error.message}` }),
    );
    child.once("close", () => resolve(parsePing(text)));
  });
}

/** Reads the summary of iputils' `ping -q`. */
export function parsePing(text: string): PingOutcome {
  const counts = /([0-9]+) packets transmitted, ([0-9]+) received/.exec(text);
  if (counts === null)
    return { sent: 0, received: 0, failure: text.trim().split("\n").at(-1) ?? "no answer" };
  const average = /^rtt [^=]*= [0-9.]+\/([0-9.]+)\//m.exec(text)?.[1];
  return {
    sent: Number(counts[1]),
    received: Number(counts[2]),
    ...(average === undefined ? {} : { rttMs: Number(average) }),
  };
}
