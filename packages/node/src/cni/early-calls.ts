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

  /** `undefined` when the call must wait: it cannot be served without the datastore. */
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
    // With calico-ipam the interface is another plugin's: a release harms nobody, known or not.
    const isPods = call.plugin === "calico";
    const isHere = isPods && netns !== "" && kernel.podEnd(hostName, netns) === ifname;
    if (isPods && !isHere && !this.#knows(call, attachment)) return false;
    deletions.keep(call, "the node daemon is waiting for the datastore");
    if (isHere) await kernel.removePair(hostName);
    return true;
  }

  #knows(call: CniCall, { endpointNamespace, endpointName }: Attachment): boolean {
    const { deletions, knowsEndpoint } = this.#options;
    return deletions.find(call) !== undefined || knowsEndpoint(endpointNamespace, endpointName);
  }
}
