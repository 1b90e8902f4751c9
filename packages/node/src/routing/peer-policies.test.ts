// Aim: a node's peers import and export as its BGPFilters say, in Calico's order, and a change reaches only the peers that
// use it. Method: a table of resources and routes through intent and policies; and a supervisor with a speaker that notes
// what it is told.
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { test } from "node:test";
import {
  compilePolicies,
  type NamedPolicy,
  type PathAttributes,
  type PeerInput,
  type Policies,
  type PolicyRoute,
} from "@caracal/bgp";
import { peerPolicies, policyNames } from "@caracal/bgp-intent";
import { type BgpIntent, decideExport, type ExportPolicy, nodeIntent } from "@caracal/intent";
import { IpAddress, Ipv4, Prefix } from "@caracal/net";
import {
  apiVersion,
  type BgpConfiguration,
  type BgpFilter,
  type BgpFilterRule,
  type BgpPeer,
} from "@caracal/resources";
import { pino } from "pino";
import { BgpSupervisor } from "./bgp-supervisor.ts";

const ignore = (): undefined => undefined;
const log = pino({ enabled: false });

function filterOf(name: string, spec: BgpFilter["spec"]): BgpFilter {
  return { kind: "BGPFilter", apiVersion, metadata: { name }, spec };
}

function peerOf(name: string, peerIP: string, asNumber: number, filters: readonly string[]): BgpPeer {
  return { kind: "BGPPeer", apiVersion, metadata: { name }, spec: { peerIP, asNumber, filters } };
}

/** A node with an internal peer "in", an external one "out", both with the filters, and one without. */
function intentOf(
  bgpFilters: readonly BgpFilter[],
  names = bgpFilters.map((one) => one.metadata.name),
  settings: BgpConfiguration["spec"] = {},
): BgpIntent {
  const intent = nodeIntent({
    node: "a",
    cluster: {
      nodes: [
        { kind: "Node", apiVersion, metadata: { name: "a" }, spec: { bgp: { ipv4Address: "10.0.0.1/24" } } },
      ],
      pools: [{ kind: "IPPool", apiVersion, metadata: { name: "p" }, spec: { cidr: "10.244.0.0/16" } }],
      bgpConfigurations: [
        { kind: "BGPConfiguration", apiVersion, metadata: { name: "default" }, spec: settings },
      ],
      bgpPeers: [
        peerOf("in", "10.0.0.2", 64512, names),
        peerOf("out", "10.0.0.3", 65001, names),
        peerOf("plain", "10.0.0.4", 65001, []),
      ],
      bgpFilters,
    },
    affinities: [],
    endpoints: [],
    settings: { sha256: (text) => createHash("sha256").update(text).digest() },
  }).bgp;
  assert.ok(intent !== undefined);
  return intent;
}

function namesOf(intent: BgpIntent, address: string): ReturnType<typeof policyNames> {
  const peer = intent.peers.find((one) => IpAddress.format(one.address) === address);
  assert.ok(peer !== undefined, address);
  return policyNames(peer);
}

function routeOf(prefixText: string, attributes: Partial<PathAttributes> = {}, isLocal = false): PolicyRoute {
  const prefix = Prefix.parse(prefixText);
  assert.ok(prefix !== undefined);
  return {
    prefix,
    attributes: { origin: 0, asPath: [], ...attributes },
    source: isLocal ? { kind: "local" } : { kind: "peer", name: "x", external: true },
  };
}

function nextHop(text: string): Pick<PathAttributes, "nextHop"> {
  const address = IpAddress.parse(text);
  assert.ok(address !== undefined);
  return { nextHop: address };
}

const linkOf = (hop: IpAddress): string | undefined =>
  IpAddress.format(hop) === "10.0.0.9" ? "eth1" : undefined;

/** The policies as a speaker has them. */
function compiled(intent: BgpIntent, links = linkOf): Policies {
  return compilePolicies(peerPolicies(intent), links);
}

const path = (...asns: number[]): Pick<PathAttributes, "asPath"> => ({
  asPath: [{ kind: "sequence", asns }],
});

