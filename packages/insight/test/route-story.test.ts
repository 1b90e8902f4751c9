/**
 * Aim: for every way in which a route can be missing, the story names what stopped it. Method: the intents of small
 * clusters with the reports that their daemons would give, one fault at a time.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import type { ExportReport, PathReport, RouteReport } from "@caracal/questions";
import { findTargets, type NodeStory, routeStory } from "@caracal/insight";
import { anyCluster, type ClusterParts, intentsOf, rowOfNodes } from "./any-cluster.ts";

const path: PathReport = {
  peer: "Mesh_172_18_0_2",
  nextHop: "172.18.0.2",
  asPath: "",
  clusterList: [],
  isBest: true,
  isStale: false,
  state: "valid",
};

const told = (peer: string): ExportReport => ({ peer, isTold: true, because: "it is a block of this node" });

/** n2 is at home and tells all; a test says what the others report. */
const home: RouteReport = {
  node: "n2",
  prefix: "10.244.1.0/26",
  origin: "block",
  paths: [{ ...path, isBest: true }],
  kernel: [{ text: "blackhole 10.244.1.0/26 proto bird", protocol: 12 }],
  exports: [told("Mesh_172_18_0_1"), told("Mesh_172_18_0_3")],
};

function reportOf(node: string, more: Partial<RouteReport> = {}): RouteReport {
  return { node, paths: [], kernel: [], exports: [], ...more };
}

function storyOf(
  words: string,
  reports: readonly RouteReport[],
  parts: ClusterParts = { nodes: rowOfNodes(3) },
  node = "n1",
): NodeStory {
  const cluster = anyCluster(parts);
  const lookup = findTargets(cluster, words);
  assert.ok(lookup.kind === "found");
  const [target] = lookup.targets;
  assert.ok(target !== undefined);
  const facts = {
    target,
    intents: intentsOf(cluster),
    reports: new Map(reports.map((one) => [one.node, one])),
  };
  return routeStory(facts, node);
}

const kernel = [{ text: "10.244.1.0/26 via 172.18.0.2 dev eth0 proto bird", protocol: 12 }];
const prefix = "10.244.1.0/26";

