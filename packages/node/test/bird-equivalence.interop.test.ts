/**
 * Aim: BIRD with the rendered files tells its peers what our speaker's policies tell them for the same resources: which routes, with
 * which communities, AS path and preference.
 * Method: BIRD 1.6 on a node with pods of every sort, between an internal and an external neighbour that both have routes of their
 * own; what the neighbours have in the end, against the policies applied to the same routes.
 */
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { AsPath, compilePolicies, Origin, type PathAttributes, type Policies } from "@caracal/bgp";
import { peerPolicies, policyNames } from "@caracal/bgp-intent";
import { birdFileNames, birdFiles } from "@caracal/confd";
import { type BgpIntent, nodeIntent, type NodeIntent, type PeerIntent } from "@caracal/intent";
import { Prefix } from "@caracal/net";
import type { BgpFilter, BgpPeer } from "@caracal/resources";
import {
  type BirdDaemon,
  birdPrograms,
  eventually,
  type Namespace,
  requireBird1,
  requireRoot,
  requireTool,
  startBird,
  Testbed,
} from "@caracal/testbed";
import { address, bgpConfiguration, endpoint, node, pool, prefix } from "./node-fixtures.ts";

const skip = requireRoot() || requireTool("ip", "bird") || requireBird1();

const apiVersion = "projectcalico.org/v3";

/** In the own block, borrowed, in a pool that is not told, outside all pools, and one that a filter lets out. */
const pods = ["10.244.1.5", "10.244.9.7", "10.248.3.3", "10.120.0.1", "10.121.0.1"];

/** What the neighbours announce, with a community each or none. */
const foreign = {
  external: ["10.244.20.0/26 1:1", "10.244.21.0/26 65000:7", "10.50.0.0/16 1:1", "172.30.0.0/16 65000:9"],
  internal: ["10.244.30.0/26 1:1", "10.244.31.0/26 65000:7", "10.60.0.0/16 1:1", "10.96.5.5/32 1:1"],
} as const;
type Neighbor = keyof typeof foreign;
const neighbors = {
  external: { address: "10.0.0.2", asNumber: 65000 },
  internal: { address: "10.0.0.3", asNumber: 64512 },
} as const;

function peerOf(name: Neighbor): BgpPeer {
  const { address: peerIP, asNumber } = neighbors[name];
  return {
    kind: "BGPPeer",
    apiVersion,
    metadata: { name },
    spec: { peerIP, asNumber, filters: ["one", "two"] },
  };
}

const filters: readonly BgpFilter[] = [
  {
    kind: "BGPFilter",
    apiVersion,
    metadata: { name: "one" },
    spec: {
      importV4: [
        { cidr: "172.16.0.0/12", matchOperator: "In", action: "Reject" },
        {
          communities: { values: ["65000:7"] },
          action: "Accept",
          operations: [{ addCommunity: { value: "64512:1:2" } }, { addCommunity: { value: "64512:3" } }],
        },
        { cidr: "10.60.0.0/16", matchOperator: "Equal", peerType: "eBGP", action: "Reject" },
      ],
      exportV4: [
        { cidr: "10.121.0.1/32", matchOperator: "Equal", interface: "cali*", action: "Accept" },
        { cidr: "10.50.0.0/16", matchOperator: "Equal", source: "RemotePeers", action: "Accept" },
        {
          asPathPrefix: [65000],
          communities: { values: ["64512:1:2"] },
          action: "Accept",
          operations: [{ prependASPath: { prefix: [64599, 64513] } }],
        },
        {
          cidr: "10.244.30.0/24",
          matchOperator: "In",
          prefixLength: { min: 26, max: 26 },
          peerType: "eBGP",
          action: "Reject",
        },
      ],
    },
  },
  {
    kind: "BGPFilter",
    apiVersion,
    metadata: { name: "two" },
    spec: {
      exportV4: [
        { cidr: "10.244.0.0/16", matchOperator: "NotIn", priority: 7, action: "Reject" },
        {
          cidr: "10.244.9.7/32",
          matchOperator: "Equal",
          priority: 1024,
          action: "Accept",
          operations: [{ setPriority: { value: 2147483446 } }, { addCommunity: { value: "64512:99" } }],
        },
      ],
    },
  },
];

