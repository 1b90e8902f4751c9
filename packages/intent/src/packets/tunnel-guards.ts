import { type IpFamily, Prefix } from "@caracal/net";
import type { ClusterFacts, NodeFacts } from "../cluster.ts";
import type { FelixSettings } from "../felix-settings.ts";
import { defaultVxlanPort, type Lingering, overlayOf } from "../tunnels/overlay.ts";
import { withoutCovered } from "./without-covered.ts";

/** Who may send encapsulated packets to the node: what is inside them comes past every other check. */
export interface TunnelGuard {
  readonly kind: "ipip" | "vxlan";
  readonly family: IpFamily;
  /** The device that the node itself sends by. */
  readonly device: "tunl0" | "vxlan.calico" | "vxlan-v6.calico";
  /** Of VXLAN's UDP. */
  readonly port?: number;
  readonly senders: readonly Prefix[];
  /** Workloads may send such packets out, to whom they like. */
  readonly isOpenToWorkloads: boolean;
}

/** What the guards of a node follow from. */
export interface GuardSources {
  readonly cluster: ClusterFacts;
  readonly self: NodeFacts;
  readonly felix: FelixSettings;
  readonly lingering?: Lingering | undefined;
}

/** The guards of the encapsulations in use on a node. */
export function tunnelGuards({ cluster, self, felix, lingering }: GuardSources): readonly TunnelGuard[] {
  const { usesIpip, usesVxlan } = overlayOf({ cluster, self, felix, speaksBgp: true, lingering });
  const guards: TunnelGuard[] = [];
  if (usesIpip) {
    guards.push({
      kind: "ipip",
      family: 4,
      device: "tunl0",
      senders: nodePrefixes(cluster, felix, 4),
      isOpenToWorkloads: felix.allowIPIPPacketsFromWorkloads === true,
    });
  }
  for (const family of usesVxlan) {
    guards.push({
      kind: "vxlan",
      family,
      device: family === 4 ? "vxlan.calico" : "vxlan-v6.calico",
      port: felix.vxlanPort ?? defaultVxlanPort,
      senders: nodePrefixes(cluster, felix, family),
      isOpenToWorkloads: felix.allowVXLANPacketsFromWorkloads === true,
    });
  }
  return guards;
}

/**
 * The addresses of the nodes, and of those outside the cluster that count as nodes. Every node: one that has just learned of a
 * pool's encapsulation may send before its own tunnel address is known here.
 */
export function nodePrefixes(
  cluster: ClusterFacts,
  felix: FelixSettings,
  family: IpFamily,
): readonly Prefix[] {
  const nodes = (cluster.speakers.get(family) ?? []).map(({ address }) => Prefix.host(address));
  const others = (felix.externalNodesList ?? []).flatMap((text) => Prefix.parse(text) ?? []);
  return withoutCovered([...nodes, ...others.filter((prefix) => prefix.family === family)]);
}
