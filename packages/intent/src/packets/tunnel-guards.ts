import { type IpFamily, Prefix } from "@caracal/net";
import type { ClusterFacts, ClusterResources, NodeFacts } from "../cluster.ts";
import type { FelixSettings } from "../felix-settings.ts";
import { defaultVxlanPort, overlayOf } from "../tunnels/overlay.ts";
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
  readonly resources: ClusterResources;
  readonly self: NodeFacts;
  readonly felix: FelixSettings;
}

/** The guards of the encapsulations in use on a node. */
export function tunnelGuards({ cluster, resources, self, felix }: GuardSources): readonly TunnelGuard[] {
  const { usesIpip, usesVxlan } = overlayOf({ cluster, self, felix, speaksBgp: true });
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
      senders: nodePrefixes(cluster, felix, family, vxlanNodes(resources, family)),
      isOpenToWorkloads: felix.allowVXLANPacketsFromWorkloads === true,
    });
  }
  return guards;
}

/** The addresses of the nodes, and of those outside the cluster that count as nodes. */
export function nodePrefixes(
  cluster: ClusterFacts,
  felix: FelixSettings,
  family: IpFamily,
  names?: ReadonlySet<string>,
): readonly Prefix[] {
  const nodes = (cluster.speakers.get(family) ?? [])
    .filter(({ node }) => names?.has(node.name) !== false)
    .map(({ address }) => Prefix.host(address));
  const others = (felix.externalNodesList ?? []).flatMap((text) => Prefix.parse(text) ?? []);
  return withoutCovered([...nodes, ...others.filter((prefix) => prefix.family === family)]);
}

/** A node without a tunnel address has no end of a tunnel to send from. */
function vxlanNodes({ nodes }: ClusterResources, family: IpFamily): ReadonlySet<string> {
  const ends = nodes.filter(({ spec }) =>
    family === 4 ? spec.ipv4VXLANTunnelAddr !== undefined : spec.ipv6VXLANTunnelAddr !== undefined,
  );
  return new Set(ends.map(({ metadata }) => metadata.name));
}
