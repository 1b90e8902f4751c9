import type { Kind } from "./kind.ts";
import { type BgpConfiguration, bgpConfigurationKind } from "./kinds/bgp-configuration.ts";
import { type BgpFilter, bgpFilterKind } from "./kinds/bgp-filter.ts";
import { type BgpPeer, bgpPeerKind } from "./kinds/bgp-peer.ts";
import { type BlockAffinity, blockAffinityKind } from "./kinds/block-affinity.ts";
import { type CalicoNodeStatus, calicoNodeStatusKind } from "./kinds/calico-node-status.ts";
import { type ClusterInformation, clusterInformationKind } from "./kinds/cluster-information.ts";
import { type FelixConfiguration, felixConfigurationKind } from "./kinds/felix-configuration.ts";
import { type GlobalNetworkPolicy, globalNetworkPolicyKind } from "./kinds/global-network-policy.ts";
import { type HostEndpoint, hostEndpointKind } from "./kinds/host-endpoint.ts";
import { type IpPool, ipPoolKind } from "./kinds/ip-pool.ts";
import { type IpReservation, ipReservationKind } from "./kinds/ip-reservation.ts";
import { type IpamConfiguration, ipamConfigurationKind } from "./kinds/ipam-configuration.ts";
import {
  type KubeControllersConfiguration,
  kubeControllersConfigurationKind,
} from "./kinds/kube-controllers-configuration.ts";
import { type NetworkPolicy, networkPolicyKind } from "./kinds/network-policy.ts";
import {
  type GlobalNetworkSet,
  globalNetworkSetKind,
  type NetworkSet,
  networkSetKind,
} from "./kinds/network-set.ts";
import { type Node, nodeKind } from "./kinds/node.ts";
import { type Profile, profileKind } from "./kinds/profile.ts";
import {
  type StagedGlobalNetworkPolicy,
  stagedGlobalNetworkPolicyKind,
} from "./kinds/staged-global-network-policy.ts";
import {
  type StagedKubernetesNetworkPolicy,
  stagedKubernetesNetworkPolicyKind,
} from "./kinds/staged-kubernetes-network-policy.ts";
import { type StagedNetworkPolicy, stagedNetworkPolicyKind } from "./kinds/staged-network-policy.ts";
import { type Tier, tierKind } from "./kinds/tier.ts";
import { type WorkloadEndpoint, workloadEndpointKind } from "./kinds/workload-endpoint.ts";
import { display, problem, type Problem } from "./problem.ts";
import { isRecord, type Reading } from "./schema-reader.ts";
import { apiVersion } from "./resource-schema.ts";
import { nearest } from "./suggest.ts";

/** The resource type of every kind. */
export interface Resources {
  readonly BGPConfiguration: BgpConfiguration;
  readonly BGPFilter: BgpFilter;
  readonly BGPPeer: BgpPeer;
  readonly BlockAffinity: BlockAffinity;
  readonly CalicoNodeStatus: CalicoNodeStatus;
  readonly ClusterInformation: ClusterInformation;
  readonly FelixConfiguration: FelixConfiguration;
  readonly GlobalNetworkPolicy: GlobalNetworkPolicy;
  readonly GlobalNetworkSet: GlobalNetworkSet;
  readonly HostEndpoint: HostEndpoint;
  readonly IPAMConfiguration: IpamConfiguration;
  readonly IPPool: IpPool;
  readonly IPReservation: IpReservation;
  readonly KubeControllersConfiguration: KubeControllersConfiguration;
  readonly NetworkPolicy: NetworkPolicy;
  readonly NetworkSet: NetworkSet;
  readonly Node: Node;
  readonly Profile: Profile;
  readonly StagedGlobalNetworkPolicy: StagedGlobalNetworkPolicy;
  readonly StagedKubernetesNetworkPolicy: StagedKubernetesNetworkPolicy;
  readonly StagedNetworkPolicy: StagedNetworkPolicy;
  readonly Tier: Tier;
  readonly WorkloadEndpoint: WorkloadEndpoint;
}

export type KindName = keyof Resources;

/** Any resource; `kind` tells which. */
export type Resource = Resources[KindName];

/** Every kind, by the name in its documents. */
export const kinds: { readonly [Name in KindName]: Kind<Resources[Name]> } = {
  BGPConfiguration: bgpConfigurationKind,
  BGPFilter: bgpFilterKind,
  BGPPeer: bgpPeerKind,
  BlockAffinity: blockAffinityKind,
  CalicoNodeStatus: calicoNodeStatusKind,
  ClusterInformation: clusterInformationKind,
  FelixConfiguration: felixConfigurationKind,
  GlobalNetworkPolicy: globalNetworkPolicyKind,
  GlobalNetworkSet: globalNetworkSetKind,
  HostEndpoint: hostEndpointKind,
  IPAMConfiguration: ipamConfigurationKind,
  IPPool: ipPoolKind,
  IPReservation: ipReservationKind,
  KubeControllersConfiguration: kubeControllersConfigurationKind,
  NetworkPolicy: networkPolicyKind,
  NetworkSet: networkSetKind,
  Node: nodeKind,
  Profile: profileKind,
  StagedGlobalNetworkPolicy: stagedGlobalNetworkPolicyKind,
  StagedKubernetesNetworkPolicy: stagedKubernetesNetworkPolicyKind,
  StagedNetworkPolicy: stagedNetworkPolicyKind,
  Tier: tierKind,
  WorkloadEndpoint: workloadEndpointKind,
};

const byAlias: ReadonlyMap<string, Kind<Resource>> = new Map(
  Object.values(kinds).flatMap((kind: Kind<Resource>) => kind.aliases.map((alias) => [alias, kind] as const)),
);

/** Whether `name` is exactly a kind's name, as in documents. */
export function isKindName(name: string): name is KindName {
  return Object.hasOwn(kinds, name);
}

/** The kind that a person's word names, in any case: `ippool`, `IPPools`, `pool`. */
export function findKind(word: string): Kind<Resource> | undefined {
  return byAlias.get(word.toLowerCase());
}

/** Reads one document of any kind. A user's is strict and checked; a stored one is read tolerantly. */
export function parseResource(document: unknown, source: "user" | "store"): Reading<Resource> {
  if (!isRecord(document))
    return { kind: "bad", problems: [problem("", document, "must be a mapping of fields")] };
  const { kind: name, apiVersion: version } = document;
  if (typeof name !== "string" || name === "") {
    return { kind: "bad", problems: [problem("kind", undefined, "is required", { allowed: kindNames })] };
  }
  if (!isKindName(name)) {
    const hint = nearest(name, Object.keys(kinds));
    const reason =
      hint === undefined ? "unknown resource type" : `unknown resource type, did you mean ${hint}?`;
    return { kind: "bad", problems: [problem("kind", name, reason, { allowed: kindNames })] };
  }
  if (version !== apiVersion) {
    const found = version === undefined || version === null ? undefined : display(version);
    const reason = found === undefined ? "is required" : "unknown API version";
    return { kind: "bad", problems: [problem("apiVersion", found, reason, { allowed: apiVersion })] };
  }
  return kinds[name].parse(document, source);
}

/** Everything wrong with a resource as a user's input. */
export function validate(resource: unknown): readonly Problem[] {
  const reading = parseResource(resource, "user");
  return reading.kind === "ok" ? [] : reading.problems;
}

/** The resource with the defaults of its schema filled in, as Calico's client does when it reads and writes. */
export function applyDefaults(resource: Resource): Resource {
  const reading = parseResource(resource, "store");
  return reading.kind === "ok" ? reading.value : resource;
}

const kindNames = Object.keys(kinds).join(", ");
