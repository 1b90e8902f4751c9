/** Random clusters of BGP resources: nodes of every sort, and BGPPeers in every form that Calico has. */
import fc from "fast-check";
import type { BgpPeer } from "@caracal/resources";
import type { ClusterResources } from "../src/index.ts";
import { cluster, configuration, node, peer } from "./scenario.ts";

const labels = fc.record({ rack: fc.constantFrom("1", "2"), rr: fc.constantFrom("yes", "no") });
const selector = fc.constantFrom("all()", "rack == '1'", "rr == 'yes'", "rr == 'no' && rack == '2'");
const asNumber = fc.integer({ min: 64512, max: 64515 });

const nodeSpec = fc.record({
  has4: fc.boolean(),
  has6: fc.option(fc.boolean(), { freq: 1 }),
  asNumber: fc.option(asNumber),
  clusterId: fc.option(fc.constantFrom("1.0.0.1", "1.0.0.2"), { freq: 1 }),
  listenPort: fc.option(fc.integer({ min: 1000, max: 1002 }), { freq: 1 }),
  labels,
});

/** Of the peer: nodes by selector, a node's address with any AS and port, or something outside the cluster. */
const target: fc.Arbitrary<Pick<BgpPeer["spec"], "peerSelector" | "peerIP" | "asNumber">> = fc.oneof(
  selector.map((peerSelector) => ({ peerSelector })),
  fc
    .record({ last: fc.integer({ min: 1, max: 8 }), port: fc.constantFrom("", "", ":1000"), asNumber })
    .map(({ last, port, asNumber: asn }) => ({ peerIP: `10.0.0.${last}${port}`, asNumber: asn })),
  asNumber.map((asn) => ({ peerIP: "10.9.9.9", asNumber: asn })),
);

const peerSpec: fc.Arbitrary<BgpPeer["spec"]> = fc
  .record({
    where: fc.oneof(
      fc.constant({}),
      selector.map((nodeSelector) => ({ nodeSelector })),
      fc.integer({ min: 0, max: 7 }).map((index) => ({ node: `n${index}` })),
    ),
    target,
    localASNumber: fc.option(asNumber, { freq: 1 }),
    reversePeering: fc.option(fc.constantFrom("Auto" as const, "Manual" as const), { freq: 1 }),
  })
  .map(({ where, target: peerOf, localASNumber, reversePeering }) => ({
    ...where,
    ...peerOf,
    ...(localASNumber === null ? {} : { localASNumber }),
    ...(reversePeering === null ? {} : { reversePeering }),
  }));

/** Clusters of up to eight nodes and four BGPPeers. */
export const clusterArb: fc.Arbitrary<ClusterResources> = fc
  .record({
    nodes: fc.array(nodeSpec, { maxLength: 8 }),
    peers: fc.array(peerSpec, { maxLength: 4 }),
    mesh: fc.option(fc.boolean()),
    asNumber: fc.option(asNumber),
  })
  .map(({ nodes, peers, mesh, asNumber: clusterAs }) =>
    cluster({
      nodes: nodes.map((one, index) =>
        node(
          `n${index}`,
          {
            ...(one.has4 || one.has6 !== true ? { ipv4Address: `10.0.0.${index + 1}/24` } : {}),
            ...(one.has6 === true ? { ipv6Address: `fd00::${index + 1}/64` } : {}),
            ...(one.asNumber === null ? {} : { asNumber: one.asNumber }),
            ...(one.clusterId === null ? {} : { routeReflectorClusterID: one.clusterId }),
          },
          one.labels,
        ),
      ),
      bgpPeers: peers.map((spec, index) => peer(`p${index}`, spec)),
      bgpConfigurations: [
        configuration("default", {
          ...(mesh === null ? {} : { nodeToNodeMeshEnabled: mesh }),
          ...(clusterAs === null ? {} : { asNumber: clusterAs }),
        }),
        ...nodes.flatMap((one, index) =>
          one.listenPort === null ? [] : [configuration(`node.n${index}`, { listenPort: one.listenPort })],
        ),
      ],
    }),
  );
