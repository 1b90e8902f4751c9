import type { CniAnswer, CniCall } from "./cni-call.ts";
import { readCall } from "./cni-call.ts";
import type { DeletionBacklog } from "./deletion-backlog.ts";
import { failureAnswer } from "./failure-answer.ts";
import { type Attachment, type AttachmentPlace, nameAttachment } from "./attachment.ts";
import { parseNetworkConfig } from "./network-config.ts";
import type { PodKernel } from "./ports.ts";

export interface EarlyCallsOptions extends AttachmentPlace {
  readonly kernel: Pick<PodKernel, "podEnd" | "removePair">;
  readonly deletions: DeletionBacklog;
  /** Whether the endpoint is known from before to be this node's. */
  readonly knowsEndpoint: (namespace: string, name: string) => boolean;
}

/**
 * What a daemon can answer that has started and has yet to hear from its datastore: calls that will never be served, and
 * deletions. A pod that was known before, whose interface is here or whose deletion is kept already, goes at once; what the
 * datastore holds of it goes when that answers.
 */
export class EarlyCalls {
  readonly #options: EarlyCallsOptions;

  constructor(options: EarlyCallsOptions) {
    this.#options = options;
  }

  /** `undefined` when the call must wait: it cannot be served without the datastore, or cannot be kept. */
  async handle(params: unknown): Promise<CniAnswer | undefined> {
    const call = readCall(params);
    const isOfAttachment = call?.command === "ADD" || call?.command === "DEL" || call?.command === "CHECK";
    if (call === undefined || !isOfAttachment) return undefined;
    try {
      const config = parseNetworkConfig(call.stdin, call.command);
      const attachment = nameAttachment(call, config, this.#options);
      if (call.command !== "DEL" || !(await this.#delete(call, attachment))) return undefined;
      return { exitCode: 0, stdout: "" };
    } catch (error) {
      return failureAnswer(error, call.stdin);
    }
  }

  async #delete(call: CniCall, attachment: Attachment): Promise<boolean> {
    const { kernel, deletions } = this.#options;
    const { hostName, netns, ifname } = attachment;
    // The interface is another plugin's: a release harms nobody, known or not.
    if (call.plugin === "calico-ipam") return keep(deletions, call);
    const isHere = netns !== "" && kernel.podEnd(hostName, netns) === ifname;
    if (!isHere && !this.#knows(call, attachment)) return false;
    if (!keep(deletions, call)) return false;
    if (isHere) await kernel.removePair(hostName);
    return true;
  }

  #knows(call: CniCall, { endpointNamespace, endpointName }: Attachment): boolean {
    const { deletions, knowsEndpoint } = this.#options;
    return deletions.find(call) !== undefined || knowsEndpoint(endpointNamespace, endpointName);
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