const resources: Parameters<typeof nodeIntent>[0] = {
  node: "n1",
  cluster: {
    nodes: [node("n1", "10.0.0.1/24")],
    pools: [
      { ...pool("10.244.0.0/16"), metadata: { name: "open" } },
      { ...pool("10.248.0.0/16", { disableBGPExport: true }), metadata: { name: "hidden" } },
    ],
    bgpConfigurations: [
      bgpConfiguration({
        nodeToNodeMeshEnabled: false,
        prefixAdvertisements: [
          { cidr: "10.244.0.0/16", communities: ["64512:200"] },
          { cidr: "10.244.1.0/24", communities: ["64512:4:5"] },
        ],
        serviceClusterIPs: [{ cidr: "10.96.0.0/12" }],
      }),
    ],
    bgpPeers: [peerOf("external"), peerOf("internal")],
    bgpFilters: filters,
  },
  affinities: [{ node: "n1", block: prefix("10.244.1.0/26"), state: "confirmed" }],
  endpoints: pods.map((one, index) => endpoint("n1", `p${index}`, one)),
  settings: { sha256: (text) => createHash("sha256").update(text).digest() },
};

/** `PREFIX path=… communities=… preference=…` as a neighbour has it. */
type Told = readonly string[];

function describe(
  route: string,
  path: string,
  communities: readonly string[],
  preference: number | undefined,
): string {
  const shown = communities.toSorted().join(",");
  return `${route} path=${path} communities=${shown}${preference === undefined ? "" : ` preference=${preference}`}`;
}

/** What our policies make of the node's own routes and of those that the other neighbour announces. */
function expected(intent: BgpIntent, to: Neighbor): Told {
  const policies = compilePolicies(peerPolicies(intent), () => "eth0");
  const from = to === "external" ? "internal" : "external";
  const peerNamed = (name: Neighbor): PeerIntent =>
    intent.peers.find(({ bgpPeer }) => bgpPeer === name) ?? assert.fail();
  const [source, target] = [peerNamed(from), peerNamed(to)];
  const own = intent.origins.map(({ prefix: route }) => ({
    prefix: route,
    attributes: { origin: Origin.igp, asPath: [] } satisfies PathAttributes,
    source: { kind: "local" } as const,
  }));
  const learned = foreign[from].flatMap((text) => {
    const [route = "", community = ""] = text.split(" ");
    const arriving = {
      prefix: prefix(route),
      attributes: {
        origin: Origin.igp,
        asPath: from === "external" ? ([{ kind: "sequence", asns: [65000] }] as const) : [],
        nextHop: address(neighbors[from].address),
        communities: [communityNumber(community)],
        ...(from === "internal" ? { localPref: 100 } : {}),
      } satisfies PathAttributes,
      source: { kind: "peer", name: source.name, external: from === "external" } as const,
    };
    const attributes = decide(policies, policyNames(source).importPolicy, arriving);
    return attributes === undefined ? [] : [{ ...arriving, attributes }];
  });
  return [...own, ...learned]
    .flatMap((route) => {
      const out = decide(policies, policyNames(target).exportPolicy, route);
      if (out === undefined) return [];
      const path = AsPath.format(to === "external" ? AsPath.prepend(out.asPath, 64512) : out.asPath);
      const communities = [
        ...(out.communities ?? []).map((one) => `${one >>> 16}:${one & 0xffff}`),
        ...(out.largeCommunities ?? []).map((one) => one.join(":")),
      ];
      const preference = to === "internal" ? (out.localPref ?? 100) : undefined;
      return [describe(Prefix.format(route.prefix), path, communities, preference)];
    })
    .toSorted();
}

type Route = Parameters<NonNullable<ReturnType<Policies["get"]>>>[0];

/** A name without a policy accepts everything. */
function decide(policies: Policies, name: string, route: Route): PathAttributes | undefined {
  const policy = policies.get(name);
  return policy === undefined ? route.attributes : policy(route);
}

