import { createHash } from "node:crypto";
import { hostInterfaceHashInput, hostInterfaceName, workloadEndpointName } from "@caracal/resources";
import { type CniCall, checkAttachmentVariables, parseArguments, podOf, type PodName } from "./cni-call.ts";
import { CniCode, CniError } from "./cni-error.ts";
import type { NetworkConfig } from "./network-config.ts";

/**
 * One interface of one container, and every name that follows from it. All are functions of the call alone, so whatever
 * an ADD left behind, its DEL finds.
 */
export interface Attachment {
  readonly containerId: string;
  readonly netns: string;
  readonly ifname: string;
  readonly pod: PodName | undefined;
  readonly orchestrator: "k8s" | "cni";
  /** Of the IPAM allocation. */
  readonly handle: string;
  /** Host end of the pair. */
  readonly hostName: string;
  /** Name and namespace of the WorkloadEndpoint. */
  readonly endpointName: string;
  readonly endpointNamespace: string;
}

/** Calico keeps what is no Kubernetes pod in this namespace. */
const defaultNamespace = "default";
const containerIdCharacters = 11;

/** Where an attachment is, and what its host end's name begins with if it is a pod's. */
export interface AttachmentPlace {
  readonly node: string;
  readonly interfacePrefix: string;
}

/** Names an attachment; a variable that is missing or malformed throws code 4. */
export function nameAttachment(call: CniCall, config: NetworkConfig, place: AttachmentPlace): Attachment {
  const { node, interfacePrefix } = place;
  checkAttachmentVariables(call);
  const pod = podOf(parseArguments(call.args));
  const { containerId, netns, ifname } = call;
  const orchestrator = pod === undefined ? "cni" : "k8s";
  const endpointName = workloadEndpointName({
    node,
    orchestrator,
    endpoint: ifname,
    ...(pod === undefined ? { containerID: containerId } : { pod: pod.name }),
  });
  if (endpointName === undefined) {
    const details = `node ${node}, ${pod?.name ?? containerId}, ${ifname}`;
    throw new CniError(
      CniCode.invalidEnvironment,
      "a name with a dash at its start or end names no endpoint",
      details,
    );
  }
  return {
    containerId,
    netns,
    ifname,
    pod,
    orchestrator,
    handle: handleOf(config.name, containerId),
    hostName: hostNameOf(pod, containerId, interfacePrefix),
    endpointName,
    endpointNamespace: pod?.namespace ?? defaultNamespace,
  };
}

export function handleOf(network: string, containerId: string): string {
  return `${network}.${containerId}`;
}

/** The owner that allocations of Calico 2 name; `undefined` where that could be someone else's handle of today. */
export function formerHandleOf(
  network: string,
  pod: PodName | undefined,
  containerId: string,
): string | undefined {
  if (pod === undefined) return runtimesId.test(containerId) ? containerId : undefined;
  return pod.namespace === network ? undefined : `${pod.namespace}.${pod.name}`;
}

const runtimesId = /^[0-9a-f]{64}$/;

/**
 * Host end of a pod, or of a container that is none: that one has no prefix of its own, and the beginning of its ID, as with
 * Calico. An ID that people chose (`ctr`'s `default-web-1`) may begin as another's does: of such a one it is the digest.
 */
export function hostNameOf(pod: PodName | undefined, containerId: string, prefix?: string): string {
  if (pod === undefined) {
    const isOwnBeginning = containerId.length <= containerIdCharacters || randomBeginning.test(containerId);
    const own = isOwnBeginning ? containerId : digestOf(containerId);
    return `cali${own.slice(0, containerIdCharacters)}`;
  }
  return hostInterfaceName(digestOf(hostInterfaceHashInput(pod.namespace, pod.name)), prefix);
}

/** Of the IDs that runtimes make, and of UUIDs. */
const randomBeginning = /^[0-9a-f]{8}[0-9a-f-][0-9a-f]{2}/i;

function digestOf(text: string): string {
  return createHash("sha1").update(text).digest("hex");
}
