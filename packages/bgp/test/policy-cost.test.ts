/**
 * What a change of a filter costs: how often each policy is asked when one of them changes. A hub between four peers on simulated
 * connections in virtual time; every policy counts its calls.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import { Prefix } from "@caracal/net";
import { type PathAttributes, type PeerInput, type Policy } from "../src/index.ts";
import { type SimNode, Simulation } from "./simulation.ts";

type Change = (attributes: PathAttributes, prefix: string) => PathAttributes | undefined;

const names = ["from-a", "from-b", "to-c", "to-d"] as const;
type Name = (typeof names)[number];

/** Ten prefixes of `a` and five of `b` go through the hub to `c` and `d`. */
class Rig {
  readonly net = new Simulation(61);
  readonly nodes: ReadonlyMap<string, SimNode>;
  readonly #hub: SimNode;
  readonly #calls = new Map<Name, number>();
  readonly #policies: Map<Name, Policy>;

  constructor() {
    this.#policies = new Map(names.map((name) => [name, this.#policy(name, (attributes) => attributes)]));
    this.#hub = this.net.node("hub", "10.0.0.100", { asn: 64512, policies: this.#policies });
    this.nodes = new Map(
      ["a", "b", "c", "d"].map((name, index) => [
        name,
        this.net.node(name, `10.0.0.${index + 1}`, { asn: 65001 + index }),
      ]),
    );
    const settings: Readonly<Record<string, Partial<PeerInput>>> = {
      a: { importPolicy: "from-a" },
      b: { importPolicy: "from-b" },
      c: { exportPolicy: "to-c" },
      d: { exportPolicy: "to-d" },
    };
    const peer = (node: SimNode): PeerInput => ({
      name: node.name,
      address: node.address,
      asn: node.asn,
      addPathSend: false,
    });
    this.#hub.setPeers(Array.from(this.nodes, ([name, node]) => ({ ...peer(node), ...settings[name] })));
    for (const node of this.nodes.values()) node.setPeers([peer(this.#hub)]);
    this.nodes.get("a")?.setLocalRoutes(Array.from({ length: 10 }, (_, index) => `10.1.${index}.0/24`));
    this.nodes.get("b")?.setLocalRoutes(Array.from({ length: 5 }, (_, index) => `10.2.${index}.0/24`));
    this.net.run(3000);
    assert.equal(this.learnedCount("c"), 15);
  }

  /** Replaces a policy; gives how often each was asked because of that. */
  change(name: Name, change: Change): Readonly<Partial<Record<Name, number>>> {
    this.#calls.clear();
    this.#policies.set(name, this.#policy(name, change));
    this.#hub.handle({ kind: "policies", policies: [] });
    this.net.run(500);
    return Object.fromEntries(this.#calls);
  }

  learnedCount(name: string): number {
    const routes = this.nodes.get(name)?.speaker.routes() ?? [];
    return routes.filter(({ source }) => source.kind === "peer").length;
  }

  #policy(name: Name, change: Change): Policy {
    return ({ attributes, prefix }) => {
      this.#calls.set(name, (this.#calls.get(name) ?? 0) + 1);
      return change(attributes, Prefix.format(prefix));
    };
  }
}

test("an import filter is asked for the routes of its peer, and others only for what it changed", () => {
  const rig = new Rig();
  assert.deepEqual(
    rig.change("from-a", (attributes) => ({ ...attributes })),
    { "from-a": 10 },
  );
  const localPref: Change = (attributes, prefix) =>
    prefix === "10.1.3.0/24" ? { ...attributes, localPref: 200 } : attributes;
  assert.deepEqual(rig.change("from-a", localPref), { "from-a": 10, "to-c": 1, "to-d": 1 });
  assert.deepEqual(
    rig.change("from-a", (attributes, prefix) => (prefix.startsWith("10.1.3.") ? undefined : attributes)),
    { "from-a": 10 },
    "what is gone is told without asking",
  );
  assert.equal(rig.learnedCount("d"), 14);
});

test("an export filter is asked for every route that its peers may hear, and no other filter is", () => {
  const rig = new Rig();
  assert.deepEqual(
    rig.change("to-c", (attributes, prefix) => (prefix.startsWith("10.1.") ? undefined : attributes)),
    { "to-c": 15 },
  );
  assert.equal(rig.learnedCount("c"), 5);
  assert.equal(rig.learnedCount("d"), 15);
});
