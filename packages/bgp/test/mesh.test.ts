/**
 * Networks of speakers whose connections are cut, parted and slow, and which are killed and restarted and change their
 * routes, all at random. At every step no route may lead to somebody who never had it; when peace returns, every table
 * must be the fixpoint that is worked out here from the topology alone. A failure prints the SEED that repeats it.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import { IpAddress, Prefix } from "@caracal/net";
import { type PeerInput } from "../src/index.ts";
import { seedOf, seeded } from "./seeded.ts";
import { type SimNode, Simulation } from "./simulation.ts";

const firstSeed = seedOf(1);
const seeds = process.env["SEED"] === undefined ? [firstSeed, firstSeed + 1, firstSeed + 2] : [firstSeed];

interface Network {
  readonly net: Simulation;
  readonly nodes: readonly SimNode[];
  readonly edges: readonly (readonly [SimNode, SimNode])[];
  /** The table that a node should end up with, given who has which prefixes. */
  readonly expected: (node: SimNode, origins: ReadonlyMap<SimNode, readonly string[]>) => string[];
}

function connectAll(
  edges: Network["edges"],
  nodes: readonly SimNode[],
  more: (node: SimNode, peer: SimNode) => Partial<PeerInput> = () => ({}),
): void {
  for (const node of nodes) {
    const peers = edges.flatMap(([a, b]) => (a === node ? [b] : b === node ? [a] : []));
    node.setPeers(
      peers.map((peer) => ({
        name: peer.name,
        address: peer.address,
        asn: peer.asn,
        restartTimeS: 20,
        ...more(node, peer),
      })),
    );
  }
}

/** Every prefix by its owner, directly. */
function internalTable(node: SimNode, origins: ReadonlyMap<SimNode, readonly string[]>): string[] {
  const table: string[] = [];
  for (const [owner, prefixes] of origins) {
    for (const prefix of prefixes) {
      table.push(`${prefix} via ${owner === node ? "self" : IpAddress.format(owner.address)}`);
    }
  }
  return table.toSorted();
}

function fullMesh(seed: number): Network {
  const net = new Simulation(seed);
  const nodes = Array.from({ length: 5 }, (_, index) => net.node(`n${index}`, `10.0.0.${index + 1}`));
  const edges = nodes.flatMap((a, index) => nodes.slice(index + 1).map((b) => [a, b] as const));
  // Calico's way: in a mesh one side of each pair waits for the other.
  connectAll(edges, nodes, (node, peer) => ({ passive: node.name < peer.name && seed % 2 === 0 }));
  return { net, nodes, edges, expected: internalTable };
}

function reflectors(seed: number): Network {
  const net = new Simulation(seed);
  const nodes = Array.from({ length: 6 }, (_, index) => net.node(`n${index}`, `10.0.0.${index + 1}`));
  const [r0, r1, ...clients] = nodes;
  assert.ok(r0 !== undefined && r1 !== undefined);
  const edges = [[r0, r1] as const, ...clients.flatMap((one) => [[r0, one] as const, [r1, one] as const])];
  connectAll(edges, nodes, (node, peer) => ({
    reflectorClient: !clients.includes(node) && clients.includes(peer),
  }));
  return { net, nodes, edges, expected: internalTable };
}

function autonomousSystems(seed: number): Network {
  const net = new Simulation(seed);
  const random = seeded(seed + 1000);
  const nodes = Array.from({ length: 20 }, (_, index) =>
    net.node(`n${index}`, `10.0.0.${index + 1}`, { asn: 65001 + index }),
  );
  // Sparse, as without pauses between updates (RFC 4271 §9.2.1.1) a lost route makes a dense network try every path.
  const edges: (readonly [SimNode, SimNode])[] = [];
  for (const [index, node] of nodes.entries()) {
    const parent = Math.floor(random() * index);
    for (const [place, other] of nodes.slice(0, index).entries()) {
      if (place === parent || random() < 0.04) edges.push([other, node]);
    }
  }
  // With add-path every system would tell every simple path through the others, and there are millions.
  connectAll(edges, nodes, () => ({ addPathSend: false }));
  const neighbors = (node: SimNode): SimNode[] =>
    edges.flatMap(([a, b]) => (a === node ? [b] : b === node ? [a] : []));
  return {
    net,
    nodes,
    edges,
    expected: (node, origins) => {
      const table: string[] = [];
      for (const prefix of new Set([...origins.values()].flat())) {
        const distance = distances(
          [...origins].filter(([, list]) => list.includes(prefix)).map(([owner]) => owner),
          neighbors,
        );
        const own = distance.get(node);
        if (own === undefined) continue;
        const nearer = neighbors(node).filter((one) => distance.get(one) === own - 1);
        const hops = nearer.map((one) => IpAddress.format(one.address)).toSorted();
        table.push(`${prefix} via ${own === 0 ? "self" : hops.join(",")}`);
      }
      return table.toSorted();
    },
  };
}

