import { IpAddress, type IpFamily, type Prefix } from "@caracal/net";
import type { WorkloadEndpoint } from "@caracal/resources";
import { type ClusterFacts, clusterFacts, type ClusterResources, missingNode } from "../cluster.ts";
import { type FelixSettings, felixSettingsOf } from "../felix-settings.ts";
import { serviceRanges } from "../service-ranges.ts";
import type { Lingering } from "../tunnels/overlay.ts";
import { type FloatingAddress, floatingAddresses } from "./floating-addresses.ts";
import { type OutgoingNat, outgoingNat, poolPrefixes } from "./outgoing-nat.ts";
import { type GuardSources, type TunnelGuard, tunnelGuards } from "./tunnel-guards.ts";
import { withoutCovered } from "./without-covered.ts";
import { type WorkloadLimits, workloadLimits } from "./workload-limits.ts";

/** All that a node's packet filter depends on. */
export interface PacketInput {
  readonly node: string;
  readonly cluster: ClusterResources;
  /** Workload endpoints; those of other nodes are ignored. */
  readonly endpoints: readonly WorkloadEndpoint[];
  /** What the daemon's environment says of the agent's settings. */
  readonly environment?: FelixSettings;
  readonly lingering?: Lingering | undefined;
}

/** What becomes of packets of one family on their way through the node. */
export interface PacketIntent {
  readonly family: IpFamily;
  /** Absent when no pool asks for it. */
  readonly outgoing?: OutgoingNat;
  /** Ordered by the outer address, each once. */
  readonly floating: readonly FloatingAddress[];
  /** One for each encapsulation in use. */
  readonly guards: readonly TunnelGuard[];
  /** The same for both families: a workload's packets of either count. */
  readonly limits: readonly WorkloadLimits[];
  /** The pools, absent when nobody asks who is outside of them. */
  readonly clusterRanges?: readonly Prefix[];
  /** Service addresses that kube-proxy has not translated: they would go round in circles. */
  readonly serviceLoops?: { readonly ranges: readonly Prefix[]; readonly action: "drop" | "reject" };
}

/**
 * Computes what a node does to packets of each family beside routing them. Equal input gives equal output. What is wrong
 * with floating addresses stands among the problems of `nodeIntent`, which routes them.
 */
export function packetIntents({
  node,
  cluster: resources,
  endpoints,
  environment,
  lingering,
}: PacketInput): readonly PacketIntent[] {
  const cluster = clusterFacts(resources);
  // Pods outlive their Node resource, and so does what they need.
  const self = cluster.nodesByName.get(node) ?? missingNode(node);
  const felix = felixSettingsOf(resources.felixConfigurations ?? [], self, environment);
  const floating = floatingAddresses({ cluster, node, endpoints, felix, problems: [] });
  const limits = workloadLimits(node, endpoints);
  const marksLeaving = limits.some(({ dscp }) => dscp !== undefined);
  return standing({ cluster, self, felix, lingering }).map((intent) => ({
    ...intent,
    floating: floating.filter(({ external }) => IpAddress.family(external) === intent.family),
    limits,
    ...(marksLeaving && { clusterRanges: poolPrefixes(cluster, intent.family) }),
  }));
}

/** What follows from the cluster's resources alone. */
type StandingIntent = Omit<PacketIntent, "floating" | "limits" | "clusterRanges">;

// Pods come and go much more often than what thousands of nodes are worked through for.
const known = new WeakMap<
  ClusterFacts,
  { readonly sources: string; readonly intents: readonly StandingIntent[] }
>();

function standing(sources: GuardSources): readonly StandingIntent[] {
  const { self, felix, lingering } = sources;
  const text = JSON.stringify([self.name, felix, lingering?.ipip, [...(lingering?.vxlan ?? [])]]);
  const found = known.get(sources.cluster);
  if (found?.sources === text) return found.intents;
  const intents = ([4, 6] as const).map((family) => standingIntent(sources, family));
  known.set(sources.cluster, { sources: text, intents });
  return intents;
}

function standingIntent(sources: GuardSources, family: IpFamily): StandingIntent {
  const { cluster, self, felix } = sources;
  const outgoing = outgoingNat(cluster, felix, family);
  const action = loopAction(felix);
  const ranges = serviceRanges(cluster, self).configured.filter((range) => range.family === family);
  return {
    family,
    ...(outgoing === undefined ? {} : { outgoing }),
    guards: tunnelGuards(sources).filter((guard) => guard.family === family),
    ...(action === undefined || ranges.length === 0
      ? {}
      : { serviceLoops: { ranges: withoutCovered(ranges), action } }),
  };
}

function loopAction({ serviceLoopPrevention = "Drop" }: FelixSettings): "drop" | "reject" | undefined {
  if (serviceLoopPrevention === "Disabled") return undefined;
  return serviceLoopPrevention === "Drop" ? "drop" : "reject";
}
