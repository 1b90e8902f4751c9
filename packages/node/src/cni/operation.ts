import { Nanos } from "@caracal/ipam";
import type { Attachment } from "./attachment.ts";
import type { CniCall } from "./cni-call.ts";
import type { CniResult } from "./cni-result.ts";
import type { EndpointRecords } from "./endpoint-records.ts";
import type { NetworkConfig } from "./network-config.ts";
import type { IpAddress } from "@caracal/net";
import type { CniHooks, NamespaceFacts, PodFacts, PodIpam, PodKernel } from "./ports.ts";
import type { PodName } from "./cni-call.ts";

/** What the operations work with. */
export interface CniServices {
  /** Name of this node. */
  readonly node: string;
  /** What the host ends of pods are called by. */
  readonly interfacePrefix: string;
  readonly records: EndpointRecords;
  readonly ipam: PodIpam;
  readonly kernel: PodKernel;
  readonly hooks: CniHooks;
  readonly now: () => Date;
  /** A MAC for a pod's end. */
  readonly newMac: () => string;
  /** Whether other calls are under way, whose work fills the time that one waits for the datastore. */
  readonly isBusy: () => boolean;
  /** MTU for pods whose configuration names none: the content of the mtu file. */
  readonly defaultMtu: () => number | undefined;
  readonly podFacts: (pod: PodName) => Promise<PodFacts | undefined>;
  readonly namespaceFacts: (namespace: string) => Promise<NamespaceFacts | undefined>;
  /** The node that has an address as its own, if any. */
  readonly nodeWith: (address: IpAddress) => string | undefined;
  /** Runs an IPAM plugin other than `calico-ipam`. */
  readonly runIpamPlugin: (type: string, call: CniCall, command: string) => Promise<CniResult | undefined>;
  /** Told of each step before it is taken; what it throws fails the step. Tests kill and fail here. */
  readonly beforeStep: (step: string) => Promise<void> | void;
}

/** One call about one attachment. */
export interface Operation {
  readonly call: CniCall;
  readonly config: NetworkConfig;
  readonly attachment: Attachment;
  /** Throws when nobody waits for the outcome any more. Steps are taken only while it does not. */
  readonly checkDeadline: () => void;
}

/** A step of an operation. `Draft` is what the steps so far have found out and done. */
export interface Step<Draft> {
  readonly name: string;
  readonly run: (services: CniServices, operation: Operation, draft: Draft) => Promise<void> | void;
}

export async function takeSteps<Draft>(
  steps: readonly Step<Draft>[],
  services: CniServices,
  operation: Operation,
  draft: Draft,
): Promise<void> {
  for (const step of steps) {
    operation.checkDeadline();
    await services.beforeStep(step.name);
    await step.run(services, operation, draft);
  }
}

/** What `ipam show` and an audit know an allocation's owner by: Calico's attributes. */
export function allocationAttributes(
  services: CniServices,
  pod: PodName | undefined,
): Readonly<Record<string, string>> {
  const timestamp = Nanos.formatGo(Nanos.of(BigInt(services.now().getTime()) * nanosPerMilli));
  return {
    node: services.node,
    timestamp,
    ...(pod !== undefined && { pod: pod.name, namespace: pod.namespace }),
  };
}

const nanosPerMilli = 1_000_000n;

/** The IPAM plugin that the daemon itself is. */
export const ownIpam = "calico-ipam";