test("told routes get the communities of the ranges they are in, after the peer's own filters", () => {
  const block = "10.244.1.0/26";
  const accepting = filterOf("mine", {
    exportV4: [{ cidr: block, matchOperator: "Equal", action: "Accept" }],
  });
  const intent = intentOf([accepting], ["mine"], {
    communities: [{ name: "rack", value: "65001:100" }],
    prefixAdvertisements: [
      { cidr: "10.244.0.0/16", communities: ["rack", "65001:1:2"] },
      { cidr: block, communities: ["65001:7"] },
    ],
  });
  const policies = compiled(intent, ignore);
  const told = (peer: string, route: string) =>
    policies.get(namesOf(intent, peer).exportPolicy)?.(routeOf(route, {}, true));
  assert.partialDeepStrictEqual(told("10.0.0.4", block), {
    communities: [65001 * 0x10000 + 100, 65001 * 0x10000 + 7],
  });
  assert.equal(told("10.0.0.4", "10.244.2.0/26")?.largeCommunities?.length, 1);
  assert.equal(told("10.0.0.4", "10.9.0.0/16"), undefined);
  // What a filter accepts goes out as the filter leaves it.
  assert.equal(told("10.0.0.3", block)?.communities, undefined);
  assert.deepEqual(told("10.0.0.3", "10.244.2.0/26")?.communities, [65001 * 0x10000 + 100]);
});

test("rules reject the routes that Calico's do", () => {
  const cidr = "10.244.0.0/16";
  const rows: readonly (readonly [
    rule: Omit<BgpFilterRule, "action">,
    rejected: readonly PolicyRoute[],
    passed: readonly PolicyRoute[],
  ])[] = [
    [{}, [routeOf(cidr)], []],
    [{ cidr, matchOperator: "Equal" }, [routeOf(cidr)], [routeOf("10.244.0.0/17"), routeOf("10.0.0.0/8")]],
    [{ cidr, matchOperator: "NotEqual" }, [routeOf("10.244.0.0/17")], [routeOf(cidr)]],
    [{ cidr, matchOperator: "In" }, [routeOf(cidr), routeOf("10.244.1.1/32")], [routeOf("10.0.0.0/8")]],
    [{ cidr, matchOperator: "NotIn" }, [routeOf("10.0.0.0/8")], [routeOf("10.244.1.1/32")]],
    [
      { cidr, matchOperator: "In", prefixLength: { min: 24, max: 26 } },
      [routeOf("10.244.1.0/24"), routeOf("10.244.1.0/26")],
      [routeOf(cidr), routeOf("10.244.1.0/27")],
    ],
    [
      { cidr, matchOperator: "In", prefixLength: { max: 20 } },
      [routeOf(cidr), routeOf("10.244.0.0/20")],
      [routeOf("10.244.0.0/21"), routeOf("10.244.0.0/15")],
    ],
    [{ source: "RemotePeers" }, [routeOf(cidr)], [routeOf(cidr, {}, true)]],
    [
      { interface: "eth*" },
      [routeOf(cidr, nextHop("10.0.0.9"))],
      [routeOf(cidr, nextHop("10.0.0.8")), routeOf(cidr, {}, true)],
    ],
    [{ peerType: "eBGP" }, [routeOf(cidr)], []],
    [{ peerType: "iBGP" }, [], [routeOf(cidr)]],
    [
      { communities: { values: ["65000:100"] } },
      [routeOf(cidr, { communities: [1, 65000 * 65536 + 100] })],
      [routeOf(cidr), routeOf(cidr, { communities: [100] })],
    ],
    [
      { communities: { values: ["65000:100:999"] } },
      [routeOf(cidr, { largeCommunities: [[65000, 100, 999]] })],
      [routeOf(cidr, { largeCommunities: [[65000, 100, 998]] })],
    ],
    [
      { asPathPrefix: [65000, 65001] },
      [routeOf(cidr, path(65000, 65001)), routeOf(cidr, path(65000, 65001, 7))],
      [routeOf(cidr, path(65000)), routeOf(cidr, path(7, 65000, 65001)), routeOf(cidr)],
    ],
    [
      { priority: 512 },
      [routeOf(cidr, { localPref: 2147483647 - 512 })],
      [routeOf(cidr, { localPref: 512 }), routeOf(cidr)],
    ],
    [
      { cidr, matchOperator: "In", source: "RemotePeers", asPathPrefix: [1] },
      [routeOf(cidr, path(1))],
      [routeOf(cidr), routeOf("10.0.0.0/8", path(1))],
    ],
  ];
  for (const [rule, rejected, passed] of rows) {
    const rules = [{ ...rule, action: "Reject" as const }, { action: "Accept" as const }];
    const intent = intentOf([filterOf("f", { exportV4: rules })]);
    const { exportPolicy } = namesOf(intent, "10.0.0.3");
    const policy = compiled(intent).get(exportPolicy);
    assert.ok(policy !== undefined);
    for (const route of rejected) assert.equal(policy(route), undefined, JSON.stringify(rule));
    for (const route of passed) assert.equal(policy(route), route.attributes, JSON.stringify(rule));
  }
});

