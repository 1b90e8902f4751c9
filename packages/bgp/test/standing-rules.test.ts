/**
 * What is told to whom whatever filters say: well-known communities, private and local AS numbers, sessions that are drained,
 * sessions without a policy. A hub of AS 64512 on simulated connections in virtual time: it learns from one peer, and what
 * the others hold then is compared with a table.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import { Prefix } from "@caracal/net";
import {
  AsPath,
  type PathAttributes,
  type PeerInput,
  type Policies,
  WellKnownCommunity,
} from "../src/index.ts";
import { type SimNode, Simulation } from "./simulation.ts";

const prefix = "10.1.0.0/24";

interface Setup {
  /** The AS of who announces; 64512 is the hub's own. */
  readonly sourceAsn?: number;
  /** What the announcement has in addition. */
  readonly announced?: Partial<PathAttributes>;
  /** The hub's settings towards the source, and towards the others. */
  readonly from?: Partial<PeerInput>;
  readonly to?: Partial<PeerInput>;
  readonly receivers: Readonly<Record<string, number>>;
}

interface Outcome {
  readonly hub: SimNode;
  readonly net: Simulation;
  readonly receivers: ReadonlyMap<string, SimNode>;
}

function peerOf(node: SimNode, more: Partial<PeerInput> = {}): PeerInput {
  return { name: node.name, address: node.address, asn: node.asn, ...more };
}

function run({ sourceAsn = 65001, announced = {}, from = {}, to = {}, receivers }: Setup): Outcome {
  const net = new Simulation(21);
  const policies: Policies = new Map([
    ["mark", ({ attributes }) => ({ ...attributes, ...announced })],
    ["all", ({ attributes }) => attributes],
  ]);
  const source = net.node("source", "10.0.0.1", { asn: sourceAsn });
  const hub = net.node("hub", "10.0.0.2", { asn: 64512, policies });
  source.setLocalRoutes([prefix]);
  source.setPeers([peerOf(hub, { asn: from.localAsn ?? 64512 })]);
  const others = new Map(
    Object.entries(receivers).map(([name, asn], index) => [
      name,
      net.node(name, `10.0.1.${index + 1}`, { asn }),
    ]),
  );
  hub.setPeers([
    // As if the source had said it: its own rules must not keep it there.
    peerOf(source, { importPolicy: "mark", ...from }),
    ...[...others.values()].map((node) => peerOf(node, to)),
  ]);
  for (const node of others.values()) node.setPeers([peerOf(hub, { asn: to.localAsn ?? 64512 })]);
  net.run(3000);
  return { hub, net, receivers: others };
}

/** What a node holds for the prefix. */
function held(node: SimNode | undefined): PathAttributes | undefined {
  return node?.speaker.routes().find((one) => Prefix.format(one.prefix) === prefix)?.attributes;
}

function pathAt(node: SimNode | undefined): string | undefined {
  const found = held(node);
  return found === undefined ? undefined : AsPath.format(found.asPath);
}

const { noExport, noAdvertise, noExportSubconfed, gracefulShutdown, blackhole } = WellKnownCommunity;

for (const [name, communities, from, hears] of [
  ["no community", [], {}, ["external", "internal"]],
  ["NO_EXPORT", [noExport], {}, ["internal"]],
  ["NO_ADVERTISE", [noAdvertise], {}, []],
  ["NO_EXPORT_SUBCONFED", [noExportSubconfed], {}, ["internal"]],
  ["GRACEFUL_SHUTDOWN", [gracefulShutdown], {}, ["external", "internal"]],
  ["BLACKHOLE of one who may not", [blackhole], {}, ["external", "internal"]],
  ["BLACKHOLE of one who may", [blackhole], { blackhole: true }, ["internal"]],
  ["BLACKHOLE with NO_ADVERTISE", [blackhole, noAdvertise], { blackhole: true }, []],
] as const) {
  test(`who hears of a route with ${name}: ${hears.join(", ") || "nobody"}`, () => {
    const announced = communities.length === 0 ? {} : { communities };
    const { receivers } = run({ announced, from, receivers: { external: 65002, internal: 64512 } });
    assert.deepEqual(
      [...receivers].filter(([, node]) => held(node) !== undefined).map(([who]) => who),
      hears,
    );
  });
}

