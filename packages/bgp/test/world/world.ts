import assert from "node:assert/strict";
import { IpAddress, Prefix } from "@caracal/net";
import { type Dice } from "@caracal/testbed";
import { type Filter, type NamedPolicy, type PeerInput } from "../../src/index.ts";
import { WellKnownCommunity } from "../../src/iana.ts";
import { MessageSplitter } from "../../src/wire/header.ts";
import { decodeMessage } from "../../src/wire/message.ts";
import { listNlri } from "../../src/wire/nlri.ts";
import { type PathAttributes } from "../../src/wire/path-attributes.ts";
import { type SimNode, Simulation, quickTimers } from "../simulation.ts";
import { stableState } from "./path-model.ts";
import {
  type Link,
  type Relation,
  type Router,
  type Topology,
  linksOf,
  otherEnd,
  relationSeenBy,
} from "./topology.ts";

const tags = { customer: 1, peer: 2, provider: 3 } as const;
const worth = { customer: 300, peer: 200, provider: 100 } as const;

/** Speakers for the routers of a topology, with policies by relation, and checks of all that they do. */
export class World {
  readonly net: Simulation;
  readonly topology: Topology;
  readonly nodes: ReadonlyMap<Router, SimNode>;
  readonly #byNode: ReadonlyMap<SimNode, Router>;
  readonly origins = new Map<Router, readonly string[]>();
  /** Sources that ever were, `asn prefix`. */
  readonly #everHad = new Set<string>();
  /** What a router refuses to take or tell at the moment: `name in neighbour prefix`. */
  readonly #denied = new Set<string>();

  readonly #hold: { readonly holdTimeMs?: number; readonly keepaliveMs?: number };

