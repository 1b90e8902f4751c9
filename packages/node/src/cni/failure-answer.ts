import { StoreError } from "@caracal/datastore";
import { IpamError } from "@caracal/ipam";
import { KernelError } from "@caracal/linux";
import { messageOf } from "@caracal/net";
import type { CniAnswer } from "./cni-call.ts";
import { CniCode, CniError } from "./cni-error.ts";
import { QueueFullError } from "./keyed-queue.ts";
import { answerVersion } from "./network-config.ts";

/** The answer to a call that failed, in the version that its configuration asks for. */
export function failureAnswer(error: unknown, stdin: string): CniAnswer {
  const told = cniErrorOf(error);
  const stderr =
    told.code === CniCode.internal && error instanceof Error ? `${error.stack ?? error.message}\n` : "";
  return { exitCode: 1, stdout: told.toJson(answerVersion(stdin)), ...(stderr !== "" && { stderr }) };
}

/** What is wrong with a store that refused, in a few words. */
export function storeTrouble(error: unknown): string {
  const isFull = error instanceof StoreError && error.isFull;
  return isFull ? "the datastore is full: it takes no writes" : "the datastore does not answer";
}

/** Every failure as a runtime can use it: what passes by itself is "try again later". */
function cniErrorOf(error: unknown): CniError {
  if (error instanceof CniError) return error;
  const details = messageOf(error);
  if (error instanceof StoreError && error.code === "unavailable") {
    return new CniError(CniCode.tryAgainLater, storeTrouble(error), details, { cause: error });
  }
  if (error instanceof IpamError && error.code !== "corrupt") {
    return new CniError(CniCode.tryAgainLater, "IPAM has too much to do", details, { cause: error });
  }
  if (error instanceof QueueFullError) {
    return new CniError(CniCode.tryAgainLater, "too many calls are waiting", details, { cause: error });
  }
  if (error instanceof KernelError) {
    return new CniError(CniCode.ioFailure, `the kernel refused ${error.op}: ${error.errno}`, error.detail, {
      cause: error,
    });
  }
  return new CniError(CniCode.internal, "the call failed", details, { cause: error });
}
