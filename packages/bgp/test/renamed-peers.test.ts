/**
 * Aim: a peer that gets another name keeps its session and its routes; only other terms end it. Method: two and three
 * speakers on simulated connections, in virtual time.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import { type PeerInput } from "../src/index.ts";
import { addressOf, type SimNode, Simulation } from "./simulation.ts";

function peerOf(node: SimNode, more: Partial<PeerInput> = {}): PeerInput {
  return { name: node.name, address: node.address, asn: node.asn, ...more };
}

function pair(): { readonly net: Simulation; readonly a: SimNode; readonly b: SimNode } {
  const net = new Simulation(1);
  const a = net.node("a", "10.0.0.1");
  const b = net.node("b", "10.0.0.2");
  a.setLocalRoutes(["10.1.0.0/26"]);
  b.setLocalRoutes(["10.2.0.0/26"]);
  a.setPeers([peerOf(b, { name: "Mesh_b" })]);
  b.setPeers([peerOf(a, { name: "Mesh_a" })]);
  net.run(2000);
  return { net, a, b };
}

const lost = (node: SimNode): number =>
  node.facts.filter((fact) => fact.kind === "sessionState" && fact.from === "Established").length;

test("a renamed peer stays Established, under its new name, and no route goes for a moment", () => {
  const { net, a, b } = pair();
  a.setPeers([peerOf(b, { name: "Node_b", reflectorClient: true })]);
  assert.deepEqual(a.table(), ["10.1.0.0/26 via self", "10.2.0.0/26 via 10.0.0.2"]);
  net.run(2000);
  const [peer] = a.speaker.peers(net.now);
  assert.equal(peer?.name, "Node_b");
  assert.equal(peer.state, "Established");
  assert.equal(peer.reflectorClient, true);
  assert.deepEqual([lost(a), lost(b)], [0, 0]);
  const route = a.speaker.routes().find(({ from }) => from === addressOf("10.0.0.2"));
  assert.deepEqual(route?.source, { kind: "peer", name: "Node_b", external: false });
});

test("a new name with other terms is another session", () => {
  const { net, a, b } = pair();
  a.setPeers([peerOf(b, { name: "Node_b", restartTimeS: 7 })]);
  net.run(5000);
  assert.equal(lost(b), 1);
  assert.equal(a.speaker.peers(net.now)[0]?.state, "Established");
  assert.equal(a.table().length, 2);
});

test("the old name may go to another neighbour, whose connections are its own", () => {
  const { net, a, b } = pair();
  const c = net.node("c", "10.0.0.3");
  c.setLocalRoutes(["10.3.0.0/26"]);
  c.setPeers([peerOf(a)]);
  a.setPeers([peerOf(b, { name: "Node_b" })]);
  a.setPeers([peerOf(b, { name: "Node_b" }), peerOf(c, { name: "Mesh_b" })]);
  net.run(5000);
  assert.deepEqual(a.table(), [
    "10.1.0.0/26 via self",
    "10.2.0.0/26 via 10.0.0.2",
    "10.3.0.0/26 via 10.0.0.3",
  ]);
  a.setPeers([peerOf(c, { name: "Mesh_b" })]);
  net.run(100);
  assert.deepEqual(a.table(), ["10.1.0.0/26 via self", "10.3.0.0/26 via 10.0.0.3"]);
  assert.equal(a.speaker.peers(net.now).length, 1);
});

test("names that two neighbours exchange belong to the neighbours they are given to", () => {
  const { net, a, b } = pair();
  const c = net.node("c", "10.0.0.3");
  c.setPeers([peerOf(a)]);
  a.setPeers([peerOf(b, { name: "one" }), peerOf(c, { name: "two" })]);
  net.run(3000);
  a.setPeers([peerOf(b, { name: "two" }), peerOf(c, { name: "one" })]);
  net.run(5000);
  const states = a.speaker.peers(net.now).map((peer) => [peer.name, peer.address, peer.state]);
  assert.deepEqual(states, [
    ["two", addressOf("10.0.0.2"), "Established"],
    ["one", addressOf("10.0.0.3"), "Established"],
  ]);
});
