import { readFileSync } from "node:fs";
import { StoreError } from "@caracal/datastore";
import { type Cancellation, messageOf } from "@caracal/net";
import { pause } from "../cluster/cluster-view.ts";
import type { Log } from "../observe/log.ts";
import { replaceFile } from "../replace-file.ts";

export interface CniTokenKeeperOptions {
  /** The kubeconfig that the installation wrote for CNI plugins. */
  readonly path: string;
  readonly request: () => Promise<{ readonly token: string; readonly expiresAtMs: number }>;
  readonly log: Log;
  readonly now?: () => number;
  readonly sleep?: (ms: number, signal: Cancellation) => Promise<void>;
}

/** A kubeconfig that is not there yet is looked for so often: the installation may be under way. */
const absentPauseMs = 30_000;
/** Pauses after failures double from the first to the last of these. */
const firstRetryMs = 1_000;
const lastRetryMs = 60_000;
/** However short a token's life: not more often. */
const leastPauseMs = 10_000;
const tokenLine = /^(\s*token:).*$/m;

/**
 * Renews the token in the kubeconfig of CNI plugins, at half of its life, so that the one on the host never ends. What else the
 * file says stays as it is.
 */
export async function keepCniToken(options: CniTokenKeeperOptions, signal: Cancellation): Promise<void> {
  const { log, now = Date.now, sleep = pause } = options;
  let retryMs = firstRetryMs;
  while (!signal.aborted) {
    let waitMs = absentPauseMs;
    try {
      const expiresAtMs = await renew(options);
      if (expiresAtMs !== undefined) {
        waitMs = Math.max((expiresAtMs - now()) / 2, leastPauseMs);
        log.info(
          { path: options.path, minutes: Math.round(waitMs / 60_000) },
          "renewed the token of CNI plugins",
        );
      }
      retryMs = firstRetryMs;
    } catch (error) {
      const reason = messageOf(error);
      log.warn({ path: options.path, reason }, "the token of CNI plugins could not be renewed");
      // What the server refuses for good, or the disk does not take, will not pass within seconds.
      const isBrief = error instanceof StoreError && error.code === "unavailable";
      waitMs = isBrief ? retryMs : lastRetryMs;
      retryMs = Math.min(retryMs * 2, lastRetryMs);
    }
    await sleep(waitMs, signal);
  }
}

/** When the new token ends; `undefined` when there is nothing to renew. */
async function renew({ path, request }: CniTokenKeeperOptions): Promise<number | undefined> {
  if (readKubeconfig(path) === undefined) return undefined;
  const { token, expiresAtMs } = await request();
  // The installation may have written it anew meanwhile.
  const text = readKubeconfig(path);
  if (text === undefined) return undefined;
  replaceFile(
    path,
    text.replace(tokenLine, (_line, key: string) => `${key} ${JSON.stringify(token)}`),
  );
  return expiresAtMs;
}

/** The kubeconfig, if it is there and has a token. */
function readKubeconfig(path: string): string | undefined {
  try {
    const text = readFileSync(path, "utf8");
    return tokenLine.test(text) ? text : undefined;
  } catch (error) {
    if (error instanceof Error && "code" in error && error.code === "ENOENT") return undefined;
    throw error;
  }
}
