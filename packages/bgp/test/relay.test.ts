/**
 * What passes through a speaker and what does not: reflection, next hops, MED, attributes of others. Routers on simulated
 * connections in virtual time; attributes that a speaker would not make itself are put there by a policy of the sender.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import { IpAddress, Ipv4 } from "@caracal/net";
import { type PathAttributes, type PeerInput, type Policies } from "../src/index.ts";
import { addressOf, prefixOf, type SimNode, Simulation } from "./simulation.ts";

const prefix = prefixOf("10.1.0.0/24");

function peerOf(node: SimNode, more: Partial<PeerInput> = {}): PeerInput {
  return { name: node.name, address: node.address, asn: node.asn, ...more };
}

function held(node: SimNode | undefined, from?: string): PathAttributes | undefined {
  const routes = node?.speaker.routes(prefix) ?? [];
  return routes.find(({ source }) => from === undefined || (source.kind === "peer" && source.name === from))
    ?.attributes;
}

/** A hub of AS 64512 between a sender and receivers; what the sender says has these attributes besides. */
function between(
  senderAsn: number,
  receivers: Readonly<Record<string, Partial<PeerInput> & { readonly asn: number }>>,
  said: Partial<PathAttributes>,
  from: Partial<PeerInput> = {},
): { readonly hub: SimNode; readonly nodes: ReadonlyMap<string, SimNode>; readonly net: Simulation } {
  const net = new Simulation(51);
  const policies: Policies = new Map([["say", ({ attributes }) => ({ ...attributes, ...said })]]);
  const sender = net.node("sender", "10.0.0.1", { asn: senderAsn, policies });
  const hub = net.node("hub", "10.0.0.100", { asn: 64512 });
  sender.setLocalRoutes([{ prefix }]);
  sender.setPeers([peerOf(hub, { exportPolicy: "say", nextHop: "keep" })]);
  const nodes = new Map(
    Object.entries(receivers).map(([name, { asn }], index) => [
      name,
      net.node(name, `10.0.0.${index + 2}`, { asn }),
    ]),
  );
  hub.setPeers([
    peerOf(sender, from),
    ...Array.from(nodes, ([name, node]) => peerOf(node, receivers[name] ?? {})),
  ]);
  for (const node of nodes.values()) node.setPeers([peerOf(hub)]);
  net.run(3000);
  return { hub, nodes, net };
}

test("an unknown transitive attribute goes on byte for byte and marked partial, at every step", () => {
  const value = Uint8Array.from({ length: 300 }, (_, index) => index & 0xff);
  const said = {
    opaque: [
      { flags: 0xc0, code: 99, value },
      { flags: 0xe0, code: 100, value: Uint8Array.of() },
      { flags: 0x80, code: 101, value },
    ],
  };
  const receivers = { external: { asn: 65002 }, internal: { asn: 64512 } };
  const { hub, nodes } = between(65001, receivers, said);
  for (const node of [hub, ...nodes.values()]) {
    assert.deepEqual(held(node)?.opaque, [
      { flags: 0xe0, code: 99, value },
      { flags: 0xe0, code: 100, value: Uint8Array.of() },
    ]);
  }
});

test("extended communities that are not transitive stay in their AS (RFC 4360)", () => {
  const [transitive, local] = [0x0002_fde8_0000_0001n, 0x4004_fde8_0000_0001n];
  const said = { extendedCommunities: [transitive, local] };
  const receivers = { external: { asn: 65002 }, internal: { asn: 64512 } };
  const { nodes } = between(64512, receivers, said, { reflectorClient: true });
  assert.deepEqual(held(nodes.get("internal"))?.extendedCommunities, [transitive, local]);
  assert.deepEqual(held(nodes.get("external"))?.extendedCommunities, [transitive]);
});

test("LOCAL_PREF stays in the AS, and a MED of one AS is not told to the next (RFC 4271 §5.1.4, §5.1.5)", () => {
  const receivers = { external: { asn: 65002 }, internal: { asn: 64512 } };
  const outside = between(65001, receivers, { med: 7 });
  assert.deepEqual([held(outside.hub)?.med, held(outside.hub)?.localPref], [7, undefined]);
  const internal = held(outside.nodes.get("internal"));
  assert.deepEqual([internal?.med, internal?.localPref], [7, 100]);
  const external = held(outside.nodes.get("external"));
  assert.deepEqual([external?.med, external?.localPref], [undefined, undefined]);
});