test("filters stand in the peer's order, before the node's own export rules; import ends with accept", () => {
  const first = filterOf("first", {
    exportV4: [{ cidr: "192.0.2.0/24", matchOperator: "Equal", action: "Accept" }],
    importV4: [{ cidr: "10.0.0.0/8", matchOperator: "In", action: "Reject" }],
  });
  const second = filterOf("second", {
    exportV4: [{ cidr: "192.0.0.0/16", matchOperator: "In", action: "Reject" }],
    importV4: [
      {
        action: "Accept",
        operations: [
          { addCommunity: { value: "65000:1" } },
          { prependASPath: { prefix: [1, 2] } },
          { setPriority: { value: 100 } },
        ],
      },
    ],
  });
  const intent = intentOf([first, second]);
  const policies = compiled(intent);
  const { importPolicy, exportPolicy } = namesOf(intent, "10.0.0.3");
  const told = (text: string, name = exportPolicy): PathAttributes | undefined =>
    policies.get(name)?.(routeOf(text, path(9)));
  assert.ok(told("192.0.2.0/24") !== undefined, "the first filter accepts, whatever comes after");
  assert.equal(told("192.0.3.0/24"), undefined);
  assert.ok(told("10.244.1.0/26") !== undefined, "in a pool: the node's own rules accept");
  assert.equal(told("10.9.0.0/16"), undefined, "outside the pools: the node's own rules reject");
  assert.equal(told("10.9.0.0/16", importPolicy), undefined);
  assert.deepEqual(told("172.16.0.0/12", importPolicy), {
    origin: 0,
    ...path(1, 2, 9),
    communities: [65000 * 65536 + 1],
    localPref: 2147483547,
  });
  const swapped = intentOf([first, second], ["second", "first"]);
  const other = compiled(swapped).get(namesOf(swapped, "10.0.0.3").exportPolicy);
  assert.equal(other?.(routeOf("192.0.2.0/24")), undefined, "the second filter is first now");
});

test("a filter that does not exist is passed over", () => {
  const intent = intentOf([], ["gone"]);
  const policies = compiled(intent);
  const { importPolicy, exportPolicy } = namesOf(intent, "10.0.0.3");
  const route = routeOf("10.244.1.0/26");
  assert.equal(policies.get(importPolicy)?.(route), route.attributes);
  assert.equal(policies.get(exportPolicy)?.(route), route.attributes);
  assert.equal(policies.get(exportPolicy)?.(routeOf("10.9.0.0/16")), undefined);
});