test("what another AS is about to take away is the last choice, whatever the policy prefers (RFC 8326)", () => {
  const announced = { communities: [gracefulShutdown], localPref: 500 };
  const { hub } = run({ announced, receivers: {} });
  assert.equal(held(hub)?.localPref, 0);
  const inside = run({ sourceAsn: 64512, announced, receivers: {} });
  assert.equal(held(inside.hub)?.localPref, 500, "an internal peer has decided already");
});

test("a drained session has other ASes told by the community, and ours by the preference", () => {
  const drained = { gracefulShutdown: true };
  const { hub, net, receivers } = run({ receivers: { external: 65002, internal: 64512 } });
  assert.equal(held(receivers.get("external"))?.communities, undefined);
  const peers = (more: Partial<PeerInput>): PeerInput[] =>
    [...net.nodes.values()].filter((node) => node !== hub).map((node) => peerOf(node, more));
  hub.setPeers(peers(drained));
  net.run(500);
  assert.deepEqual(held(receivers.get("external"))?.communities, [gracefulShutdown]);
  assert.equal(held(receivers.get("internal"))?.localPref, 0);
  assert.equal(held(hub)?.localPref, 0, "what came over the session is the last choice as well");
  hub.setPeers(peers({}));
  net.run(500);
  assert.equal(held(receivers.get("external"))?.communities, undefined);
  assert.equal(held(receivers.get("internal"))?.localPref, 100);
  const resets = hub.facts.filter((fact) => fact.kind === "sessionState" && fact.from === "Established");
  assert.deepEqual(resets, []);
});

test("a blackhole is told to the kernel as one, and is kept in the AS (RFC 7999)", () => {
  const announced = { communities: [blackhole] };
  const { hub, receivers } = run({ announced, from: { blackhole: true }, receivers: { internal: 64512 } });
  assert.deepEqual(
    [...hub.kernel.values()].map(({ discards }) => discards),
    [true],
  );
  assert.deepEqual(held(receivers.get("internal"))?.communities, [blackhole, noExport]);
  const ignored = run({ announced, receivers: {} });
  assert.deepEqual(
    [...ignored.hub.kernel.values()].map(({ discards }) => discards),
    [undefined],
  );
});

test("without a policy nothing passes to or from another AS, if so configured (RFC 8212)", () => {
  const requirePolicy = true;
  const receivers = { external: 65002, internal: 64512 };
  const hears = ({ receivers: nodes }: Outcome): (string | undefined)[] => [...nodes.values()].map(pathAt);
  const noImport = run({ from: { requirePolicy, importPolicy: "" }, receivers });
  assert.deepEqual(hears(noImport), [undefined, undefined]);
  assert.deepEqual(
    noImport.hub.speaker.routes().map(({ state }) => state),
    ["filtered"],
  );
  const noExportPolicy = run({ to: { requirePolicy }, receivers });
  assert.deepEqual(hears(noExportPolicy), [undefined, "65001"]);
  assert.deepEqual(
    noExportPolicy.hub.speaker.peers(0).map(({ missingPolicies }) => missingPolicies),
    [undefined, ["import", "export"], undefined],
  );
  const both = run({ from: { requirePolicy }, to: { requirePolicy, exportPolicy: "all" }, receivers });
  assert.deepEqual(hears(both), ["64512 65001", "65001"]);
});

test("a policy may be asked for while routes are told, and be asked for no more", () => {
  const single = { addPathSend: false };
  const { hub, net, receivers } = run({
    from: single,
    to: single,
    receivers: { external: 65002, internal: 64512 },
  });
  const peers = (more: Partial<PeerInput>): PeerInput[] =>
    [...net.nodes.values()]
      .filter((node) => node !== hub)
      .map((node) => peerOf(node, { ...single, ...more }));
  const hears = (): (string | undefined)[] => [...receivers.values()].map(pathAt);
  for (const [requirePolicy, expected] of [
    [true, [undefined, undefined]],
    [false, ["64512 65001", "65001"]],
    [true, [undefined, undefined]],
  ] as const) {
    hub.setPeers(peers({ requirePolicy }));
    net.run(500);
    assert.deepEqual(hears(), expected);
  }
});