const rows: readonly {
  readonly name: string;
  readonly reports: readonly RouteReport[];
  readonly parts?: ClusterParts;
  readonly words?: string;
  readonly hasRoute?: boolean;
  readonly says: RegExp;
}[] = [
  {
    name: "a route that is in the kernel is told as ip route prints it",
    reports: [home, reportOf("n1", { prefix, paths: [path], kernel })],
    hasRoute: true,
    says: /^10\.244\.1\.0\/26 via 172\.18\.0\.2 dev eth0 proto bird$/m,
  },
  {
    name: "a block that nobody owns",
    words: "10.244.9.0/26",
    reports: [reportOf("n1"), reportOf("n2"), reportOf("n3")],
    says: /nobody announces it: no node has a block with it/,
  },
  {
    name: "an import filter",
    reports: [
      home,
      reportOf("n1", {
        prefix,
        paths: [
          {
            ...path,
            isBest: false,
            state: "filtered",
            policy: { isAccepted: false, by: "BGPFilter(hold) rule 1 rejects it" },
          },
        ],
      }),
    ],
    says: /came, but cannot be used: BGPFilter\(hold\) rule 1 rejects it/,
  },
  {
    name: "an AS loop",
    reports: [
      home,
      reportOf("n1", { prefix, paths: [{ ...path, isBest: false, state: "looped", asPath: "65001 64512" }] }),
    ],
    says: /loop: .*AS path 65001 64512/,
  },
  {
    name: "a next hop that cannot be reached",
    reports: [home, reportOf("n1", { prefix, paths: [{ ...path, isBest: false, state: "unreachable" }] })],
    says: /its next hop 172\.18\.0\.2 cannot be reached/,
  },
  {
    name: "a pool whose routes BGP does not program",
    reports: [
      home,
      reportOf("n1", {
        prefix,
        paths: [path],
        programming: { kind: "skip", reason: "vxlan-pool", by: "pods" },
      }),
    ],
    says: /does not program it: IPPool\(pods\) uses VXLAN/,
  },
  {
    name: "a kernel that refuses",
    reports: [
      home,
      reportOf("n1", { prefix, paths: [path], kernelFailure: "the kernel refuses it: ENETUNREACH" }),
    ],
    says: /the kernel does not: the kernel refuses it: ENETUNREACH/,
  },
  {
    name: "a neighbour's export filter",
    reports: [
      {
        ...home,
        exports: [{ peer: "Mesh_172_18_0_1", isTold: false, because: "BGPFilter(out) rule 2 rejects it" }],
      },
      reportOf("n1"),
    ],
    says: /n2 does not tell it: BGPFilter\(out\) rule 2 rejects it/,
  },
  {
    name: "no session with anybody who has it",
    parts: {
      nodes: rowOfNodes(3, (index) => (index === 3 ? { labels: { hub: "true" } } : {})),
      settings: { nodeToNodeMeshEnabled: false },
      peers: { one: { node: "n1", peerSelector: "hub == 'true'" } },
    },
    reports: [home, reportOf("n1"), reportOf("n3")],
    says: /it has no session with a node that has the route \(n2\)/,
  },
  {
    name: "no session at all",
    parts: { nodes: rowOfNodes(3), settings: { nodeToNodeMeshEnabled: false } },
    reports: [home, reportOf("n1")],
    says: /this node has no BGP session: the mesh is off/,
  },
  {
    name: "neighbours outside the cluster",
    parts: {
      nodes: rowOfNodes(3),
      settings: { nodeToNodeMeshEnabled: false },
      peers: { leaf: { nodeSelector: "all()", peerIP: "172.18.0.254", asNumber: 65001 } },
    },
    reports: [home, reportOf("n1")],
    says: /neighbours outside the cluster do not tell it\nlook on Node_172_18_0_254, AS 65001/,
  },
  {
    name: "a node whose BGP is BIRD's",
    reports: [home, reportOf("n1", { prefix, kernel })],
    hasRoute: true,
    says: /BIRD speaks BGP on this node/,
  },
  {
    name: "a BIRD that leaves the pool's routes to others, though a neighbour could not pass them on either",
    parts: { nodes: rowOfNodes(3), pool: { vxlanMode: "Always" } },
    reports: [
      reportOf("n1"),
      home,
      reportOf("n3", { prefix, paths: [path], exports: [{ ...told("Mesh_172_18_0_1"), isTold: false }] }),
    ],
    says: /no route from BGP here: IPPool\(pods\) uses VXLAN/,
  },
  {
    name: "a neighbour that tells it counts more than one that may not pass it on",
    reports: [
      reportOf("n1"),
      reportOf("n3", { prefix, paths: [path], exports: [{ ...told("Mesh_172_18_0_1"), isTold: false }] }),
      home,
    ],
    says: /^n2 tells it, but it did not come/,
  },
  {
    name: "a next hop in another subnet, whose routers hear nothing of the session",
    parts: {
      nodes: { ...rowOfNodes(3), n2: { address: "30.0.0.2", block: prefix, pods: { p2: "10.244.1.5" } } },
    },
    reports: [
      home,
      reportOf("n1", {
        prefix,
        paths: [{ ...path, peer: "Mesh_30_0_0_2", nextHop: "30.0.0.2" }],
        programming: { kind: "direct", by: "pods" },
        kernel,
      }),
    ],
    hasRoute: true,
    says: /the routers on the way to 30\.0\.0\.2 must have 10\.244\.1\.0\/26 too\n[^]*ipipMode: CrossSubnet/,
  },
  {
    name: "a home that does not answer",
    reports: [reportOf("n1"), reportOf("n3")],
    says: /its home n2 does not answer/,
  },
  { name: "a node that does not answer", reports: [home], says: /unknown: its daemon does not answer/ },
];

for (const { name, reports, parts, words = "10.244.1.5", hasRoute = false, says } of rows) {
  test(name, () => {
    const story = storyOf(words, reports, parts);
    assert.equal(story.hasRoute, hasRoute);
    assert.match([story.verdict, ...story.steps].join("\n"), says);
  });
}

