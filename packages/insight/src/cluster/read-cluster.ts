import { keys, resourceReading, type Store } from "@caracal/datastore";
import {
  type BlockAffinity,
  type ClusterResources,
  type IntentProblem,
  type RoutedBlock,
  routedBlockOf,
  unreadableProblem,
} from "@caracal/intent";
import {
  AllocationBlockCodec,
  BlockAffinityCodec,
  type KindName,
  kinds,
  parseJson,
  readKubernetesEndpointSlice,
  readKubernetesService,
  type Resources,
  type WorkloadEndpoint,
} from "@caracal/resources";

/** The whole cluster as its datastore has it: all that the nodes' intents follow from. */
export interface ClusterSnapshot {
  readonly resources: ClusterResources;
  readonly affinities: readonly BlockAffinity[];
  readonly blocks: readonly RoutedBlock[];
  readonly endpoints: readonly WorkloadEndpoint[];
}

/** Reads the cluster once. Throws `StoreError`; entries that cannot be read are left out and told of, as the daemons do. */
export async function readCluster(store: Store): Promise<ClusterSnapshot> {
  const unreadable: IntentProblem[] = [];
  const all = <K extends KindName>(kind: K): Promise<readonly Resources[K][]> =>
    readAll(store, kind, unreadable);
  const [nodes, pools, bgpConfigurations, bgpPeers, bgpFilters, felixConfigurations, endpoints] =
    await Promise.all([
      all("Node"),
      all("IPPool"),
      all("BGPConfiguration"),
      all("BGPPeer"),
      all("BGPFilter"),
      all("FelixConfiguration"),
      all("WorkloadEndpoint"),
    ]);
  const [affinities, blocks, services, endpointSlices] = await Promise.all([
    readAffinities(store),
    readBlocks(store),
    readDocuments(store, "kubernetesservices", readKubernetesService),
    readDocuments(store, "kubernetesendpointslices", readKubernetesEndpointSlice),
  ]);
  const settings = { bgpConfigurations, bgpPeers, bgpFilters, felixConfigurations };
  return {
    resources: { nodes, pools, ...settings, services, endpointSlices, unreadable },
    affinities,
    blocks,
    endpoints,
  };
}

async function readAll<K extends KindName>(
  store: Store,
  kind: K,
  unreadable: IntentProblem[],
): Promise<readonly Resources[K][]> {
  const { entries } = await store.list(keys.resources(kinds[kind].plural));
  return entries.flatMap((entry) => {
    const reading = resourceReading(kind, entry);
    if (reading.kind === "ok") return [reading.value];
    const name = entry.key.slice(entry.key.lastIndexOf("/") + 1);
    unreadable.push(unreadableProblem(`${kind}(${name})`, reading.problems));
    return [];
  });
}

/** Kubernetes' own kinds, whose values are Kubernetes' documents. */
async function readDocuments<T>(
  store: Store,
  plural: string,
  read: (document: unknown) => T | undefined,
): Promise<readonly T[]> {
  const { entries } = await store.list(keys.resources(plural));
  return entries.flatMap(({ value }) => {
    const document = parseJson(value);
    return (document.kind === "bad" ? undefined : read(document.value)) ?? [];
  });
}

async function readAffinities(store: Store): Promise<readonly BlockAffinity[]> {
  const { entries } = await store.list(keys.affinities("host"));
  return entries.flatMap(({ key, value }) => {
    const parsed = keys.parse(key);
    const record = BlockAffinityCodec.parse(value);
    if (parsed?.kind !== "affinity" || record.kind === "bad") return [];
    return [{ node: parsed.owner.name, block: parsed.cidr, state: record.value.state }];
  });
}

async function readBlocks(store: Store): Promise<readonly RoutedBlock[]> {
  const { entries } = await store.list(keys.blocks());
  return entries.flatMap(({ value }) => {
    const record = AllocationBlockCodec.parse(value);
    return record.kind === "bad" ? [] : (routedBlockOf(record.value) ?? []);
  });
}