test("the node's own rules as a filter decide as the rules do", () => {
  let seed = 1;
  const roll = (sides: number): number => {
    seed = (Math.imul(seed, 1103515245) + 12345) >>> 0;
    return (seed >>> 16) % sides;
  };
  const anyPrefix = (): Prefix =>
    Prefix.of(Ipv4.of(((10 << 24) | (roll(4) << 22) | (roll(4) << 20)) >>> 0), 8 + roll(8));
  const anyPrefixes = (): Prefix[] => Array.from({ length: roll(3) }, anyPrefix);
  const base = intentOf([]);
  const anyPools = (): ExportPolicy["pools"] =>
    base.exportPolicy.pools.flatMap((pool) => anyPrefixes().map((prefix) => ({ ...pool, prefix })));
  let toldCount = 0;
  for (let round = 0; round < 500; round += 1) {
    const exportPolicy = {
      hiddenPools: anyPools(),
      advertisements: [],
      // Blocks of a node do not overlap.
      ownBlocks: anyPrefixes().slice(0, 1),
      services: anyPrefixes(),
      reflectedServices: anyPrefixes(),
      pools: anyPools(),
    };
    const policy = compiled({ ...base, exportPolicy }).get("calico_export_to_bgp_peers");
    for (let routes = 0; routes < 20; routes += 1) {
      const prefix = anyPrefix();
      const isTold = policy?.(routeOf(Prefix.format(prefix))) !== undefined;
      assert.equal(
        isTold,
        decideExport(exportPolicy, prefix).isAccepted,
        JSON.stringify([exportPolicy, prefix]),
      );
      if (isTold) toldCount += 1;
    }
  }
  assert.ok(toldCount > 1000);
});

test("a filter that changes changes its policies and no others", () => {
  const rules: readonly BgpFilterRule[] = [{ peerType: "eBGP", action: "Reject" }];
  const texts = (intent: BgpIntent): Map<string, string> =>
    new Map(peerPolicies(intent).map((policy) => [policy.name, JSON.stringify(policy)]));
  const before = texts(intentOf([filterOf("f", { importV4: rules })]));
  const changed = (after: Map<string, string>): string[] =>
    [...after].filter(([name, text]) => before.get(name) !== text).map(([name]) => name);
  assert.deepEqual(changed(texts(intentOf([filterOf("f", { importV4: [...rules] })]))), []);
  const edited = intentOf([filterOf("f", { importV4: [...rules, { action: "Accept" }] })]);
  assert.deepEqual(changed(texts(edited)), ["import(f) iBGP IPv4", "import(f) eBGP IPv4"]);
});

test("a filter that cannot be compiled is left out and told of", () => {
  const told: string[] = [];
  const intent = intentOf([
    filterOf("f", { exportV4: [{ interface: "a name too long", action: "Reject" }] }),
  ]);
  const policies = peerPolicies(intent, (peer) => told.push(peer));
  assert.equal(told.length, 2);
  const { exportPolicy } = namesOf(intent, "10.0.0.3");
  const policy = compilePolicies(policies, linkOf).get(exportPolicy);
  assert.ok(policy?.(routeOf("10.244.1.0/26")) !== undefined);
});

test("a peer that loses its filter is never without a policy", async () => {
  const steps: string[] = [];
  let policies: readonly NamedPolicy[] = [];
  let peers: readonly PeerInput[] = [];
  const check = (what: string): void => {
    steps.push(what);
    for (const { exportPolicy = "" } of peers)
      assert.ok(
        policies.some(({ name }) => name === exportPolicy),
        `${what}: ${exportPolicy}`,
      );
  };
  const supervisor = new BgpSupervisor({
    open: async () => ({
      setPeers: (next) => {
        peers = next;
        check("peers");
      },
      setOrigins: () => {},
      setPolicies: (next) => {
        policies = next;
        check("policies");
      },
      networkChanged: () => {},
      peers: () => [],
      routes: () => [],
      listings: { covering: () => undefined, routes: () => [] },
      stop: async () => {},
    }),
    isRestart: false,
    log,
  });
  const filter = filterOf("f", { exportV4: [{ action: "Reject" }] });
  supervisor.apply(intentOf([filter]));
  while (!steps.includes("peers")) await new Promise((resolve) => setImmediate(resolve));
  supervisor.apply(intentOf([filter], []));
  supervisor.networkChanged();
  await supervisor.stop();
  assert.deepEqual(steps, ["policies", "peers", "policies", "peers", "policies"]);
  assert.deepEqual(
    policies.map(({ name }) => name),
    ["calico_export_to_bgp_peers"],
  );
});