test("what the daemon programs by itself is told from the kernel, whatever BGP says", () => {
  const vxlan: ClusterParts = { nodes: rowOfNodes(3), pool: { vxlanMode: "Always" } };
  const text = "10.244.1.0/26 via 10.244.1.0 dev vxlan.calico onlink";
  const own = { prefix, own: "tunnel", paths: [path] } as const;
  const there = storyOf(
    "10.244.1.5",
    [home, reportOf("n1", { ...own, kernel: [{ text, protocol: 3 }] })],
    vxlan,
  );
  assert.deepEqual([there.hasRoute, there.verdict], [true, text]);
  const kernelFailure = "another route that is not ours stands in its place";
  const alien = [{ text: "10.244.1.0/26 via 10.0.0.254 dev eth0 proto static", protocol: 4 }];
  const taken = storyOf(
    "10.244.1.5",
    [home, reportOf("n1", { ...own, kernel: alien, kernelFailure })],
    vxlan,
  );
  assert.equal(taken.hasRoute, false);
  assert.match(taken.verdict, /the daemon has 10\.244\.1\.0\/26, but the kernel does not: another route/);
});

test("where BGP names a switch, the story says who takes packets out of the tunnel", () => {
  const through = { ...path, nextHop: "10.0.0.254" };
  const programming = { kind: "tunnel", by: "pods", end: "30.0.0.23" } as const;
  const kernelRoute = [{ text: "10.244.1.0/26 via 30.0.0.23 dev tunl0 proto bird onlink", protocol: 12 }];
  const report = reportOf("n1", { prefix, paths: [through], kernel: kernelRoute, programming });
  const { hasRoute, steps } = storyOf("10.244.1.5", [home, report]);
  assert.equal(hasRoute, true);
  assert.match(steps.join("\n"), /packets go to 30\.0\.0\.23, whose block it is: 10\.0\.0\.254 is no node/);
});

test("split horizon is named where a reflector is missing", () => {
  const star: ClusterParts = {
    nodes: rowOfNodes(3, (index) => (index === 3 ? { labels: { hub: "true" } } : {})),
    settings: { nodeToNodeMeshEnabled: false },
    peers: { hub: { nodeSelector: "all()", peerSelector: "hub == 'true'" } },
  };
  const because = "split horizon: what one iBGP peer says goes to no other";
  const hub = reportOf("n3", {
    prefix,
    paths: [{ ...path, peer: "Node_172_18_0_2" }],
    kernel,
    exports: [{ peer: "Node_172_18_0_1", isTold: false, because }],
  });
  const story = storyOf("p2", [home, hub, reportOf("n1")], star);
  assert.equal(story.verdict, `n3 does not tell it: ${because}`);
});

test("at home, the story says to whom the block is announced and to whom not", () => {
  const report = {
    ...home,
    exports: [told("a"), { peer: "b", isTold: false, because: "the session is Active" }],
  };
  const story = storyOf("n2", [report], undefined, "n2");
  assert.equal(story.hasRoute, true);
  assert.match(story.verdict, /announced to 1 of 2 session\(s\)/);
  assert.ok(story.steps.includes("not told to b: the session is Active"));
});

test("words that mean a pod, a node, a node without a block, or nothing", () => {
  const cluster = anyCluster({ nodes: { ...rowOfNodes(2), km01: { address: "172.18.0.9" } } });
  const textOf = (words: string): unknown => {
    const lookup = findTargets(cluster, words);
    return lookup.kind === "found"
      ? lookup.targets.map(({ text, home: at }) => `${text} @ ${at ?? "-"}`)
      : lookup;
  };
  assert.deepEqual(textOf("p1"), ["default/p1 (10.244.0.5) @ n1"]);
  assert.deepEqual(textOf("default/p2"), ["default/p2 (10.244.1.5) @ n2"]);
  assert.deepEqual(textOf("n2"), ["10.244.1.0/26, a block of n2 @ n2"]);
  assert.deepEqual(textOf("km01"), { kind: "no-block", node: "km01" });
  assert.deepEqual(textOf("what"), { kind: "unknown" });
});
