import { randomBytes } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import { callCni, CNI_TRY_AGAIN_LATER } from "./cni-call.ts";
import type { LabContext } from "./lab-context.ts";
import type { LabDirectory } from "./lab-directory.ts";
import { LabError } from "./lab-error.ts";
import { makeSandbox, removeNamespace } from "./lab-network.ts";
import type { PodRecord } from "./lab-record.ts";
import type { PodSpec } from "./topology.ts";
import { patience } from "./patience.ts";

/** A runtime tries a pod again and again; here until this has passed. */
const ADD_DEADLINE_MS = 30_000 * patience;
const ADD_RETRY_MS = 100;
const CONTAINER_ID_BYTES = 32;

/** Makes a pod on a node: its namespace, then the CNI plugin's ADD. A pod that cannot be added leaves nothing. */
export async function addPod(
  lab: LabDirectory,
  node: string,
  spec: PodSpec,
  ctx: LabContext,
): Promise<PodRecord> {
  const containerId = randomBytes(CONTAINER_ID_BYTES).toString("hex");
  const pod: PodRecord = { ...spec, node, containerId, addresses: [] };
  if (lab.namespaceParts().includes(pod.name) || !lab.addPod(pod)) {
    throw new LabError(`the name ${pod.name} is taken in lab ${lab.name}`);
  }
  let isInNetwork = false;
  try {
    makeSandbox(lab, pod.name);
    isInNetwork = true;
    const added = { ...pod, addresses: await addToNetwork(lab, pod, ctx) };
    lab.updatePod(added);
    return added;
  } catch (error) {
    // The specification wants a DEL after a failed ADD.
    if (isInNetwork) await callCni(lab, pod, "DEL", ctx).catch(() => undefined);
    forget(lab, pod);
    throw error;
  }
}

/** Takes a pod away: the plugin's DEL, then its namespace. When DEL fails the pod stays as it was. */
export async function deletePod(lab: LabDirectory, pod: PodRecord, ctx: LabContext): Promise<void> {
  const outcome = await callCni(lab, pod, "DEL", ctx);
  if (outcome.kind === "error") {
    throw new LabError(`${pod.name} could not be removed from ${pod.node}: ${outcome.message}`);
  }
  forget(lab, pod);
}

function forget(lab: LabDirectory, pod: PodRecord): void {
  removeNamespace(lab, pod.name);
  lab.removePod(pod.name);
}

async function addToNetwork(lab: LabDirectory, pod: PodRecord, ctx: LabContext): Promise<readonly string[]> {
  const end = performance.now() + ADD_DEADLINE_MS;
  for (;;) {
    ctx.signal.throwIfAborted();
    const outcome = await callCni(lab, pod, "ADD", ctx);
    if (outcome.kind === "ok") return outcome.addresses;
    if (outcome.code !== CNI_TRY_AGAIN_LATER || performance.now() > end) {
      throw new LabError(`${pod.name} could not be added on ${pod.node}: ${outcome.message}`);
    }
    await sleep(ADD_RETRY_MS, undefined, { signal: ctx.signal });
  }
}
