import type { CniAnswer, CniCall } from "./cni-call.ts";
import { readCall } from "./cni-call.ts";
import type { DeletionBacklog } from "./deletion-backlog.ts";
import { failureAnswer } from "./failure-answer.ts";
import { type AttachmentPlace, nameAttachment } from "./attachment.ts";
import { parseNetworkConfig } from "./network-config.ts";
import type { PodKernel } from "./ports.ts";

export interface EarlyDeletionsOptions extends AttachmentPlace {
  readonly kernel: Pick<PodKernel, "podEnd" | "removePair">;
  readonly deletions: DeletionBacklog;
}

/**
 * Deletions for a daemon that has started and has yet to hear from its datastore. A pod whose interface is here, or whose
 * deletion is kept already, goes at once; what the datastore holds of it goes when that answers.
 */
export class EarlyDeletions {
  readonly #options: EarlyDeletionsOptions;

  constructor(options: EarlyDeletionsOptions) {
    this.#options = options;
  }

  /** `undefined` when the runtime must ask again: the call is none of these, or cannot be kept. */
  async handle(params: unknown): Promise<CniAnswer | undefined> {
    const call = readCall(params);
    if (call?.command !== "DEL") return undefined;
    try {
      return (await this.#delete(call)) ? { exitCode: 0, stdout: "" } : undefined;
    } catch (error) {
      return failureAnswer(error, call.stdin);
    }
  }

  async #delete(call: CniCall): Promise<boolean> {
    const { kernel, deletions } = this.#options;
    const config = parseNetworkConfig(call.stdin);
    const { hostName, netns, ifname } = nameAttachment(call, config, this.#options);
    // The interface is another plugin's: a release harms nobody, known or not.
    if (call.plugin === "calico-ipam") return keep(deletions, call);
    const isHere = netns !== "" && kernel.podEnd(hostName, netns) === ifname;
    if (!isHere && deletions.find(call) === undefined) return false;
    if (!keep(deletions, call)) return false;
    if (isHere) await kernel.removePair(hostName);
    return true;
  }
}

function keep(deletions: DeletionBacklog, call: CniCall): boolean {
  try {
    return deletions.add(call);
  } catch {
    // A disk that is full, most of all.
    return false;
  }
}
