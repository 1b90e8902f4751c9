import { type Entry, keys, readResource, type Store } from "@caracal/datastore";
import { type AddressUse, type Audit, auditAllocations, readSnapshot } from "@caracal/ipam";
import { Prefix } from "@caracal/net";
import {
  type ClusterInformation,
  type IpPool,
  type KindName,
  type KubernetesService,
  type Node,
  parseJson,
  readKubernetesService,
  type Resources,
  type WorkloadEndpoint,
} from "@caracal/resources";
import { CliError } from "../cli-error.ts";
import type { Connection } from "../connection/with-connection.ts";

/** A cluster's IPAM at one moment, and what it was compared with. */
export interface ClusterAudit extends Audit {
  readonly cluster: ClusterInformation;
  readonly blocks: readonly {
    readonly cidr: Prefix;
    readonly affinity: string | undefined;
  }[];
  readonly pools: readonly string[];
  readonly nodeUses: readonly AddressUse[];
  readonly serviceUses: readonly AddressUse[];
  /** Whether the cluster is configured to give addresses to services. */
  readonly hasServiceController: boolean;
  readonly workloadUses: readonly AddressUse[];
  /** Which handle each was, by its id. */
  readonly handleVersions: ReadonlyMap<string, Pick<Entry, "revision" | "uid">>;
}

/** What an audit compares, in Calico's order: blocks before those who have their addresses. */
const auditedKinds = [
  "ippools",
  "nodes",
  "workloadendpoints",
  "clusterinformations",
  "kubecontrollersconfigurations",
] as const;

/** `services` are those of the cluster, where its API server can be asked. */
export async function takeAudit(
  connection: Pick<Connection, "store" | "datastoreType">,
  services?: readonly KubernetesService[],
): Promise<ClusterAudit> {
  const entries = await readEntries(connection);
  const snapshot = readSnapshot(entries);
  const cluster = resourcesOf("ClusterInformation", "clusterinformations", entries)[0];
  if (cluster === undefined) {
    throw new CliError("resource does not exist: ClusterInformation(default) with error: <nil>");
  }
  const pools = resourcesOf("IPPool", "ippools", entries).filter(({ spec }) => spec.disabled !== true);
  const nodeUses = nodesUses(entries);
  const workloadUses = workloadsUses(entries);
  const serviceUses =
    services === undefined ? assignedToServices(snapshot.blocks) : servicesUses(services, pools);
  const audit = auditAllocations({
    snapshot,
    pools: pools.flatMap(poolRange),
    uses: [...nodeUses, ...serviceUses, ...workloadUses],
  });
  return {
    ...audit,
    cluster,
    blocks: snapshot.blocks.map(({ cidr, record }) => ({ cidr, affinity: record.affinity })),
    pools: pools.map(({ spec }) => spec.cidr),
    nodeUses,
    serviceUses,
    hasServiceController: resourcesOf(
      "KubeControllersConfiguration",
      "kubecontrollersconfigurations",
      entries,
    ).some(({ spec }) => spec.controllers?.loadBalancer !== undefined),
    workloadUses,
    handleVersions: new Map(
      entries.flatMap((entry) => {
        const key = keys.parse(entry.key);
        return key?.kind === "handle" ? [[key.id, entry] as const] : [];
      }),
    ),
  };
}

/** Who has addresses now, whatever IPAM knows of it. */
export async function readUses(
  store: Store,
  services: readonly KubernetesService[],
): Promise<readonly AddressUse[]> {
  const prefixes = ["ippools", "nodes", "workloadendpoints"].map((plural) => keys.resources(plural));
  const listings = await Promise.all(prefixes.map((prefix) => store.list(prefix)));
  const entries = listings.flatMap((listing) => listing.entries);
  const pools = resourcesOf("IPPool", "ippools", entries);
  return [...nodesUses(entries), ...workloadsUses(entries), ...servicesUses(services, pools)];
}

/**
 * Everything at one revision where the store has one, so that nothing seems leaked that was only given or returned meanwhile.
 * Kubernetes has none: there it is what is needed, kind by kind, as a user may not be allowed to list any other.
 */
