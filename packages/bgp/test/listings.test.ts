/**
 * What show commands are told of routes: who said them, who is told, and why not. A hub of AS 64512 between peers on simulated
 * connections; and a large table, whose listing must not be made at once.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import { AsPath, type Listing, listingPausePrefixes, type PeerInput, type Policies } from "../src/index.ts";
import { Prefix } from "@caracal/net";
import { addressOf, prefixOf, type SimNode, Simulation } from "./simulation.ts";

function peerOf(node: SimNode, more: Partial<PeerInput> = {}): PeerInput {
  return { name: node.name, address: node.address, asn: node.asn, ...more };
}

function list<Route>(listing: Listing<Route>): Route[] {
  return [...listing].filter((one) => one !== undefined);
}

const policies: Policies = new Map([
  ["no-7", ({ attributes, prefix }) => (Prefix.format(prefix) === "10.7.0.0/24" ? undefined : attributes)],
  ["back", ({ attributes }) => ({ ...attributes, asPath: [{ kind: "sequence", asns: [65002, 64512] }] })],
]);

/** `near` and `far` announce, `client` and `inside` are internal; all know the hub. */
function network(): { net: Simulation; hub: SimNode; nodes: Readonly<Record<string, SimNode>> } {
  const net = new Simulation(31);
  const hub = net.node("hub", "10.0.0.100", { asn: 64512, policies });
  const nodes = {
    near: net.node("near", "10.0.0.1", { asn: 65001 }),
    far: net.node("far", "10.0.0.2", { asn: 65002, policies }),
    client: net.node("client", "10.0.0.3", { asn: 64512 }),
    inside: net.node("inside", "10.0.0.4", { asn: 64512 }),
  };
  nodes.near.setLocalRoutes(["10.1.0.0/24", "10.7.0.0/24"]);
  nodes.far.setLocalRoutes(["10.1.0.0/24", { prefix: prefixOf("10.2.0.0/24"), med: 9 }]);
  nodes.client.setLocalRoutes(["10.3.0.0/24"]);
  hub.setLocalRoutes(["10.1.0.0/24"]);
  hub.setPeers([
    peerOf(nodes.near, { importPolicy: "no-7" }),
    peerOf(nodes.far, { exportPolicy: "no-7" }),
    peerOf(nodes.client, { exportPolicy: "no-7" }),
    peerOf(nodes.inside),
  ]);
  for (const node of Object.values(nodes)) node.setPeers([peerOf(hub)]);
  net.run(4000);
  return { net, hub, nodes };
}

/** `10.1.0.0/24 from far: valid, AS path length`. */
function shown(hub: SimNode, name: string, prefix?: string): string[] {
  const routes = list(
    hub.speaker.listings.received(name, prefix === undefined ? undefined : prefixOf(prefix)),
  );
  return routes.map(
    (one) => `${Prefix.format(one.prefix)} ${one.state}${one.why === undefined ? "" : `: ${one.why}`}`,
  );
}

function told(hub: SimNode, name: string, prefix?: string): string[] {
  const routes = list(
    hub.speaker.listings.advertised(name, prefix === undefined ? undefined : prefixOf(prefix)),
  );
  return routes.map(
    ({ prefix: to, state, why, attributes }) =>
      `${Prefix.format(to)} [${AsPath.format(attributes.asPath)}] ${state}${why === undefined ? "" : `: ${why}`}`,
  );
}

test("what a peer said, with why it is not used", () => {
  const { net, hub, nodes } = network();
  assert.deepEqual(shown(hub, "near"), [
    "10.1.0.0/24 valid: not our own",
    "10.7.0.0/24 filtered: import policy",
  ]);
  assert.deepEqual(shown(hub, "far"), ["10.1.0.0/24 valid: not our own", "10.2.0.0/24 valid"]);
  hub.setLocalRoutes([]);
  assert.deepEqual(shown(hub, "near", "10.1.0.0/24"), ["10.1.0.0/24 valid"]);
  assert.deepEqual(shown(hub, "far", "10.1.0.0/24"), ["10.1.0.0/24 valid: router ID"]);
  const sharing = list(hub.speaker.listings.routes(prefixOf("10.1.0.0/24"))).map(({ best, shares }) => [
    best,
    shares,
  ]);
  assert.deepEqual(sharing, [
    [true, true],
    [false, true],
  ]);
  const { far } = nodes;
  assert.ok(far !== undefined);
  far.setPeers([peerOf(hub, { exportPolicy: "back" })]);
  net.run(500);
  assert.deepEqual(shown(hub, "far"), ["10.1.0.0/24 looped: own AS", "10.2.0.0/24 looped: own AS"]);
  assert.deepEqual(shown(hub, "nobody"), []);
});