  /** `holdTimeS`: absent is so long that only jumps of clocks bring its end. */
  constructor(topology: Topology, dice: Dice, holdTimeS?: number) {
    this.topology = topology;
    this.#hold =
      holdTimeS === undefined ? {} : { holdTimeMs: holdTimeS * 1000, keepaliveMs: (holdTimeS * 1000) / 3 };
    this.net = new Simulation(dice.below(2 ** 31));
    this.nodes = new Map(
      topology.routers.map((one) => [one, this.net.node(one.name, one.address, { asn: one.asn })]),
    );
    this.#byNode = new Map([...this.nodes].map(([router, node]) => [node, router]));
    this.net.onSend = (from, to, bytes) => this.#checkSent(from, to, bytes);
    this.net.check = () => this.#checkKernels();
    for (const [router, node] of this.nodes) {
      node.setPolicies(this.#policies(router));
      node.setPeers(linksOf(topology, router).map((link) => this.#peer(router, link, dice)));
    }
  }

  node(router: Router): SimNode {
    const node = this.nodes.get(router);
    assert.ok(node !== undefined);
    return node;
  }

  originate(router: Router, prefixes: readonly string[]): void {
    this.origins.set(router, prefixes);
    for (const prefix of prefixes) this.#everHad.add(`${router.asn} ${prefix}`);
    this.node(router).setLocalRoutes(prefixes);
  }

  /** A router begins, or ceases, to refuse a prefix on a link. */
  toggleDenial(router: Router, link: Link, direction: "in" | "out", prefix: string): void {
    const key = denial(router, link, direction, prefix);
    if (!this.#denied.delete(key)) this.#denied.add(key);
    this.node(router).setPolicies(this.#policies(router));
  }

  /** Every table is what the model says, and nothing is left of what was. */
  assertSettled(): void {
    const denies = (...key: Parameters<typeof denial>): boolean => this.#denied.has(denial(...key));
    const expected = stableState(this.topology, { origins: this.origins, denies });
    for (const [router, node] of this.nodes) {
      const wanted = [...(expected.get(router) ?? [])].map(
        ([prefix, { path, nextHops }]) => `${prefix} [${path.join(" ")}] via ${nextHops.join(",")}`,
      );
      const found = [...node.kernel.values()].map(({ prefix, attributes, nextHops }) => {
        const hops = new Set(nextHops.map((hop) => IpAddress.format(hop.address)));
        return `${Prefix.format(prefix)} [${asns(attributes).join(" ")}] via ${[...hops].toSorted().join(",")}`;
      });
      assert.deepEqual(found.toSorted(), wanted.toSorted(), `${router.name}'s table`);
      assert.ok(node.synced, `${router.name} is in sync`);
      const stale = node.speaker.routes().filter((route) => route.stale);
      assert.deepEqual(stale, [], `${router.name} keeps nothing for somebody's return`);
      for (const peer of node.speaker.peers(node.now))
        assert.equal(peer.state, "Established", `${router.name} ${peer.name}`);
    }
  }

  #peer(router: Router, link: Link, dice: Dice): PeerInput {
    const other = otherEnd(router, link);
    const isReflected = link.kind === "internal" && link.client && link.a === router;
    return {
      name: other.name,
      address: this.node(other).address,
      asn: other.asn,
      addPathSend: false,
      reflectorClient: isReflected,
      importPolicy: `in ${other.name}`,
      exportPolicy: `out ${other.name}`,
      restartTimeS: dice.pick([5, 20]),
      restartOnNotification: dice.chance(0.5),
      ...(dice.chance(0.3) ? { longLivedTimeS: 30 } : {}),
      ...(dice.chance(0.2) ? { advertisementIntervalMs: 100 + dice.below(2000) } : {}),
      timers: { ...quickTimers, ...this.#hold },
    };
  }

  #policies(router: Router): readonly NamedPolicy[] {
    return linksOf(this.topology, router).flatMap((link) => {
      const { name } = otherEnd(router, link);
      return (["in", "out"] as const).map((way) => {
        const start = denial(router, link, way, "");
        const denied = [...this.#denied]
          .filter((key) => key.startsWith(start))
          .map((key) => key.slice(start.length));
        const direction = way === "in" ? ("import" as const) : ("export" as const);
        const filters = [filterOf(denied, relationSeenBy(router, link), way)];
        return { name: `${way} ${name}`, direction, peerType: "eBGP" as const, filters };
      });
    });
  }

  /** No route without a source, none through oneself. */
  #checkKernels(): void {
    for (const [router, node] of this.nodes) {
      for (const { prefix, attributes, nextHops } of node.kernel.values()) {
        const key = Prefix.format(prefix);
        const source = asns(attributes).at(-1) ?? router.asn;
        assert.ok(
          this.#everHad.has(`${source} ${key}`),
          `${router.name} has ${key} from ${source}, which never had it`,
        );
        assert.ok(!asns(attributes).includes(router.asn), `${router.name} has ${key} through its own AS`);
        for (const hop of nextHops)
          assert.notEqual(hop.address, node.address, `${router.name} has ${key} through itself`);
      }
    }
  }

  /** What a router says at this moment is what its policy allows at this moment. */
  #checkSent(from: SimNode, to: SimNode, bytes: Uint8Array): void {
    const splitter = new MessageSplitter();
    splitter.push(bytes);
    const [sender, receiver] = [this.#byNode.get(from), this.#byNode.get(to)];
    assert.ok(sender !== undefined && receiver !== undefined);
    for (let frame = splitter.next(); frame !== undefined; frame = splitter.next()) {
      const message = decodeMessage(frame, { as4: true, external: false, addPath: [] });
      if (message.kind !== "update") continue;
      assert.deepEqual(message.faults, []);
      for (const { nlri, attributes } of message.announced) {
        for (const { prefix } of listNlri(nlri))
          this.#checkTold(sender, receiver, Prefix.format(prefix), attributes);
      }
    }
  }

  #checkTold(sender: Router, receiver: Router, prefix: string, attributes: PathAttributes): void {
    const what = `${sender.name} tells ${receiver.name} ${prefix} [${asns(attributes).join(" ")}]`;
    const link = linksOf(this.topology, sender).find((one) => otherEnd(sender, one) === receiver);
    assert.ok(link !== undefined);
    assert.ok(!this.#denied.has(denial(sender, link, "out", prefix)), `${what}, which its policy forbids`);
    if (link.kind === "internal") {
      const isReflector = linksOf(this.topology, sender).some(
        (one) => one.kind === "internal" && one.client && one.a === sender,
      );
      assert.ok(isReflector || attributes.originatorId === undefined, `${what}, which it reflects`);
      return;
    }
    const path = [receiver.asn, ...asns(attributes)];
    assert.equal(path[1], sender.asn, what);
    // RFC 9494 §4.3: what is kept for a peer's return says so, whatever policy takes away.
    const kept = attributes.communities?.filter((one) => one !== WellKnownCommunity.llgrStale) ?? [];
    assert.deepEqual(kept, [], what);
    assert.equal(attributes.localPref, undefined, what);
    // Every AS on the way told it to its customer, or had it from its customer.
    for (let index = 1; index < path.length - 1; index += 1) {
      const [next = 0, here = 0, previous = 0] = path.slice(index - 1, index + 2);
      const isPaid = this.#isCustomer(next, here) || this.#isCustomer(previous, here);
      assert.ok(isPaid, `${what}: AS ${here} carries it between two that do not pay`);
    }
  }

  /** Whether AS `one` is a customer of AS `other`. */
  #isCustomer(one: number, other: number): boolean {
    return this.topology.links.some(
      (link) =>
        link.kind === "external" && link.bIs === "customer" && link.b.asn === one && link.a.asn === other,
    );
  }
}

function denial(router: Router, link: Link, direction: "in" | "out", prefix: string): string {
  return `${router.name} ${direction} ${otherEnd(router, link).name} ${prefix}`;
}

function asns({ asPath }: PathAttributes): number[] {
  return asPath.flatMap((segment) => [...segment.asns]);
}

/** Denied prefixes do not pass; what comes in is marked with where it came from, which decides where it goes. */
function filterOf(denied: readonly string[], relation: Relation | undefined, way: "in" | "out"): Filter {
  const refused: Filter["rules"] =
    denied.length === 0 ? [] : [{ match: { prefixes: denied }, action: "reject" }];
  if (relation === undefined) return { rules: refused, otherwise: "accept" };
  if (way === "in") {
    const set = { localPref: worth[relation], communities: { set: [communityText(tags[relation])] } };
    return { rules: [...refused, { set, action: "accept" }], otherwise: "accept" };
  }
  const others = Object.values(tags).filter((tag) => tag !== tags.customer);
  const foreign: Filter["rules"] =
    relation === "customer"
      ? []
      : [{ match: { communities: { any: others.map(communityText) } }, action: "reject" }];
  const rules = [...refused, ...foreign, { set: { communities: { set: [] } }, action: "accept" as const }];
  return { rules, otherwise: "accept" };
}

function communityText(community: number): string {
  return `${community >>> 16}:${community & 0xffff}`;
}