test("private AS numbers are kept from other ASes (RFC 6996)", () => {
  // What the hub has, and what 65002 and 64900 are told of it behind 100, the hub's public number.
  const path: AsPath = [{ kind: "sequence", asns: [64900, 4_200_000_001, 3356, 64901] }];
  const mixed: AsPath = [...path, { kind: "set", asns: [64902, 7] }];
  for (const [asPath, which, replaces, expected] of [
    [path, "all", false, ["100 3356", "100 64900 3356"]],
    [path, "all", true, ["100 100 100 3356 100", "100 64900 100 3356 100"]],
    [path, "leading", false, ["100 3356 64901", "100 64900 4200000001 3356 64901"]],
    [path, "leading", true, ["100 100 100 3356 64901", "100 64900 4200000001 3356 64901"]],
    [mixed, "all", false, ["100 3356 {7}", "100 64900 3356 {7}"]],
    [mixed, "all", true, ["100 100 100 3356 100 {100 7}", "100 64900 100 3356 100 {100 7}"]],
  ] as const) {
    const { receivers } = run({
      announced: { asPath },
      to: { localAsn: 100, removePrivateAs: { which, replaces } },
      receivers: { away: 65010, private: 64900 },
    });
    // The second finds itself in the path and keeps the route aside, which is what its number was left for.
    assert.deepEqual([...receivers.values()].map(pathAt), expected, `${which} ${String(replaces)}`);
  }
  const inside = run({
    announced: { asPath: path },
    to: { removePrivateAs: { which: "all", replaces: false } },
    receivers: { internal: 64512 },
  });
  assert.equal(pathAt(inside.receivers.get("internal")), "64900 4200000001 3356 64901");
});

test("another AS number towards a peer: replacing ours, before it, or also in what the peer says", () => {
  for (const [localAsnMode, out, own] of [
    [undefined, "65100 65001", "65001"],
    ["replace-as", "65100 65001", "65001"],
    ["no-prepend", "65100 64512 65001", "65001"],
    ["prepend", "65100 64512 65001", "65001"],
  ] as const) {
    const mode = localAsnMode === undefined ? {} : { localAsnMode };
    const { hub, receivers } = run({ to: { localAsn: 65100, ...mode }, receivers: { external: 65002 } });
    assert.equal(pathAt(receivers.get("external")), out);
    assert.equal(pathAt(hub), own);
  }
  const prepended = run({
    from: { localAsn: 65100, localAsnMode: "prepend" },
    receivers: { external: 65002, internal: 64512 },
  });
  assert.equal(pathAt(prepended.hub), "65100 65001");
  assert.equal(pathAt(prepended.receivers.get("external")), "64512 65100 65001");
  assert.equal(pathAt(prepended.receivers.get("internal")), "65100 65001");
});

test("our AS behind the local one makes a loop as well, where it is told at all", () => {
  const back = { asPath: [{ kind: "sequence" as const, asns: [65002, 64512] }] };
  for (const [localAsnMode, allowLocalAs, state] of [
    ["replace-as", 0, "valid"],
    ["no-prepend", 0, "looped"],
    ["no-prepend", 1, "valid"],
  ] as const) {
    const net = new Simulation(22);
    const source = net.node("source", "10.0.0.1", {
      asn: 65002,
      policies: new Map([["back", ({ attributes }) => ({ ...attributes, ...back })]]),
    });
    const hub = net.node("hub", "10.0.0.2", { asn: 64512 });
    source.setLocalRoutes([prefix]);
    source.setPeers([peerOf(hub, { asn: 65100, exportPolicy: "back" })]);
    hub.setPeers([peerOf(source, { localAsn: 65100, localAsnMode, allowLocalAs })]);
    net.run(3000);
    assert.deepEqual(
      hub.speaker.routes().map((route) => route.state),
      [state],
    );
  }
});

test("another way to break ties decides about every prefix anew, and is told where it matters", () => {
  const net = new Simulation(23);
  const hub = net.node("hub", "10.0.0.9", { asn: 64512 });
  const sources = [1, 2].map((number) => net.node(`s${number}`, `10.0.0.${number}`, { asn: 65000 + number }));
  for (const node of sources) {
    node.setLocalRoutes([prefix]);
    node.setPeers([peerOf(hub)]);
  }
  hub.setPeers(sources.map((node) => peerOf(node)));
  net.run(3000);
  assert.deepEqual(hub.table(), ["10.1.0.0/24 via 10.0.0.1,10.0.0.2"]);
  hub.handle({ kind: "bestPath", options: { multipath: { external: 1 } } });
  assert.deepEqual(hub.table(), ["10.1.0.0/24 via 10.0.0.1"]);
  hub.handle({ kind: "bestPath", options: {} });
  assert.deepEqual(hub.table(), ["10.1.0.0/24 via 10.0.0.1,10.0.0.2"]);
});
