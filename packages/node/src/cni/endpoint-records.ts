import { IpAddress } from "@caracal/net";
import { type Entry, keys, type Revision, type Store } from "@caracal/datastore";
import type { NewEntry } from "@caracal/ipam";
import {
  apiVersion,
  namespaceProfile,
  serviceAccountProfile,
  type WorkloadEndpoint,
  workloadEndpointKind,
  workloadEndpointNamePrefix,
} from "@caracal/resources";
import type { Attachment } from "./attachment.ts";
import type { NetworkConfig } from "./network-config.ts";
import { ownIpam } from "./operation.ts";
import type { PodRequest } from "./pod-request.ts";
import type { PodFacts } from "./ports.ts";

/** A stored endpoint, with what is needed to replace exactly this version of it. */
export interface StoredEndpoint {
  readonly entry: Entry;
  /** Absent when the record cannot be read: ADD overwrites it, DEL leaves it to a person. */
  readonly endpoint: WorkloadEndpoint | undefined;
}

/** What time it is and what is unique: injected, so that records can be foretold in tests. */
export interface RecordSources {
  readonly now: () => Date;
  readonly uuid: () => string;
}

/** A write that always finds another version gives up after so many. */
const writeAttemptsMax = 5;
/** Endpoints kept in mind as they were last written here: more than a node has pods. */
const rememberedMax = 2048;
const plural = workloadEndpointKind.plural;

/** The WorkloadEndpoints of one node, as CNI writes them. */
export class EndpointRecords {
  readonly #store: Store;
  readonly #sources: RecordSources;
  readonly #remembered = new Map<string, Entry>();

  constructor(store: Store, sources: RecordSources) {
    this.#store = store;
    this.#sources = sources;
  }

  async find(attachment: Attachment): Promise<StoredEndpoint | undefined> {
    const entry = await this.#store.get(keyOf(attachment));
    return entry === undefined ? undefined : read(entry);
  }

  /** The endpoint as it was last written here, or as `find` gives it. Only for what is then written at its revision. */
  async recall(attachment: Attachment): Promise<StoredEndpoint | undefined> {
    const entry = this.#remembered.get(keyOf(attachment));
    return entry === undefined ? this.find(attachment) : read(entry);
  }

  /** Whether the endpoint was written here and not removed since. */
  remembers(attachment: Attachment): boolean {
    return this.#remembered.has(keyOf(attachment));
  }

