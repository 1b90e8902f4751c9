/**
 * Aim: a move to reflectors is refused where it cannot work, and the comparison of tables finds every path that would be
 * missing. Method: small clusters, and tables written out.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import type { RouteTable, TableRoute } from "@caracal/questions";
import { lostRoutes, missingDirectly, missingThrough, planReflectors } from "@caracal/insight";
import { anyCluster, type ClusterParts, intentsOf, rowOfNodes } from "./any-cluster.ts";

const withReflector: ClusterParts = {
  nodes: rowOfNodes(3, (index) => (index === 1 ? { clusterId: "1.0.0.1", labels: { rr: "true" } } : {})),
  peers: { rr: { nodeSelector: "all()", peerSelector: "rr == 'true'" } },
};

function route(prefix: string, from: readonly string[], more: Partial<TableRoute> = {}): TableRoute {
  return { prefix, isOwn: false, nextHop: "172.18.0.9", from, isProgrammed: true, ...more };
}

function tableOf(node: number, routes: readonly TableRoute[]): readonly [string, RouteTable] {
  const own = { prefix: `10.244.${node - 1}.0/26`, isOwn: true, from: [], isProgrammed: true };
  return [`n${node}`, { node: `n${node}`, routes: [own, ...routes] }];
}

/** n1 reflects between n2 and n3, which also have each other by the mesh. */
function tables(pathsOfTwo: readonly string[]): ReadonlyMap<string, RouteTable> {
  return new Map([
    tableOf(1, [route("10.244.1.0/26", ["Node_172_18_0_2"]), route("10.244.2.0/26", ["Node_172_18_0_3"])]),
    tableOf(2, [route("10.244.0.0/26", ["Node_172_18_0_1"]), route("10.244.2.0/26", pathsOfTwo)]),
    tableOf(3, [
      route("10.244.0.0/26", ["Node_172_18_0_1"]),
      route("10.244.1.0/26", ["Node_172_18_0_1", "Mesh_172_18_0_2"]),
    ]),
  ]);
}

test("paths through the reflector count, and the mesh's own do not", () => {
  const intents = intentsOf(anyCluster(withReflector));
  assert.deepEqual(missingThrough(intents, tables(["Node_172_18_0_1", "Mesh_172_18_0_3"]), ["n1"]), []);
  assert.deepEqual(missingThrough(intents, tables(["Mesh_172_18_0_3"]), ["n1"]), [
    "n2 has no path to 10.244.2.0/26 of n3",
  ]);
  const silent = new Map([...tables(["Node_172_18_0_1"])].filter(([node]) => node !== "n2"));
  assert.ok(missingThrough(intents, silent, ["n1"]).includes("n2 does not answer"));
});

test("on the way back only what comes from the prefix's own node counts", () => {
  const intents = intentsOf(anyCluster(withReflector));
  assert.deepEqual(missingDirectly(intents, tables(["Mesh_172_18_0_3"]), ["n2", "n3"]), []);
  assert.deepEqual(missingDirectly(intents, tables(["Node_172_18_0_1"]), ["n2", "n3"]), [
    "n2 does not hear 10.244.2.0/26 from n3 itself",
  ]);
});

test("a route that went, or left the kernel, is a loss; one that moved is none", () => {
  const before = tables(["Mesh_172_18_0_3"]);
  assert.deepEqual(lostRoutes(before, tables(["Node_172_18_0_1"])), []);
  const gone = new Map([...before, tableOf(2, [route("10.244.0.0/26", [], { isProgrammed: false })])]);
  assert.deepEqual(lostRoutes(before, gone), ["n2: 10.244.0.0/26 left the kernel", "n2 lost 10.244.2.0/26"]);
});

test("a move that cannot work is refused in words", () => {
  const refused = (parts: ClusterParts, names: readonly string[], clusterId = "1.0.0.1"): string => {
    const outcome = planReflectors(anyCluster(parts), names, clusterId);
    return outcome.kind === "refused" ? outcome.reason : "";
  };
  const nodes = rowOfNodes(3);
  assert.match(refused({ nodes }, []), /no reflector is named/);
  assert.match(refused({ nodes }, ["n9"]), /there is no node n9/);
  assert.match(refused({ nodes }, ["n1"], "seven"), /seven is no cluster ID/);
  assert.match(refused({ nodes }, ["n1"], "172.18.0.3"), /is the address of node n3/);
  assert.match(refused(withReflector, ["n2"]), /n1 reflect\(s\) already/);
  assert.match(
    refused({ nodes: rowOfNodes(2, (index) => ({ asNumber: 65000 + index })) }, ["n1"]),
    /speak as AS 65001, 65002/,
  );
  assert.match(
    refused({ nodes, settings: { nodeMeshMaxRestartTime: "60s" } }, ["n1"]),
    /nodeMeshMaxRestartTime, which may not stand without the mesh/,
  );
  assert.equal(refused({ nodes }, ["n1", "n2"]), "");
});
