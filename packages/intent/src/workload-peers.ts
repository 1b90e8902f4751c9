import { IpAddress, Prefix } from "@caracal/net";
import type { WorkloadEndpoint } from "@caracal/resources";
import { asNumberOf, type ClusterFacts, type NodeFacts } from "./cluster.ts";
import { compareText, type IntentProblem } from "./intent-problem.ts";
import { bgpPort, nextHopOf, type PeerIntent, peerName, timersOf } from "./peer-intent.ts";
import type { Peering } from "./peering.ts";

/** Sessions with the node's own workloads that BGPPeers select: the workload connects, to whatever address it sees of ours. */
export function workloadPeers(
  cluster: ClusterFacts,
  self: NodeFacts,
  endpoints: readonly WorkloadEndpoint[],
  problems: IntentProblem[],
): readonly PeerIntent[] {
  const peerings = cluster.peerings.filter(({ isWorkload }) => isWorkload !== undefined);
  if (peerings.length === 0) return [];
  const local = endpoints
    .filter(({ spec }) => spec.node === self.name)
    .toSorted((a, b) => compareText(a.metadata.name, b.metadata.name));
  const peers = new Map<string, PeerIntent>();
  for (const peering of peerings.filter(({ isLocal }) => isLocal(self))) {
    if ((peering.spec.asNumber ?? 0) === 0) {
      const message = "has no asNumber, so no session can open; it is left out";
      problems.push({ about: `BGPPeer(${peering.name})`, message });
      continue;
    }
    for (const { metadata, spec } of local) {
      if (peering.isWorkload?.(metadata.labels ?? {}) !== true) continue;
      for (const address of addressesOf(spec.ipNetworks)) {
        const text = IpAddress.format(address);
        if (self.addresses.has(IpAddress.family(address)) && !peers.has(text))
          peers.set(text, workloadPeer(cluster, self, peering, address));
      }
    }
  }
  return [...peers.values()].toSorted((a, b) => IpAddress.compare(a.address, b.address));
}

function addressesOf(networks: readonly string[] = []): readonly IpAddress[] {
  return networks.flatMap((text) => Prefix.parse(text)?.address ?? []);
}

function workloadPeer(
  cluster: ClusterFacts,
  self: NodeFacts,
  { name, spec }: Peering,
  address: IpAddress,
): PeerIntent {
  const { asNumber = 0, localASNumber = 0, ttlSecurity = 0 } = spec;
  const localAsNumber = localASNumber === 0 ? asNumberOf(cluster, self) : localASNumber;
  const secret = spec.password?.secretKeyRef;
  return {
    name: peerName("workload", IpAddress.format(address), undefined),
    type: "workload",
    family: IpAddress.family(address),
    address,
    port: bgpPort,
    remoteAsNumber: asNumber,
    localAsNumber,
    isPassive: true,
    bgpPeer: name,
    ...(ttlSecurity === 0 ? {} : { ttlSecurityHops: ttlSecurity }),
    nextHop: nextHopOf(spec, asNumber, localAsNumber),
    allowedLocalAsCount: spec.numAllowedLocalASNumbers ?? 0,
    ...timersOf(spec),
    ...(secret?.name === undefined ? {} : { password: { name: secret.name, key: secret.key } }),
    filters: spec.filters ?? [],
  };
}