function distances(from: readonly SimNode[], neighbors: (node: SimNode) => SimNode[]): Map<SimNode, number> {
  const distance = new Map(from.map((node) => [node, 0]));
  const queue = [...from];
  for (let node = queue.shift(); node !== undefined; node = queue.shift()) {
    for (const next of neighbors(node)) {
      if (distance.has(next)) continue;
      distance.set(next, (distance.get(node) ?? 0) + 1);
      queue.push(next);
    }
  }
  return distance;
}

/** Runs a network through trouble and peace by turns. */
function torment(network: Network, seed: number): void {
  const { net, nodes, edges } = network;
  const random = seeded(seed + 77);
  const pick = <T>(list: readonly T[]): T => {
    const one = list[Math.floor(random() * list.length)];
    assert.ok(one !== undefined);
    return one;
  };
  const everHad = new Map(nodes.map((node) => [IpAddress.format(node.address), new Set<string>()]));
  const origins = new Map<SimNode, readonly string[]>();
  const originate = (node: SimNode): void => {
    const number = nodes.indexOf(node);
    const shared = network.nodes.length > 6 && random() < 0.3 ? ["10.99.0.0/16"] : [];
    const prefixes = [
      ...Array.from(
        { length: Math.floor(random() * 4) },
        () => `10.${number + 1}.${Math.floor(random() * 4)}.0/24`,
      ),
      ...shared,
    ];
    const unique = [...new Set(prefixes)];
    origins.set(node, unique);
    for (const prefix of unique) for (const set of everHad.values()) if (unique.length > 0) set.add(prefix);
    node.setLocalRoutes(unique);
  };
  net.check = () => {
    for (const node of nodes) {
      for (const route of node.kernel.values()) {
        const key = Prefix.format(route.prefix);
        for (const hop of route.nextHops) {
          const had = everHad.get(IpAddress.format(hop.address));
          assert.ok(had?.has(key), `${node.name} has ${key} via ${String(hop.address)}, which nobody told`);
          assert.notEqual(hop.address, node.address, `${node.name} has ${key} through itself`);
        }
      }
    }
  };
  for (const node of nodes) originate(node);
  for (let turn = 0; turn < 4; turn += 1) {
    for (let step = 0; step < 15; step += 1) {
      disturb(network, random, pick, originate);
      net.run(random() * 4000);
    }
    for (const [a, b] of edges) net.join(a, b);
    for (const node of nodes) if (!node.alive) node.start(random() < 0.7);
    net.run(90_000);
    for (const node of nodes) {
      assert.deepEqual(node.table(), network.expected(node, origins), `${node.name} after turn ${turn}`);
      assert.ok(node.synced, `${node.name} is in sync`);
      assertLean(node, origins);
    }
  }
}

function disturb(
  { net, nodes, edges }: Network,
  random: () => number,
  pick: <T>(list: readonly T[]) => T,
  originate: (node: SimNode) => void,
): void {
  const [a, b] = pick(edges);
  const node = pick(nodes);
  const kind = Math.floor(random() * 8);
  if (kind === 0) net.cut(a, b);
  if (kind === 1) net.part(a, b);
  if (kind === 2) net.join(a, b);
  if (kind === 3 && node.alive) node.kill();
  if (kind === 4 && !node.alive) node.start(random() < 0.7);
  if (kind === 5) originate(node);
  if (kind === 6 && node.alive) node.handle({ kind: "reset", peer: pick(node.speaker.peers(net.now)).name });
  if (kind === 7 && node.alive) node.handle({ kind: "resolution" });
}

/** Nothing is left of what went: tables hold what is in use, and no more attribute sets than routes need. */
function assertLean(node: SimNode, origins: ReadonlyMap<SimNode, readonly string[]>): void {
  const live = new Set([...origins.values()].flat());
  for (const route of node.speaker.routes()) {
    assert.ok(
      live.has(Prefix.format(route.prefix)),
      `${node.name} still holds ${Prefix.format(route.prefix)}`,
    );
    assert.ok(!route.stale);
  }
  const { attributeSets, routes4 } = node.speaker.sizes;
  const groups = 2 * node.speaker.peers(0).length + 2;
  assert.ok(attributeSets <= (routes4 + 1) * groups, `${attributeSets} attribute sets for ${routes4} routes`);
}

const shapes = { "a full mesh": fullMesh, "two reflectors": reflectors, "20 systems": autonomousSystems };

for (const [name, build] of Object.entries(shapes)) {
  for (const seed of seeds) {
    test(`${name} converges to its fixpoint after any trouble (SEED=${seed})`, () => {
      torment(build(seed), seed);
    });
  }
}