test("the next hop: ours, kept, or a third party's (RFC 4271 §5.1.3)", () => {
  const third = addressOf("10.0.0.77");
  for (const [senderAsn, receiver, expected] of [
    [65001, { asn: 65002 }, "10.0.0.100"],
    [65001, { asn: 64512 }, "10.0.0.77"],
    [65001, { asn: 65002, nextHop: "keep" }, "10.0.0.77"],
    [65001, { asn: 64512, nextHop: "self" }, "10.0.0.100"],
    [64512, { asn: 65002, nextHop: "self" }, "10.0.0.100"],
    [64512, { asn: 64512, reflectorClient: true }, "10.0.0.77"],
    [64512, { asn: 64512, reflectorClient: true, nextHop: "self" }, "10.0.0.100"],
  ] as const) {
    const net = new Simulation(52);
    const sender = net.node("sender", "10.0.0.1", { asn: senderAsn });
    const hub = net.node("hub", "10.0.0.100", { asn: 64512 });
    const last = net.node("last", "10.0.0.2", { asn: receiver.asn });
    sender.setLocalRoutes([{ prefix, nextHop: third }]);
    sender.setPeers([peerOf(hub, { nextHop: "keep" })]);
    hub.setPeers([peerOf(sender), peerOf(last, receiver)]);
    last.setPeers([peerOf(hub)]);
    net.run(3000);
    const { nextHop } = held(last) ?? {};
    assert.equal(
      nextHop === undefined ? undefined : IpAddress.format(nextHop),
      expected,
      JSON.stringify(receiver),
    );
  }
});

test("a route of our own does not go to the peer that it leads to (RFC 4271 §5.1.3)", () => {
  const net = new Simulation(53);
  const a = net.node("a", "10.0.0.1");
  const [b, c] = [net.node("b", "10.0.0.2"), net.node("c", "10.0.0.3")];
  a.setLocalRoutes([{ prefix, nextHop: b.address }]);
  a.setPeers([peerOf(b), peerOf(c)]);
  for (const node of [b, c]) node.setPeers([peerOf(a)]);
  net.run(3000);
  const hops = (): unknown[] => [b, c].map((node) => held(node)?.nextHop);
  assert.deepEqual(hops(), [undefined, b.address]);
  const kept = [...a.speaker.listings.advertised("b", prefix)].map((route) => route?.why);
  assert.deepEqual(kept, ["its own address"]);
  a.setLocalRoutes([{ prefix, nextHop: c.address }]);
  net.run(200);
  assert.deepEqual(hops(), [c.address, undefined], "who had it before loses it");
  a.setLocalRoutes([{ prefix, nextHop: addressOf("10.0.0.77") }]);
  net.run(200);
  assert.deepEqual(hops(), [addressOf("10.0.0.77"), addressOf("10.0.0.77")]);
  a.setLocalRoutes([{ prefix, nextHop: b.address }]);
  net.cut(a, b);
  net.run(5000);
  assert.deepEqual(hops(), [undefined, b.address], "nor when a session begins");
  a.setLocalRoutes([]);
  net.run(200);
  assert.deepEqual(hops(), [undefined, undefined]);
});

test("a route whose next hop is the one who hears it is not used", () => {
  const { nodes } = between(
    65001,
    { last: { asn: 64512, nextHop: "keep" } },
    { nextHop: addressOf("10.0.0.2") },
  );
  const last = nodes.get("last");
  assert.deepEqual(
    last?.speaker.routes(prefix).map(({ state, why }) => [state, why]),
    [["looped", "own next hop"]],
  );
  assert.deepEqual(last?.table(), []);
});

test("who hears of whose routes through a reflector (RFC 4456 §6)", () => {
  const kinds = {
    client: { asn: 64512, reflectorClient: true },
    other: { asn: 64512, reflectorClient: true },
    plain: { asn: 64512 },
    second: { asn: 64512 },
    outside: { asn: 65002 },
  } as const;
  for (const [from, senderAsn, hears] of [
    [{ reflectorClient: true }, 64512, ["client", "other", "plain", "second", "outside"]],
    [{}, 64512, ["client", "other", "outside"]],
    [{}, 65001, ["client", "other", "plain", "second", "outside"]],
  ] as const) {
    const { nodes } = between(senderAsn, kinds, {}, from);
    assert.deepEqual(
      [...nodes].filter(([, node]) => held(node) !== undefined).map(([name]) => name),
      hears,
    );
    // RFC 4456 §8: whose it was, and through which clusters it came; nothing of that leaves the AS.
    const isReflected = senderAsn === 64512;
    const client = held(nodes.get("client"));
    assert.equal(client?.originatorId, isReflected ? addressOf("10.0.0.1") : undefined);
    assert.deepEqual(client?.clusterList, isReflected ? [addressOf("10.0.0.100")] : undefined);
    const outside = held(nodes.get("outside"));
    assert.deepEqual([outside?.originatorId, outside?.clusterList], [undefined, undefined]);
  }
});