async function readEntries({
  store,
  datastoreType,
}: Pick<Connection, "store" | "datastoreType">): Promise<readonly Entry[]> {
  if (datastoreType !== "kubernetes") return (await store.list(keys.root)).entries;
  const entries: Entry[] = [];
  for (const prefix of [
    keys.blocks(),
    ...auditedKinds.map((plural) => keys.resources(plural)),
    keys.handles,
  ]) {
    entries.push(...(await store.list(prefix)).entries);
  }
  return entries;
}

function nodesUses(entries: readonly Entry[]): readonly AddressUse[] {
  return resourcesOf("Node", "nodes", entries).flatMap(nodeAddresses);
}

function workloadsUses(entries: readonly Entry[]): readonly AddressUse[] {
  return resourcesOf("WorkloadEndpoint", "workloadendpoints", entries).flatMap(workloadAddresses);
}

function servicesUses(
  services: readonly KubernetesService[],
  pools: readonly IpPool[],
): readonly AddressUse[] {
  return services.flatMap((service) => balancedAddresses(service, pools));
}

function resourcesOf<K extends KindName>(
  kind: K,
  plural: string,
  entries: readonly Entry[],
): readonly Resources[K][] {
  return entries.flatMap((entry) => {
    const key = keys.parse(entry.key);
    return key?.kind === "resource" && key.plural === plural ? (readResource(kind, entry) ?? []) : [];
  });
}

function poolRange({ spec }: IpPool): readonly { readonly cidr: Prefix }[] {
  const cidr = Prefix.parseInterface(spec.cidr)?.network;
  return cidr === undefined ? [] : [{ cidr }];
}

function nodeAddresses({ metadata, spec }: Node): readonly AddressUse[] {
  const texts = [
    spec.ipv4VXLANTunnelAddr,
    spec.ipv6VXLANTunnelAddr,
    spec.wireguard?.interfaceIPv4Address,
    spec.wireguard?.interfaceIPv6Address,
    spec.bgp?.ipv4IPIPTunnelAddr,
  ];
  return texts.flatMap((text) => usesOf(text, `Node(${metadata.name})`));
}

function workloadAddresses({ metadata, spec }: WorkloadEndpoint): readonly AddressUse[] {
  const owner = `Workload(${metadata.namespace ?? ""}/${metadata.name})`;
  return (spec.ipNetworks ?? []).flatMap((text) => usesOf(text, owner));
}

function usesOf(text: string | undefined, owner: string): readonly AddressUse[] {
  const address = text === undefined ? undefined : Prefix.parseInterface(text)?.address;
  return address === undefined ? [] : [{ address, owner }];
}

/** The services of a store that is a Kubernetes API server. */
export async function readServices(store: Store): Promise<readonly KubernetesService[]> {
  const { entries } = await store.list(keys.resources("kubernetesservices"));
  return entries.flatMap(({ value }) => {
    const document = parseJson(value);
    return document.kind === "ok" ? (readKubernetesService(document.value) ?? []) : [];
  });
}

/** What a service's load balancer was given of the pools that are for them; others' load balancers are none of IPAM's. */
function balancedAddresses(service: KubernetesService, pools: readonly IpPool[]): readonly AddressUse[] {
  const ranges = pools
    .filter(({ spec }) => spec.allowedUses?.includes("LoadBalancer") === true)
    .flatMap(poolRange);
  return service.loadBalancerIps
    .flatMap((text) => usesOf(text, `Service(${service.namespace}/${service.name})`))
    .filter(({ address }) => ranges.some(({ cidr }) => Prefix.contains(cidr, address)));
}

/**
 * Addresses of load balancers belong to Services, which only Kubernetes knows: without asking it they count as in use,
 * for taking one away from a service is worse than keeping one too many.
 */
function assignedToServices(blocks: ReturnType<typeof readSnapshot>["blocks"]): readonly AddressUse[] {
  return blocks.flatMap(({ cidr, record }) => {
    if (record.affinity?.startsWith("virtual:") !== true) return [];
    return [...record.allocations.entries()].flatMap(([ordinal, slot]) => {
      const address = slot === null ? undefined : Prefix.at(cidr, BigInt(ordinal));
      const attributes = slot === null ? undefined : record.attributes[slot];
      if (address === undefined || attributes?.releasedAt !== undefined) return [];
      const { service = "", namespace = "" } = attributes?.secondary ?? {};
      return [{ address, owner: `Service(${namespace}/${service})` }];
    });
  });
}