function communityNumber(text: string): number {
  const [high = 0, low = 0] = text.split(":").map(Number);
  return high * 0x10000 + low;
}

/** A neighbour that announces its routes with their communities and takes all. */
function neighborConfig(name: Neighbor): string {
  const { address: own, asNumber } = neighbors[name];
  const routes = foreign[name].map((text) => {
    const [route = "", community = ""] = text.split(" ");
    return `route ${route} blackhole { bgp_community.add((${community.replace(":", ",")})); };`;
  });
  return `router id ${own};
protocol device {}
protocol static { ipv4; ${routes.join(" ")} }
protocol bgp n1 {
  local ${own} as ${asNumber}; neighbor 10.0.0.1 as 64512; multihop;
  connect delay time 1; connect retry time 1; error wait time 1,1;
  ipv4 { import all; export where source = RTS_STATIC; };
}`;
}

/** What a neighbour has from n1. */
async function toldTo(neighbor: BirdDaemon, name: Neighbor): Promise<Told> {
  const text = await neighbor.birdc("show route protocol n1 all");
  return text
    .split(/\n(?=[0-9])/)
    .flatMap((entry) => {
      const route = /^([0-9.]+\/[0-9]+) /m.exec(entry)?.[1];
      if (route === undefined) return [];
      const attribute = (key: string): string => new RegExp(`${key}: (.*)`).exec(entry)?.[1]?.trim() ?? "";
      const communities = [
        ...`${attribute("BGP.community")} ${attribute("BGP.large_community")}`.matchAll(/\(([^)]*)\)/g),
      ];
      return [
        describe(
          route,
          attribute("BGP.as_path"),
          communities.map(([, values = ""]) => values.split(/,\s*/).join(":")),
          name === "internal" ? Number(attribute("BGP.local_pref")) : undefined,
        ),
      ];
    })
    .toSorted();
}

async function startNode(bed: Testbed, namespace: Namespace, intent: NodeIntent): Promise<void> {
  const directory = bed.directory("n1");
  const files = birdFiles(intent, {
    hasTunnels: false,
    interfacePrefixes: ["cali"],
    passwordOf: () => undefined,
  });
  assert.ok(files !== undefined);
  for (const name of birdFileNames) writeFileSync(join(directory, name), files[name]);
  for (const [index, one] of pods.entries()) {
    await namespace.ip("link", "add", `calip${index}`, "type", "veth", "peer", "name", `pod${index}`);
    for (const link of [`calip${index}`, `pod${index}`]) await namespace.ip("link", "set", link, "up");
    await namespace.ip("route", "add", `${one}/32`, "dev", `calip${index}`, "scope", "link");
  }
  const config = join(directory, "bird.cfg");
  await namespace.start([
    birdPrograms("1.6").daemon,
    "-R",
    "-d",
    "-c",
    config,
    "-s",
    join(directory, "bird.ctl"),
  ]);
}

test("BIRD tells each neighbour what our policies do", { skip }, async (t) => {
  const bed = Testbed.create(t);
  const [n1, external, internal] = await Promise.all(
    ["n1", "ext", "int"].map((label) => bed.namespace(label)),
  );
  assert.ok(n1 && external && internal);
  await bed.network("lan", [
    { namespace: n1, name: "eth0", addresses: ["10.0.0.1/24"] },
    { namespace: external, name: "eth0", addresses: ["10.0.0.2/24"] },
    { namespace: internal, name: "eth0", addresses: ["10.0.0.3/24"] },
  ]);
  const intent = nodeIntent(resources);
  assert.ok(intent.bgp !== undefined);
  const daemons = {
    external: await startBird(bed, { namespace: external, config: neighborConfig("external") }),
    internal: await startBird(bed, { namespace: internal, config: neighborConfig("internal") }),
  };
  await startNode(bed, n1, intent);
  for (const name of ["external", "internal"] as const) {
    const wanted = expected(intent.bgp, name);
    let found: Told = [];
    await eventually(async () => (found = await toldTo(daemons[name], name)).join() === wanted.join()).catch(
      () => undefined,
    );
    assert.deepEqual(found, wanted, name);
  }
});