test("reflected once more, the originator stays and the cluster goes in front; both make loops (RFC 4456 §8)", () => {
  const cluster = Ipv4.of(0x01010101);
  const said = { originatorId: Ipv4.of(9), clusterList: [Ipv4.of(8)] };
  const reflects = { reflectorClient: true, clusterId: cluster };
  const { nodes } = between(64512, { client: { asn: 64512, ...reflects } }, said, reflects);
  const client = held(nodes.get("client"));
  assert.equal(client?.originatorId, said.originatorId);
  assert.deepEqual(client?.clusterList, [cluster, Ipv4.of(8)]);
  for (const [loop, why] of [
    [{ clusterList: [Ipv4.of(8), cluster] }, "own cluster"],
    [{ originatorId: Ipv4.of(0x0a000064) }, "own identifier"],
  ] as const) {
    const { hub } = between(64512, {}, { ...said, ...loop }, reflects);
    assert.deepEqual(
      hub.speaker.routes(prefix).map((route) => [route.state, route.why]),
      [["looped", why]],
    );
  }
});

test("a route carries the clusters of all clients that it passes between (RFC 4456 §8)", () => {
  const [one, other] = [Ipv4.of(0x01010101), Ipv4.of(0x02020202)];
  const receivers = {
    same: { asn: 64512, reflectorClient: true, clusterId: one },
    second: { asn: 64512, reflectorClient: true, clusterId: other },
    plain: { asn: 64512 },
  };
  const listOf = (nodes: ReadonlyMap<string, SimNode>, name: string): readonly Ipv4[] | undefined =>
    held(nodes.get(name))?.clusterList;
  const { nodes } = between(64512, receivers, {}, { reflectorClient: true, clusterId: one });
  assert.deepEqual(listOf(nodes, "same"), [one]);
  assert.deepEqual(listOf(nodes, "second"), [other, one]);
  assert.deepEqual(listOf(nodes, "plain"), [one]);
  const fromPlain = between(64512, receivers, {}).nodes;
  assert.deepEqual(listOf(fromPlain, "same"), [one]);
  assert.deepEqual(listOf(fromPlain, "second"), [other]);
});

test("another cluster of a client's is in its routes without a new session", () => {
  const [one, other] = [Ipv4.of(0x01010101), Ipv4.of(0x02020202)];
  const from = { reflectorClient: true, clusterId: one };
  const { hub, nodes, net } = between(64512, { plain: { asn: 64512 } }, {}, from);
  const sender = hub.speaker.peers(0)[0];
  assert.ok(sender !== undefined);
  hub.setPeers([
    { name: "sender", address: sender.address, asn: 64512, ...from, clusterId: other },
    ...Array.from(nodes.values(), (node) => peerOf(node)),
  ]);
  net.run(3000);
  assert.deepEqual(held(nodes.get("plain"))?.clusterList, [other]);
});

test("what a peer is told when it comes counts as looked at, and as told", () => {
  const { hub, net } = between(65001, { first: { asn: 65002 }, second: { asn: 65002 } }, {});
  hub.handle({ kind: "reset", peer: "second" });
  net.run(60_000);
  const counts = hub.speaker
    .peers(hub.now)
    .map(({ name, exports }) => [name, exports.updatesReceived, exports.updatesAccepted]);
  assert.deepEqual(counts.slice(1), [
    ["first", 1, 1],
    ["second", 1, 1],
  ]);
});

test("our AS may stand in a path as often as allowed", () => {
  const path = (...asns: number[]): Partial<PathAttributes> => ({ asPath: [{ kind: "sequence", asns }] });
  for (const [asns, allowLocalAs, state] of [
    [[64512], 0, "looped"],
    [[64512], 1, "valid"],
    [[64512, 7, 64512], 1, "looped"],
    [[64512, 7, 64512], 2, "valid"],
  ] as const) {
    const { hub } = between(65001, {}, path(...asns), { allowLocalAs });
    assert.deepEqual(
      hub.speaker.routes(prefix).map((route) => route.state),
      [state],
    );
  }
});
