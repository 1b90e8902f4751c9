/**
 * Calico's resources as values: schemas and the types inferred from them, defaults, validation in Calico's words,
 * selectors and an index of what they match, names, JSON. Pure. Manifests, and the YAML they are written in, have an entrance of
 * their own (`@caracal/resources/manifest`): the parser takes a while to load, and most commands need none.
 *
 * Standards: projectcalico.org/v3, JSON Schema, RFC 1123 names, RFC 5396 AS numbers.
 * Not here: the store, IPAM's algorithms, what follows from the resources.
 */
export { AsNumber, defaultAsNumber } from "./as-number.ts";
export { parseDurationSeconds } from "./formats.ts";
export { compileGoPattern } from "./go-pattern.ts";
export type { Immutable } from "./immutable.ts";
export {
  type AllocationAttribute,
  type AllocationBlock,
  AllocationBlockCodec,
  BlockAffinityCodec,
  type BlockAffinityRecord,
  defaultIpamConfig,
  type IpamConfig,
  IpamConfigCodec,
  type IpamHandle,
  IpamHandleCodec,
  type RecordCodec,
} from "./ipam-records.ts";
export type { Written } from "./written.ts";
export { jsonSchemaOf } from "./json-schema.ts";
export { parseJson, toJson, writeJson } from "./json-text.ts";
export type { DocumentSource, ImmutableField, Kind, Metadata, Operation, ResourceBase } from "./kind.ts";
export {
  applyDefaults,
  findKind,
  isKindName,
  type KindName,
  kinds,
  parseResource,
  type Resource,
  type Resources,
  validate,
} from "./kinds.ts";
export { type BgpConfiguration, bgpConfigurationKind } from "./kinds/bgp-configuration.ts";
export { type BgpFilter, bgpFilterKind, type BgpFilterRule } from "./kinds/bgp-filter.ts";
export { type BgpPeer, bgpPeerKind } from "./kinds/bgp-peer.ts";
export { type ClusterInformation, clusterInformationKind } from "./kinds/cluster-information.ts";
export {
  blockSizeLimits,
  checkPoolOverlap,
  defaultBlockSize,
  type EncapsulationMode,
  type IpPool,
  ipPoolKind,
  poolFamily,
} from "./kinds/ip-pool.ts";
export { type IpReservation, ipReservationKind } from "./kinds/ip-reservation.ts";
export { type IpamConfiguration, ipamConfigurationKind } from "./kinds/ipam-configuration.ts";
export { type Node, nodeKind } from "./kinds/node.ts";
export { type BlockAffinity, blockAffinityKind } from "./kinds/block-affinity.ts";
export { type CalicoNodeStatus, calicoNodeStatusKind } from "./kinds/calico-node-status.ts";
export { type FelixConfiguration, felixConfigurationKind } from "./kinds/felix-configuration.ts";
export { type GlobalNetworkPolicy, globalNetworkPolicyKind } from "./kinds/global-network-policy.ts";
export { type HostEndpoint, hostEndpointKind } from "./kinds/host-endpoint.ts";
export {
  type KubeControllersConfiguration,
  kubeControllersConfigurationKind,
} from "./kinds/kube-controllers-configuration.ts";
export { type NetworkPolicy, networkPolicyKind } from "./kinds/network-policy.ts";
export {
  type GlobalNetworkSet,
  globalNetworkSetKind,
  type NetworkSet,
  networkSetKind,
} from "./kinds/network-set.ts";
export { type Profile, profileKind, defaultAllowProfile } from "./kinds/profile.ts";
export {
  type StagedGlobalNetworkPolicy,
  stagedGlobalNetworkPolicyKind,
} from "./kinds/staged-global-network-policy.ts";
export {
  type StagedKubernetesNetworkPolicy,
  stagedKubernetesNetworkPolicyKind,
} from "./kinds/staged-kubernetes-network-policy.ts";
export { type StagedNetworkPolicy, stagedNetworkPolicyKind } from "./kinds/staged-network-policy.ts";
export { type Tier, tierKind, compareTiers, fixedTiers } from "./kinds/tier.ts";
export { type WorkloadEndpoint, workloadEndpointKind } from "./kinds/workload-endpoint.ts";
export { type KubernetesEndpointSlice, readKubernetesEndpointSlice } from "./kubernetes/endpoint-slice.ts";
export { calicoPolicySpec } from "./kubernetes/network-policy.ts";
export { type KubernetesService, readKubernetesService } from "./kubernetes/service.ts";
export { toList } from "./list-document.ts";
export { defaultTier, formerPolicyNames, kubernetesPolicyPrefix } from "./policy/policy-names.ts";
export type { EntityRule, Rule } from "./policy/rule-schema.ts";
export { parsePeerAddress, type PeerAddress } from "./peer-address.ts";
export { checkLabels } from "./metadata.ts";
export { describeProblems, type Problem } from "./problem.ts";
export {
  type DirectionQos,
  directionQos,
  type QosControls,
  type QosDirection,
  type QosReading,
  readQosControls,
} from "./qos/qos-controls.ts";
export { apiVersion } from "./resource-schema.ts";
export { isRecord, type Reading } from "./schema-reader.ts";
export type { Selector } from "./selector/ast.ts";
export { type Labels, matchesSelector } from "./selector/evaluate.ts";
export { formatSelector } from "./selector/format.ts";
export { parseSelector, type SelectorError, type SelectorParsing } from "./selector/parse.ts";
export { type MatchChange, SelectorIndex } from "./selector/selector-index.ts";
export {
  hostInterfaceHashInput,
  hostInterfaceName,
  podInterfacePrefix,
  namespaceProfile,
  parseWorkloadEndpointName,
  serviceAccountProfile,
  type WorkloadIdentity,
  workloadEndpointName,
  workloadEndpointNamePrefix,
} from "./workload-name.ts";
