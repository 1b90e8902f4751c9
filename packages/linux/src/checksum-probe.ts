import { connect } from "node:net";
import { offload } from "./offload.ts";

/** What is known of an interface's checksums after a probe. */
export type ChecksumVerdict =
  /** A packet whose checksum was left to the interface arrived sound. */
  | "sound"
  /** It arrives only when the kernel does the sum itself: offloading was switched off and stays so. */
  | "broken"
  /** Nothing answers either way, and all is as it was. */
  | "unknown";

export interface ChecksumProbe {
  readonly interfaceName: string;
  /** Own address that the packets come from. */
  readonly from: string;
  /** Address behind the interface of a machine that refuses a connection, or takes it. */
  readonly to: string;
  readonly signal: AbortSignal;
}

/** A port that nothing listens on (discard, RFC 863). */
const probePort = 9;
/** Time for the first packet, and for the one that TCP sends a second later. */
const answerTimeoutMs = 1_600;

/**
 * Finds out with real packets whether checksums survive that an interface is left to fill in: the request for a connection is
 * such a packet, and one with a wrong sum is dropped unanswered. The kernel makes the sum of a refusal itself, so what the
 * other side's interface does is out of the question.
 */
export async function probeTxChecksum(probe: ChecksumProbe): Promise<ChecksumVerdict> {
  const { interfaceName } = probe;
  if (!offload.readTxChecksum(interfaceName)) return "sound";
  if (await isAnswered(probe)) return "sound";
  if (probe.signal.aborted) return "unknown";
  offload.setTxChecksum(interfaceName, false);
  let isBroken = false;
  try {
    isBroken = await isAnswered(probe);
  } finally {
    if (!isBroken) offload.setTxChecksum(interfaceName, true);
  }
  return isBroken ? "broken" : "unknown";
}

/** Whether the other side says anything at all to a request for a connection. */
function isAnswered({ from, to, signal }: ChecksumProbe): Promise<boolean> {
  return new Promise((resolve) => {
    if (signal.aborted) {
      resolve(false);
      return;
    }
    const socket = connect({ host: to, port: probePort, localAddress: from });
    const end = (found: boolean): void => {
      clearTimeout(timer);
      signal.removeEventListener("abort", give);
      socket.destroy();
      resolve(found);
    };
    const give = (): void => end(false);
    const timer = setTimeout(give, answerTimeoutMs);
    signal.addEventListener("abort", give, { once: true });
    socket.once("connect", () => end(true));
    socket.once("error", (error) => end("code" in error && error.code === "ECONNREFUSED"));
  });
}
