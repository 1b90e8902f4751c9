/** Aim: tunnels are computed when they may be others, and only then. Method: the same input with one part exchanged. */
import assert from "node:assert/strict";
import { test } from "node:test";
import type { TunnelInput } from "@caracal/intent";
import { bgpConfiguration, node, pool, prefix } from "../../test/node-fixtures.ts";
import { sha1 } from "./digests.ts";
import { TunnelMemo } from "./tunnel-memo.ts";

const cluster = {
  nodes: [node("n1", "10.0.0.1/24"), node("n2", "10.0.1.2/24")],
  pools: [pool("10.244.0.0/16", { vxlanMode: "Always" })],
  bgpConfigurations: [],
  bgpPeers: [],
  bgpFilters: [],
};
const input: TunnelInput = {
  node: "n1",
  cluster,
  blocks: [],
  ownBlocks: [prefix("10.244.1.0/26")],
  settings: { sha1, speaksBgp: false },
};

test("what tunnels do not depend on changes nothing", () => {
  const memo = new TunnelMemo();
  const first = memo.of(input);
  assert.equal(first.tunnels.length, 1);
  const alike = { ...cluster, nodes: [...cluster.nodes], services: [] };
  assert.equal(memo.of({ ...input, cluster: alike, ownBlocks: [prefix("10.244.1.0/26")] }), first);
});

test("each part that they depend on makes them anew", () => {
  const changes: readonly TunnelInput[] = [
    { ...input, blocks: [{ prefix: prefix("10.244.2.0/26"), node: "n2", borrowed: [] }] },
    { ...input, ownBlocks: [] },
    { ...input, settings: { ...input.settings, speaksBgp: true } },
    { ...input, settings: { ...input.settings, bgpHasTunnels: false } },
    { ...input, settings: { ...input.settings, lingering: { ipip: true, vxlan: new Set() } } },
    { ...input, settings: { ...input.settings, lingering: { ipip: false, vxlan: new Set([6]) } } },
    { ...input, cluster: { ...cluster, nodes: cluster.nodes.toReversed() } },
    { ...input, cluster: { ...cluster, pools: [pool("10.244.0.0/16")] } },
    { ...input, cluster: { ...cluster, bgpConfigurations: [bgpConfiguration({})] } },
  ];
  for (const change of changes) {
    const memo = new TunnelMemo();
    const first = memo.of(input);
    assert.notEqual(memo.of(change), first);
  }
});
