import type { ChildProcess } from "node:child_process";
import { once } from "node:events";
import { setTimeout as sleep } from "node:timers/promises";
import { spawnInNamespace } from "@caracal/linux";
import { IpAddress } from "@caracal/net";
import { inParallel } from "../in-parallel.ts";
import type { LabContext } from "../lab-context.ts";
import { placeOf } from "../lab-exec.ts";
import { findPod, type OpenLab } from "../open-lab.ts";
import { ping } from "../ping.ts";
import {
  type CapturePattern,
  describeLayers,
  type Ends,
  isEchoBetween,
  isWrappedSo,
} from "./capture-pattern.ts";
import type { Finding } from "./finding.ts";
import type { CaptureCheck } from "./lab-checks.ts";
import { type Layer, readCapture } from "./packet.ts";

/** Headers of several wrappings; what is in them does not matter. */
const SNAP_BYTES = 256;
const MAX_CAPTURE_BYTES = 1 << 20;
const START_DEADLINE_MS = 10_000;
/** For the last packet to come by, and to get out of the program that captures it. */
const SETTLE_MS = 300;
const ECHO_COUNT = 2;

/** Sends echoes from pod to pod and compares what passes on each interface with what the topology says. */
export function checkCaptures(open: OpenLab, ctx: LabContext): Promise<readonly Finding[]> {
  return inParallel(open.topology.checks.captures, 1, (check) => checkOne(open, check, ctx)).then((all) =>
    all.flat(),
  );
}

async function checkOne(open: OpenLab, check: CaptureCheck, ctx: LabContext): Promise<readonly Finding[]> {
  ctx.signal.throwIfAborted();
  const { lab } = open;
  const [from, to] = [findPod(lab, check.from), findPod(lab, check.to)];
  const pair = endsOf(from.addresses, to.addresses, check.isIpv6);
  const captures = check.seen.map((pattern) => new Capture(open, pattern, ctx));
  try {
    await Promise.all(captures.map((capture) => capture.started()));
    const namespace = lab.namespacePath(from.name);
    await ping({ namespace, address: pair.destination, count: ECHO_COUNT, env: ctx.env });
    await sleep(SETTLE_MS);
  } finally {
    await Promise.all(captures.map((capture) => capture.stop()));
  }
  return captures.map(({ pattern, packets, failure }): Finding => {
    const echoes = packets.filter((layers) => isEchoBetween(layers, pair));
    const ok =
      pattern.way.kind === "nothing"
        ? echoes.length === 0 && failure === undefined
        : echoes.length > 0 && echoes.every((layers) => isWrappedSo(layers, pattern));
    const odd = echoes.find((layers) => !isWrappedSo(layers, pattern)) ?? echoes[0];
    return {
      kind: "capture",
      on: pattern.on,
      expected: `${check.from} → ${check.to}: ${pattern.text}`,
      found: failure ?? (odd === undefined ? "nothing" : describeLayers(odd)),
      ok,
    };
  });
}

function endsOf(from: readonly string[], to: readonly string[], isIpv6: boolean): Ends {
  const pick = (addresses: readonly string[]): string => {
    const text = addresses.find((one) => one.includes(":") === isIpv6) ?? "";
    const address = IpAddress.parse(text);
    return address === undefined ? text : IpAddress.format(address);
  };
  return { source: pick(from), destination: pick(to) };
}

/** A running `tcpdump` and what it has caught. */
class Capture {
  readonly pattern: CapturePattern;
  readonly #child: ChildProcess;
  readonly #ready: Promise<void>;
  #bytes = Buffer.alloc(0);
  #isListening = false;
  #said = "";

  constructor(open: OpenLab, pattern: CapturePattern, ctx: LabContext) {
    this.pattern = pattern;
    const { namespace, env } = placeOf(open, pattern.on, ctx);
    const words = ["-i", pattern.interface, "-s", String(SNAP_BYTES), "ip or ip6"];
    this.#child = spawnInNamespace(
      namespace,
      "tcpdump",
      ["-Z", "root", "-p", "-n", "-U", "--immediate-mode", "-w", "-", ...words],
      { env: { ...env, LC_ALL: "C" }, stdio: ["ignore", "pipe", "pipe"] },
    );
    const { stdout, stderr } = this.#child;
    stdout?.on("data", (chunk: Buffer) => {
      if (this.#bytes.length < MAX_CAPTURE_BYTES) this.#bytes = Buffer.concat([this.#bytes, chunk]);
    });
    this.#ready = new Promise((resolve) => {
      stderr?.on("data", (text: Buffer) => {
        this.#said += text.toString();
        this.#isListening ||= this.#said.includes("listening on");
        if (this.#isListening) resolve();
      });
      this.#child.once("close", () => resolve());
      this.#child.once("error", (error) => {
        this.#said += error.message;
        resolve();
      });
    });
  }

  /** Why nothing could be captured: no such program, no such interface. */
  get failure(): string | undefined {
    if (this.#isListening) return undefined;
    return `no capture: ${this.#said.trim().split("\n").at(-1) ?? "tcpdump said nothing"}`;
  }

  async started(): Promise<void> {
    const deadline = new AbortController();
    const late = sleep(START_DEADLINE_MS, undefined, { signal: deadline.signal }).catch(() => undefined);
    await Promise.race([this.#ready, late]);
    deadline.abort();
  }

  async stop(): Promise<void> {
    if (this.#child.exitCode !== null || this.#child.pid === undefined) return;
    const closed = once(this.#child, "close");
    this.#child.kill("SIGTERM");
    await closed;
  }

  get packets(): readonly (readonly Layer[])[] {
    return readCapture(this.#bytes);
  }
}