test("what a peer is told is what it holds, and of one prefix also what it is not told", () => {
  const { hub, nodes } = network();
  for (const [name, node] of Object.entries(nodes)) {
    const holds = node.speaker
      .routes()
      .filter(({ source }) => source.kind === "peer")
      .map(
        ({ prefix, received, attributes }) =>
          `${Prefix.format(prefix)} ${AsPath.format((received ?? attributes).asPath)}`,
      );
    const says = list(hub.speaker.listings.advertised(name)).map(
      ({ prefix, attributes }) => `${Prefix.format(prefix)} ${AsPath.format(attributes.asPath)}`,
    );
    assert.deepEqual(says.toSorted(), holds.toSorted(), name);
    assert.equal(says.length, hub.speaker.peers(0).find((peer) => peer.name === name)?.exportedCount);
  }
  assert.deepEqual(told(hub, "near", "10.2.0.0/24"), ["10.2.0.0/24 [64512 65002] told"]);
  assert.deepEqual(told(hub, "far", "10.2.0.0/24"), ["10.2.0.0/24 [65002] kept: its own route"]);
  assert.deepEqual(told(hub, "inside", "10.3.0.0/24"), ["10.3.0.0/24 [] kept: internal route"]);
  assert.deepEqual(
    told(hub, "inside", "10.7.0.0/24"),
    [],
    "filtered on the way in, so there is nothing to tell",
  );
  assert.deepEqual(told(hub, "nobody"), []);
});

test("a refusal of the export policy, a community or a missing policy is named", () => {
  const net = new Simulation(32);
  const hub = net.node("hub", "10.0.0.100", { asn: 64512, policies });
  const [a, b] = [net.node("a", "10.0.0.1", { asn: 65001 }), net.node("b", "10.0.0.2", { asn: 65002 })];
  hub.setLocalRoutes([
    "10.7.0.0/24",
    ...[0xffffff01, 0xffffff02, 0xffffff03].map((community, index) => ({
      prefix: prefixOf(`10.${index + 1}.0.0/24`),
      communities: [community],
    })),
  ]);
  hub.setPeers([peerOf(a, { exportPolicy: "no-7" }), peerOf(b, { requirePolicy: true })]);
  for (const node of [a, b]) node.setPeers([peerOf(hub)]);
  net.run(3000);
  for (const [prefix, why] of [
    ["10.7.0.0/24", "export policy"],
    ["10.1.0.0/24", "NO_EXPORT"],
    ["10.2.0.0/24", "NO_ADVERTISE"],
    ["10.3.0.0/24", "NO_EXPORT_SUBCONFED"],
  ] as const) {
    assert.deepEqual(told(hub, "a", prefix), [`${prefix} [] kept: ${why}`]);
    assert.deepEqual(told(hub, "b", prefix), [`${prefix} [] kept: no policy`]);
  }
});

test("an address is looked up by the most specific prefix that has a route", () => {
  const { hub } = network();
  const covering = (address: string): string | undefined => {
    const found = hub.speaker.listings.covering(addressOf(address));
    return found === undefined ? undefined : Prefix.format(found);
  };
  assert.equal(covering("10.1.0.7"), "10.1.0.0/24");
  assert.equal(covering("10.9.0.1"), undefined);
  hub.setLocalRoutes(["0.0.0.0/0", "10.1.0.4/30", "::/0"]);
  assert.equal(covering("10.1.0.7"), "10.1.0.4/30");
  const wide = hub.speaker.listings.covering(addressOf("10.1.0.7"), 29);
  assert.equal(wide && Prefix.format(wide), "10.1.0.0/24");
  assert.equal(covering("10.1.0.9"), "10.1.0.0/24");
  assert.equal(covering("10.9.0.1"), "0.0.0.0/0");
  assert.equal(covering("2001:db8::1"), "::/0");
  hub.setLocalRoutes([]);
  assert.equal(covering("10.1.0.7"), "10.1.0.0/24");
});

test("a large table is read as it is asked for, with pauses where there is nothing to list", () => {
  const net = new Simulation(33);
  const hub = net.node("hub", "10.0.0.100", { asn: 64512 });
  const peer = net.node("peer", "10.0.0.1", { asn: 65001 });
  const count = listingPausePrefixes * 2 + 100;
  hub.setLocalRoutes(
    Array.from({ length: count }, (_, index) => ({
      prefix: prefixOf(`10.${index >> 16}.${(index >> 8) & 255}.${index & 255}/32`),
    })),
  );
  hub.setPeers([peerOf(peer)]);
  const parts = [...hub.speaker.listings.received("peer")];
  assert.deepEqual(parts, [undefined, undefined]);
  const listing = hub.speaker.listings.routes();
  assert.equal(Prefix.format(listing.next().value?.prefix ?? prefixOf("::/0")), "10.0.0.0/32");
  // What is gone when it would be its turn is not listed, and nothing else is missing.
  hub.setLocalRoutes([{ prefix: prefixOf("10.0.0.0/32") }, { prefix: prefixOf("10.0.0.9/32") }]);
  assert.deepEqual(
    list(listing).map(({ prefix }) => Prefix.format(prefix)),
    ["10.0.0.9/32"],
  );
});
