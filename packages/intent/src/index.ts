/**
 * What one node should do, computed from the cluster's resources: its BGP sessions and origins, what it exports, which
 * learned routes it programs and how, its blackholes and pod routes, its tunnels and what goes through them, its NAT and
 * what it lets in through tunnels. Pure, deterministic, cheap to recompute.
 *
 * Standards: Calico's node-to-node mesh, BGPPeer and BIRD template semantics; RFC 4271, RFC 4456, RFC 5082 settings.
 * Not here: the BGP protocol, the kernel, policy.
 */
export { backendAnnotation, nodeSpeaksBgp } from "./backend-report.ts";
export {
  asNumberOf,
  type ClusterFacts,
  clusterFacts,
  type ClusterResources,
  type NodeAddress,
  type NodeFacts,
  type PoolFacts,
  type Speaker,
} from "./cluster.ts";
export type { PrefixAdvertisement } from "./communities.ts";
export { decideExport, type ExportPolicy, type ExportVerdict } from "./export-policy.ts";
export { defaultDeviceRoutes, type DeviceRouteSettings } from "./device-routes.ts";
export { type FelixSettings, felixSettingsOf } from "./felix-settings.ts";
export { type IntentProblem, unreadableProblem } from "./intent-problem.ts";
export { formatMtuReport, mtuAnnotation, type MtuReport } from "./mtu-report.ts";
export { mtuFaults, type NodeMtus, nodeMtus } from "./node-mtus.ts";
export {
  type BgpIntent,
  type IntentInput,
  type IntentSettings,
  type KernelIntent,
  type NodeIntent,
  nodeIntent,
  type OriginIntent,
} from "./node-intent.ts";
export { type BlockAffinity, ownBlocks } from "./own-blocks.ts";
export { type FilterIntent, type FilterRuleIntent, type PeerFilter, peerFilterOf } from "./peer-filters.ts";
export type { FloatingAddress } from "./packets/floating-addresses.ts";
export type { OutgoingNat } from "./packets/outgoing-nat.ts";
export { type PacketInput, type PacketIntent, packetIntents } from "./packets/packet-intent.ts";
export type { TunnelGuard } from "./packets/tunnel-guards.ts";
export type { DirectionLimits, WorkloadLimits } from "./packets/workload-limits.ts";
export { bgpPort, type PeerIntent, type PeerType, type SecretKey } from "./peer-intent.ts";
export type { PodRoute } from "./pod-routes.ts";
export { ipv4OverIpv6Annotation } from "./peering.ts";
export { decideProgramming, type ProgrammingPolicy, type ProgrammingVerdict } from "./programming-policy.ts";
export type { RouterIdSettings } from "./router-id.ts";
export {
  type BorrowedAddress,
  isSameRoutedBlock,
  type RoutedBlock,
  routedBlockOf,
} from "./tunnels/routed-block.ts";
export { isRoutedByWorkload, routedWorkload } from "./tunnels/route-source.ts";
export { TunnelEnds } from "./tunnels/tunnel-ends.ts";
export { takenTunnelAddresses } from "./tunnels/tunnel-problems.ts";
export {
  type IpipTunnel,
  type Tunnel,
  type TunnelInput,
  type TunnelIntent,
  tunnelIntent,
  type TunnelRoute,
  type TunnelSettings,
  type Vtep,
  type VxlanTunnel,
} from "./tunnels/tunnel-intent.ts";
export type { Lingering } from "./tunnels/overlay.ts";
