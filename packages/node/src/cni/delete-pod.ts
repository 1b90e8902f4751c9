import { noticeOf } from "./add-pod.ts";
import { formerHandleOf } from "./attachment.ts";
import type { StoredEndpoint } from "./endpoint-records.ts";
import type { PairRemoval } from "./ports.ts";
import { type CniServices, type Operation, ownIpam, type Step, takeSteps } from "./operation.ts";

interface Draft {
  stored: StoredEndpoint | undefined;
  /** What became of the container's pair. The kernel takes its time, in which the datastore can be asked. */
  cutOff: Promise<PairRemoval>;
  /** The endpoint shall go with the addresses: one write. */
  isKept: boolean;
}

/** Every step finds its object by the call's own names and does nothing when it is gone, so any of them can be last. */
export const deleteSteps: readonly Step<Draft>[] = [
  { name: "remove the container's pair", run: removeOwnPair },
  { name: "look up the endpoint", run: lookUp },
  { name: "remove the endpoint", run: removeEndpoint },
  { name: "remove a pair left behind", run: removeLeftPair },
  { name: "release addresses", run: releaseAddresses },
  { name: "tell the daemon", run: tellDaemon },
];

/** DEL of plugin `calico`: whatever is missing is no error. Another container's pair and endpoint stay. */
export async function deletePod(services: CniServices, operation: Operation): Promise<void> {
  const draft: Draft = { stored: undefined, cutOff: Promise.resolve("unseen"), isKept: false };
  try {
    await takeSteps(deleteSteps, services, operation, draft);
  } finally {
    // A failure of the datastore is no reason to answer while the kernel is still at it.
    await draft.cutOff.catch(() => undefined);
  }
}

/** First, because it needs no datastore: a container that ends is cut off even while the datastore is away. */
function removeOwnPair(services: CniServices, operation: Operation, draft: Draft): void {
  const { hostName, netns, ifname } = operation.attachment;
  if (netns === "") return;
  draft.cutOff = services.kernel.removeOwnPair(hostName, netns, ifname);
  // It is awaited before the addresses are released; until then a failure must not count as unhandled.
  draft.cutOff.catch(() => undefined);
}

async function lookUp(services: CniServices, operation: Operation, draft: Draft): Promise<void> {
  draft.stored = await services.records.recall(operation.attachment);
}

/** While the kernel is busy, unless it can go with the addresses: then nothing is asked of the datastore but that. */
async function removeEndpoint(services: CniServices, operation: Operation, draft: Draft): Promise<void> {
  if (draft.stored === undefined || !isOurs(operation, draft)) return;
  const goesTogether = operation.config.ipam.type === ownIpam && services.ipam.releasesTogether;
  // Only with the container's own pair gone by its own name there is none to look for, which may be a later container's.
  draft.isKept = goesTogether && (await draft.cutOff) === "removed";
  if (!draft.isKept) await removeStored(services, operation, draft);
}

async function removeStored(services: CniServices, operation: Operation, draft: Draft): Promise<void> {
  if (draft.stored === undefined) return;
  draft.isKept = false;
  const isRemoved = await services.records.remove(draft.stored);
  // What was remembered may have become another container's meanwhile.
  if (!isRemoved) draft.stored = await services.records.find(operation.attachment);
}

/**
 * The host end is named after the pod: when the endpoint is a later container's, so is the pair. Otherwise it is left by
 * a namespace that lost its name but not its last user, or by an ADD that was killed.
 */
async function removeLeftPair(services: CniServices, operation: Operation, draft: Draft): Promise<void> {
  const removal = await draft.cutOff;
  if (removal === "removed" || !isOurs(operation, draft) || (await isOfRefused(draft))) return;
  await services.kernel.removePair(operation.attachment.hostName);
}

/** Only when the kernel has let go of them: the next pod may get them at once. */
async function releaseAddresses(services: CniServices, operation: Operation, draft: Draft): Promise<void> {
  const { attachment, call, config } = operation;
  // The handle is the container's, and so are the addresses of the interface that it has.
  if (config.ipam.type === ownIpam && (await isOfRefused(draft))) return;
  if (draft.isKept && draft.stored !== undefined) {
    if (await services.ipam.releaseLast(attachment.handle, draft.stored.entry)) {
      services.records.forget(draft.stored);
      return;
    }
    await removeStored(services, operation, draft);
  }
  if (config.ipam.type !== ownIpam) {
    await services.runIpamPlugin(config.ipam.type, call, "DEL");
    return;
  }
  const isReleased = await services.ipam.release(attachment.handle);
  // Kept since Calico 2, when a pod's allocation did not name its container: not while another container is the pod's.
  const former = formerHandleOf(config.name, attachment.pod, attachment.containerId);
  if (!isReleased && former !== undefined && isOurs(operation, draft)) await services.ipam.release(former);
}

async function tellDaemon(services: CniServices, operation: Operation, draft: Draft): Promise<void> {
  if (isOurs(operation, draft) && !(await isOfRefused(draft)))
    await services.hooks.endpointRemoved(noticeOf(operation, []));
}

/** A Kubernetes datastore shows a pod's endpoint from before any container has it. */
function isOurs(operation: Operation, draft: Draft): boolean {
  if (draft.stored === undefined) return true;
  const { containerId } = operation.attachment;
  const spec = draft.stored.endpoint?.spec;
  return spec !== undefined && (spec.containerID ?? containerId) === containerId;
}

/** The DEL that follows a refused ADD of a second interface: nothing of the first one is its business. */
async function isOfRefused({ cutOff, stored }: Draft): Promise<boolean> {
  return stored === undefined && (await cutOff) === "another";
}
