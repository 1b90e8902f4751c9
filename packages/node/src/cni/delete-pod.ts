import { noticeOf } from "./add-pod.ts";
import type { StoredEndpoint } from "./endpoint-records.ts";
import { type CniServices, type Operation, ownIpam, type Step, takeSteps } from "./operation.ts";

interface Draft {
  stored: StoredEndpoint | undefined;
  /** The pair belongs to another interface of the same pod. */
  isAnothers: boolean;
  /** Settles when the container's pair is gone. The kernel takes its time, in which the datastore can be asked. */
  cutOff: Promise<void>;
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
  const draft: Draft = { stored: undefined, isAnothers: false, cutOff: Promise.resolve() };
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
  const podEnd = netns === "" ? undefined : services.kernel.podEnd(hostName, netns);
  draft.isAnothers = podEnd !== undefined && podEnd !== ifname;
  if (podEnd !== ifname) return;
  draft.cutOff = services.kernel.removePair(hostName);
  // It is awaited before the addresses are released; until then a failure must not count as unhandled.
  draft.cutOff.catch(() => undefined);
}

async function lookUp(services: CniServices, operation: Operation, draft: Draft): Promise<void> {
  draft.stored = await services.records.recall(operation.attachment);
}

async function removeEndpoint(services: CniServices, operation: Operation, draft: Draft): Promise<void> {
  if (draft.stored === undefined || !isOurs(operation, draft)) return;
  const isRemoved = await services.records.remove(draft.stored);
  // What was remembered may have become another container's meanwhile.
  if (!isRemoved) draft.stored = await services.records.find(operation.attachment);
}

/**
 * The host end is named after the pod: when the endpoint is a later container's, so is the pair. Otherwise it is left by
 * a namespace that lost its name but not its last user, or by an ADD that was killed.
 */
async function removeLeftPair(services: CniServices, operation: Operation, draft: Draft): Promise<void> {
  if (!isOurs(operation, draft) || isOfRefused(draft)) return;
  await draft.cutOff;
  await services.kernel.removePair(operation.attachment.hostName);
}

/** Only when the kernel has let go of them: the next pod may get them at once. */
async function releaseAddresses(services: CniServices, operation: Operation, draft: Draft): Promise<void> {
  const { attachment, call, config } = operation;
  await draft.cutOff;
  // The handle is the container's, and so are the addresses of the interface that it has.
  if (isOfRefused(draft) && config.ipam.type === ownIpam) return;
  if (config.ipam.type === ownIpam) await services.ipam.release(attachment.handle);
  else await services.runIpamPlugin(config.ipam.type, call, "DEL");
}

async function tellDaemon(services: CniServices, operation: Operation, draft: Draft): Promise<void> {
  if (isOurs(operation, draft) && !isOfRefused(draft))
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
function isOfRefused({ isAnothers, stored }: Draft): boolean {
  return isAnothers && stored === undefined;
}