  /** A new endpoint, for someone else to write. */
  newEntry(attachment: Attachment, description: EndpointDescription): NewEntry {
    const key = keyOf(attachment);
    const value = JSON.stringify(this.#record(attachment, description, undefined));
    return { key, value, wrote: (revision: Revision) => this.#remember({ key, value, revision }) };
  }

  /** The name of an endpoint other than the attachment's, on any node, that has an address. */
  async findOther(address: IpAddress, attachment: Attachment): Promise<string | undefined> {
    const { entries } = await this.#store.list(keys.resources(plural));
    const network = networkOf(address);
    const own = keyOf(attachment);
    const other = entries.find(
      (entry) => entry.key !== own && read(entry).endpoint?.spec.ipNetworks?.includes(network) === true,
    );
    return other === undefined ? undefined : other.key.slice(keys.resources(plural).length);
  }

  /** All endpoints of the node. */
  async list(node: string): Promise<readonly StoredEndpoint[]> {
    // A prefix over every namespace: names of other nodes may begin alike, so the record decides.
    const { entries } = await this.#store.list(keys.resources(plural));
    const prefix = workloadEndpointNamePrefix({ node });
    return entries
      .filter(({ key }) => key.slice(key.lastIndexOf("/") + 1).startsWith(prefix))
      .map(read)
      .filter((stored) => stored.endpoint?.spec.node === node);
  }

  /** Creates or replaces; one that says all this already is left as it is. */
  async put(
    attachment: Attachment,
    description: EndpointDescription,
    known: StoredEndpoint | undefined,
  ): Promise<void> {
    const key = keyOf(attachment);
    let current = known;
    for (let attempt = 0; attempt < writeAttemptsMax; attempt += 1) {
      if (current?.endpoint !== undefined && saysTheSame(current.endpoint, description)) return;
      const value = JSON.stringify(this.#record(attachment, description, current));
      const outcome =
        current === undefined
          ? await this.#store.create(key, value)
          : await this.#store.update(key, value, current.entry.revision);
      if (outcome.kind === "ok") return this.#remember(outcome.entry);
      current = outcome.kind === "missing" ? undefined : read(outcome.current);
    }
    throw new Error(`${key} was changed by others during each of ${writeAttemptsMax} attempts to write it`);
  }

  /** Removes the endpoint if it is still this container's; false when there was none to remove. */
  async remove(stored: StoredEndpoint): Promise<boolean> {
    let current = stored;
    for (let attempt = 0; attempt < writeAttemptsMax; attempt += 1) {
      const outcome = await this.#store.delete(current.entry.key, current.entry.revision);
      this.#remembered.delete(stored.entry.key);
      if (outcome.kind === "ok") return true;
      if (outcome.kind !== "conflict") return false;
      current = read(outcome.current);
      if (current.endpoint?.spec.containerID !== stored.endpoint?.spec.containerID) return false;
    }
    throw new Error(`${stored.entry.key} was changed by others during each attempt to delete it`);
  }

  /** The endpoint was removed by someone else. */
  forget({ entry }: StoredEndpoint): void {
    this.#remembered.delete(entry.key);
  }

  #remember(entry: Entry): void {
    this.#remembered.delete(entry.key);
    this.#remembered.set(entry.key, entry);
    const [oldest] = this.#remembered.keys();
    if (oldest !== undefined && this.#remembered.size > rememberedMax) this.#remembered.delete(oldest);
  }

  #record(
    attachment: Attachment,
    { spec, labels, annotations }: EndpointDescription,
    current: StoredEndpoint | undefined,
  ): object {
    const old = current?.endpoint?.metadata;
    const allAnnotations = { ...old?.annotations, ...annotations };
    return {
      kind: "WorkloadEndpoint",
      apiVersion,
      metadata: {
        name: attachment.endpointName,
        namespace: attachment.endpointNamespace,
        uid: old?.uid ?? this.#sources.uuid(),
        creationTimestamp: old?.creationTimestamp ?? `${this.#sources.now().toISOString().slice(0, 19)}Z`,
        labels,
        ...(Object.keys(allAnnotations).length > 0 && { annotations: allAnnotations }),
      },
      spec,
    };
  }
}

/** What an endpoint's record says besides its name. */
export interface EndpointDescription {
  readonly spec: WorkloadEndpoint["spec"];
  readonly labels: Readonly<Record<string, string>>;
  readonly annotations: Readonly<Record<string, string>>;
}

/** On endpoints without an IPAM handle, whose name says it otherwise: the CNI network that they belong to. */
export const networkAnnotation = "caracal/network";

/** A pod's endpoint (Calico's rules for each orchestrator). */
export function describeEndpoint(
  attachment: Attachment,
  config: NetworkConfig,
  node: string,
  found: {
    readonly addresses: readonly IpAddress[];
    readonly mac: string;
    readonly facts: PodFacts | undefined;
    readonly request: Pick<PodRequest, "floating" | "sourcePrefixes" | "qos" | "unmanaged">;
  },
): EndpointDescription {
  const { pod, orchestrator, containerId, ifname, hostName, endpointNamespace } = attachment;
  const { sourcePrefixes, qos, unmanaged } = found.request;
  const hasHandle = config.ipam.type === ownIpam && unmanaged.length === 0;
  const annotations: EndpointDescription["annotations"] = hasHandle
    ? {}
    : { [networkAnnotation]: config.name };
  const nats = found.request.floating.flatMap((external) => {
    const internal = found.addresses.find((one) => IpAddress.family(one) === IpAddress.family(external));
    if (internal === undefined) return [];
    return [{ internalIP: IpAddress.format(internal), externalIP: IpAddress.format(external) }];
  });
  const account = found.facts?.serviceAccount ?? "default";
  const common = {
    orchestrator,
    node,
    containerID: containerId,
    endpoint: ifname,
    ipNetworks: found.addresses.map(networkOf),
    interfaceName: hostName,
    mac: found.mac,
    ...(nats.length > 0 && { ipNATs: nats }),
    ...(sourcePrefixes.length > 0 && { allowSpoofedSourcePrefixes: [...sourcePrefixes] }),
    ...(qos.controls !== undefined && { qosControls: qos.controls }),
  };
  const labels = {
    ...found.facts?.labels,
    "projectcalico.org/namespace": endpointNamespace,
    "projectcalico.org/orchestrator": orchestrator,
  };
  if (pod === undefined) return { spec: { ...common, profiles: [config.name] }, labels, annotations };
  // Calico's rule: without the Kubernetes policy the network itself is the profile.
  const profiles = config.usesKubernetesPolicy
    ? [namespaceProfile(pod.namespace), serviceAccountProfile(pod.namespace, account)]
    : [config.name];
  return {
    spec: { ...common, pod: pod.name, serviceAccountName: account, profiles },
    labels: { ...labels, "projectcalico.org/serviceaccount": account },
    annotations,
  };
}

function networkOf(address: IpAddress): string {
  return `${IpAddress.format(address)}/${IpAddress.isIpv4(address) ? 32 : 128}`;
}

function keyOf(attachment: Attachment): string {
  return keys.resource(plural, attachment.endpointName, attachment.endpointNamespace);
}

function read(entry: Entry): StoredEndpoint {
  const reading = workloadEndpointKind.parse(parseText(entry.value), "store");
  return { entry, endpoint: reading.kind === "ok" ? reading.value : undefined };
}

function parseText(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

function saysTheSame(
  { spec, metadata }: WorkloadEndpoint,
  { spec: wanted, labels, annotations }: EndpointDescription,
): boolean {
  return (
    isSubset(wanted, spec) &&
    isSubset(labels, metadata.labels ?? {}) &&
    isSubset(annotations, metadata.annotations ?? {})
  );
}

function isSubset(wanted: object, found: object): boolean {
  const there = new Map(Object.entries(found));
  return Object.entries(wanted).every(
    ([key, value]) => JSON.stringify(value) === JSON.stringify(there.get(key)),
  );
}
