/**
 * Add-path of the best few: which paths take up places. A hub of AS 64512 and neighbors that announce one prefix, on simulated
 * connections in virtual time; what each of them holds then is compared with a list.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import { type LocalRoute, type PeerInput, type Policies, WellKnownCommunity } from "../src/index.ts";
import { prefixOf, type SimNode, Simulation } from "./simulation.ts";

const prefix = "10.0.0.0/24";

const policies: Policies = new Map([
  [
    "stay",
    ({ attributes }) => ({ ...attributes, localPref: 200, communities: [WellKnownCommunity.noExport] }),
  ],
  [
    "not-2",
    ({ attributes, source }) => (source.kind === "peer" && source.name === "n2" ? undefined : attributes),
  ],
]);

/** The hub tells each neighbor its best two; `more` is by the number of the neighbor. */
function network(more: Readonly<Record<number, Partial<PeerInput>>> = {}): {
  readonly net: Simulation;
  readonly hub: SimNode;
  readonly nodes: readonly SimNode[];
} {
  const net = new Simulation(17);
  const hub = net.node("hub", "10.0.0.100", { asn: 64512, policies });
  const nodes = [1, 2, 3, 4].map((number) => {
    const node = net.node(`n${number}`, `10.0.0.${number}`, { asn: 65000 + number });
    node.setLocalRoutes([prefix]);
    node.setPeers([{ name: "hub", address: hub.address, asn: 64512 }]);
    return node;
  });
  hub.setPeers(
    nodes.map(({ name, address, asn }, index) => ({
      name,
      address,
      asn,
      addPathSend: true,
      addPathReceive: true,
      addPathLimit: 2,
      ...more[index + 1],
    })),
  );
  net.run(4000);
  return { net, hub, nodes };
}

/** Whose paths a neighbor has from the hub, beside its own. */
function heard(node: SimNode | undefined): (number | undefined)[] {
  const paths = node?.speaker.routes().map(({ attributes }) => attributes.asPath[0]?.asns) ?? [];
  return paths.flatMap((asns) => (asns === undefined ? [] : [asns[1] ?? 0])).toSorted((a, b) => a - b);
}

function kept(hub: SimNode, name: string): string[] {
  const routes = [...hub.speaker.listings.advertised(name, prefixOf(prefix))];
  return routes.flatMap((route) => route?.why ?? []).toSorted();
}

test("a neighbor's own path takes up no place", () => {
  const { net, hub, nodes } = network();
  const held = (): unknown => nodes.map(heard);
  assert.deepEqual(held(), [
    [65002, 65003],
    [65001, 65003],
    [65001, 65002],
    [65001, 65002],
  ]);
  assert.deepEqual(kept(hub, "n1"), ["its own route", "path limit"]);
  nodes[1]?.setLocalRoutes([]);
  net.run(200);
  assert.deepEqual(held(), [
    [65003, 65004],
    [65001, 65003],
    [65001, 65004],
    [65001, 65003],
  ]);
});

test("nor does one that is not told, by its communities or by a policy", () => {
  const { hub, nodes } = network({ 1: { importPolicy: "stay" }, 4: { exportPolicy: "not-2" } });
  assert.deepEqual(nodes.map(heard), [[65002, 65003], [65003, 65004], [65002, 65004], [65003]]);
  assert.deepEqual(kept(hub, "n3"), ["NO_EXPORT", "its own route"]);
  assert.deepEqual(kept(hub, "n4"), ["NO_EXPORT", "export policy", "its own route"]);
});

test("nor does one of ours that leads to the neighbor itself", () => {
  const { net, hub, nodes } = network({ 1: { nextHop: "keep" } });
  const [first] = nodes;
  assert.ok(first !== undefined);
  const own: LocalRoute = { prefix: prefixOf(prefix), nextHop: first.address };
  hub.setLocalRoutes([own]);
  net.run(200);
  assert.deepEqual(heard(first), [65002, 65003]);
  assert.deepEqual(heard(nodes[1]), [0, 65001]);
  assert.deepEqual(kept(hub, "n1"), ["its own address", "its own route", "path limit"]);
});
