/**
 * Aim: the standalone speaker exchanges routes with BIRD 2 and GoBGP, keeps the kernel's table as its file says, and follows
 * the file without touching what did not change. Method: three routers on one network, each in a namespace; what the peers
 * and the kernel themselves show is compared with what we show.
 */
import assert from "node:assert/strict";
import { test, type TestContext } from "node:test";
import {
  type BirdDaemon,
  eventually,
  type GobgpDaemon,
  type Namespace,
  requireRoot,
  requireTool,
  startBird,
  startGobgpd,
  Testbed,
} from "@caracal/testbed";
import { SpeakerProgram } from "./speaker-program.ts";

const skip = requireRoot() || requireTool("bird", "birdc", "gobgpd", "gobgp");

const birdConfig = `
router id 10.77.0.2;
protocol device { }
protocol static { ipv4; route 10.60.0.0/16 blackhole; route 10.61.0.0/16 blackhole; }
protocol bgp caracal {
  local 10.77.0.2 as 65002;
  neighbor 10.77.0.1 as 65001;
  connect delay time 1;
  ipv4 { import all; export where source = RTS_STATIC; };
}
`;

const gobgpConfig = `
[global.config]
  as = 65001
  router-id = "10.77.0.3"
[[neighbors]]
  [neighbors.config]
    neighbor-address = "10.77.0.1"
    peer-as = 65001
  [neighbors.transport.config]
    passive-mode = true
`;

const head = `
routerId: 10.77.0.1
asn: 65001
listen: [{address: 10.77.0.1}]
`;
const birdNeighbor = "  - {name: bird, address: 10.77.0.2, asn: 65002}\n";
const gobgpNeighbor = "  - {name: gobgp, address: 10.77.0.3, asn: 65001}\n";
const statics = `
static:
  - {prefix: 10.50.0.0/16, blackhole: true, communities: [65001:50, 65001:1:2]}
  - {prefix: 10.51.0.0/16, nextHop: 10.77.0.2}
`;
const kernel = "kernel: {table: 100, protocol: 230}\n";
const usual = `${head}${kernel}${statics}neighbors:\n${birdNeighbor}${gobgpNeighbor}`;

interface Network {
  readonly bed: Testbed;
  readonly host: Namespace;
  readonly bird: BirdDaemon;
  readonly gobgp: GobgpDaemon;
  readonly speaker: SpeakerProgram;
}

async function network(t: TestContext, config = usual): Promise<Network> {
  const bed = Testbed.create(t);
  const [host, birdHost, gobgpHost] = [
    await bed.namespace("us"),
    await bed.namespace("bird"),
    await bed.namespace("gobgp"),
  ];
  await bed.network(
    "net",
    [host, birdHost, gobgpHost].map((namespace, index) => ({
      namespace,
      name: "eth0",
      addresses: [`10.77.0.${index + 1}/24`] as const,
    })),
  );
  const [bird, gobgp, speaker] = await Promise.all([
    startBird(bed, { namespace: birdHost, config: birdConfig }),
    startGobgpd(bed, { namespace: gobgpHost, config: gobgpConfig }),
    SpeakerProgram.start(bed, host, config),
  ]);
  await gobgp.gobgp("global", "rib", "add", "10.70.0.0/16");
  return { bed, host, bird, gobgp, speaker };
}

/** `10.60.0.0/16 via 10.77.0.2 proto 230`, sorted. */
async function kernelRoutes(host: Namespace, table: number): Promise<readonly string[]> {
  // A table that never had a route is not known to `ip`.
  const { stdout } = await host.runAnyway(["ip", "-4", "route", "show", "table", String(table)]);
  const lines = stdout.split("\n").filter((line) => line !== "" && !line.includes("proto kernel"));
  return lines.map((line) => line.replace(/ dev \w+/, "").trim()).toSorted();
}

async function untilKernelHas(host: Namespace, table: number, routes: readonly string[]): Promise<void> {
  await eventually(async () => {
    assert.deepEqual(await kernelRoutes(host, table), routes);
    return true;
  });
}

const learned = [
  "10.51.0.0/16 via 10.77.0.2 proto 230",
  "10.60.0.0/16 via 10.77.0.2 proto 230",
  "10.61.0.0/16 via 10.77.0.2 proto 230",
  "10.70.0.0/16 via 10.77.0.3 proto 230",
  "blackhole 10.50.0.0/16 proto 230",
];

/** Name, state and since when, of every neighbor. */
async function sessions(
  speaker: SpeakerProgram,
): Promise<ReadonlyMap<string, { state: unknown; since: unknown }>> {
  const list = await speaker.show("neighbors");
  assert.ok(Array.isArray(list));
  return new Map(
    list.map((one: unknown) => {
      assert.ok(typeof one === "object" && one !== null && "name" in one && "state" in one && "since" in one);
      return [String(one.name), { state: one.state, since: one.since }];
    }),
  );
}

async function untilUp(speaker: SpeakerProgram, ...names: readonly string[]): Promise<void> {
  await eventually(
    async () => {
      const all = await sessions(speaker);
      return names.every((name) => all.get(name)?.state === "Established");
    },
    { what: `sessions with ${names.join(" and ")}` },
  );
}

test(
  "routes travel both ways, and the best are in the chosen table under the chosen protocol",
  { skip },
  async (t) => {
    const { host, bird, gobgp, speaker } = await network(t);
    await untilUp(speaker, "bird", "gobgp");
    await untilKernelHas(host, 100, learned);
    assert.deepEqual(await kernelRoutes(host, 254), [], "nothing of ours is in the main table");

    await eventually(async () => /10\.70\.0\.0\/16 .*AS65001/.test(await bird.birdc("show route")));
    const told = await bird.birdc("show route all 10.50.0.0/16");
    assert.match(told, /BGP\.as_path: 65001\n/);
    assert.match(told, /BGP\.next_hop: 10\.77\.0\.1\n/);
    assert.match(told, /BGP\.community: \(65001,50\)/);
    assert.match(told, /BGP\.large_community: \(65001, 1, 2\)/);
    await eventually(async () => (await gobgp.gobgp("global", "rib")).stdout.includes("10.61.0.0/16"));
    assert.match((await gobgp.gobgp("global", "rib")).stdout, /10\.60\.0\.0\/16 +10\.77\.0\.2 +65002 /);

    const received = await speaker.show("received", "bird");
    assert.ok(Array.isArray(received));
    assert.deepEqual(
      received.map((route: unknown) => {
        assert.ok(typeof route === "object" && route !== null && "prefix" in route);
        return route.prefix;
      }),
      ["10.60.0.0/16", "10.61.0.0/16"],
    );
    const advertised = await speaker.show("advertised", "bird");
    assert.partialDeepStrictEqual(advertised, [
      { prefix: "10.50.0.0/16", communities: ["65001:50"], largeCommunities: ["65001:1:2"] },
      { prefix: "10.51.0.0/16", state: "told", asPath: "65001", nextHop: "10.77.0.1" },
      { prefix: "10.70.0.0/16", state: "told", neighbor: "gobgp" },
    ]);
    assert.partialDeepStrictEqual(await speaker.show("advertised", "bird", "10.60.0.0/16"), [
      { state: "kept", why: "its own route" },
    ]);
    assert.partialDeepStrictEqual(await speaker.show("routes", "10.60.0.0/16"), [
      { best: true, state: "valid", neighbor: "bird", nextHop: "10.77.0.2", asPath: "65002", origin: "IGP" },
    ]);
    assert.partialDeepStrictEqual(await speaker.show("summary"), {
      routerId: "10.77.0.1",
      asn: 65001,
      kernel: { table: 100, protocol: 230, routes: 5, failures: [] },
    });
    const { stdout } = await speaker.bgp("birdcl", "show", "route", "protocol", "bird");
    assert.match(
      stdout,
      /^10\.60\.0\.0\/16 +via 10\.77\.0\.2 on eth0 \[bird [0-9:]+\] \* \(100\/0\) \[AS65002i\]$/m,
    );
  },
);

test("a reload of one neighbor leaves the others' sessions up", { skip }, async (t) => {
  const { host, bird, speaker } = await network(t);
  await untilUp(speaker, "bird", "gobgp");
  await untilKernelHas(host, 100, learned);
  const before = await sessions(speaker);
  const birdSince = await bird.birdc("show protocols caracal");

  const changed = gobgpNeighbor.replace("}", ", holdTimeMs: 30000}");
  speaker.write(
    `${head}${kernel}${statics}  - {prefix: 10.52.0.0/16, blackhole: true}\nneighbors:\n${birdNeighbor}${changed}`,
  );
  const { exitCode, stdout } = await speaker.bgp("reload");
  assert.equal(exitCode, 0);
  assert.equal(stdout, "neighbors changed: gobgp\nstatic routes changed\nneighbors unchanged: 1\n");
  await untilUp(speaker, "gobgp");
  await eventually(async () => (await bird.birdc("show route")).includes("10.52.0.0/16"));
  const after = await sessions(speaker);
  assert.deepEqual(after.get("bird"), before.get("bird"));
  assert.notDeepEqual(after.get("gobgp"), before.get("gobgp"));
  assert.equal(await bird.birdc("show protocols caracal"), birdSince, "the peer saw nothing either");

  // SIGHUP does the same: the neighbor goes, and its routes.
  speaker.write(`${head}${kernel}${statics}neighbors:\n${birdNeighbor}`);
  speaker.program.signal("SIGHUP");
  await untilKernelHas(
    host,
    100,
    learned.filter((route) => !route.startsWith("10.70.")),
  );
  assert.deepEqual([...(await sessions(speaker))], [["bird", before.get("bird")]]);
});

test("a file that is wrong changes nothing and is told whole", { skip }, async (t) => {
  const { host, speaker } = await network(t);
  await untilUp(speaker, "bird", "gobgp");
  await untilKernelHas(host, 100, learned);
  const before = await sessions(speaker);
  speaker.write(`${head}${kernel}neighbors:\n  - {name: bird, adress: 10.77.0.2, asn: 0}\n`);
  const { exitCode, stdout, stderr } = await speaker.bgp("reload");
  assert.equal(exitCode, 1);
  assert.equal(stdout, "");
  assert.match(stderr, /bgp\.yaml:8: neighbors\[0\]\.adress: there is no such key; did you mean address\?\n/);
  assert.match(
    stderr,
    /bgp\.yaml:8: neighbors\[0\]\.asn: expected an AS number from 1 to 4294967295, found "0"\n/,
  );
  assert.deepEqual(await sessions(speaker), before);
  assert.deepEqual(await kernelRoutes(host, 100), learned);

  // What only the machine can refuse comes back to where it was.
  speaker.write(usual.replace("10.77.0.1}]", "10.77.0.99}]"));
  const refused = await speaker.bgp("reload");
  assert.equal(refused.exitCode, 1);
  assert.match(refused.stderr, /^cannot listen for BGP on 10\.77\.0\.99 port 179: /);
  await untilUp(speaker, "bird", "gobgp");
  await untilKernelHas(host, 100, learned);
});

test("a changed filter and another table cost no session", { skip }, async (t) => {
  const { host, bird, speaker } = await network(t);
  await untilUp(speaker, "bird", "gobgp");
  await untilKernelHas(host, 100, learned);
  const filters = `
filters:
  in:
    rules: [{match: {prefixes: [10.61.0.0/16]}, action: reject}]
    otherwise: accept
  out:
    rules: [{set: {communities: {set: [65001:99]}, prependAsPath: [65001]}, action: accept}]
    otherwise: accept
`;
  const filtered = birdNeighbor.replace("}", ", import: in, export: out}");
  const before = await sessions(speaker);
  speaker.write(`${head}${kernel}${statics}${filters}neighbors:\n${filtered}${gobgpNeighbor}`);
  assert.equal((await speaker.bgp("reload")).stderr, "");
  const left = learned.filter((route) => !route.startsWith("10.61."));
  await untilKernelHas(host, 100, left);
  await eventually(async () => {
    const told = await bird.birdc("show route all 10.50.0.0/16");
    return told.includes("BGP.as_path: 65001 65001\n") && told.includes("BGP.community: (65001,99)\n");
  });
  assert.deepEqual(await sessions(speaker), before);
  assert.partialDeepStrictEqual(await speaker.show("received", "bird", "10.61.0.0/16"), [
    { state: "filtered", why: "filter in, rule 1" },
  ]);

  for (const [table, protocol] of [
    [101, 230],
    [101, 231],
  ] as const) {
    speaker.write(
      `${head}kernel: {table: ${table}, protocol: ${protocol}}\n${statics}${filters}neighbors:\n${filtered}${gobgpNeighbor}`,
    );
    assert.equal((await speaker.bgp("reload")).stderr, "");
    await untilKernelHas(
      host,
      table,
      left.map((route) => route.replace("230", String(protocol))),
    );
    assert.deepEqual(await kernelRoutes(host, 100), []);
  }
  assert.deepEqual(await sessions(speaker), before);
});

test("the kernel keeps routes over a restart, until all is known again", { skip }, async (t) => {
  const { host, bird, speaker } = await network(t);
  await untilUp(speaker, "bird", "gobgp");
  await untilKernelHas(host, 100, learned);
  // Somebody else's route in our table is none of our business.
  await host.ip("route", "add", "10.99.0.0/16", "via", "10.77.0.3", "table", "100", "proto", "static");
  const foreign = "10.99.0.0/16 via 10.77.0.3 proto static";
  speaker.program.signal("SIGTERM");
  assert.deepEqual(await speaker.program.exited, { code: 0, signal: null });
  const kept = [...learned, foreign].toSorted();
  assert.deepEqual(await kernelRoutes(host, 100), kept);
  await bird.configure(birdConfig.replace("route 10.61.0.0/16 blackhole;", ""));
  await speaker.restart("SIGTERM", usual);
  await untilKernelHas(
    host,
    100,
    kept.filter((route) => !route.startsWith("10.61.")),
  );
});

test(
  "another router ID starts every session anew; without `kernel` the routes go, with it they come back",
  { skip },
  async (t) => {
    const { host, bird, speaker } = await network(t);
    await untilUp(speaker, "bird", "gobgp");
    await untilKernelHas(host, 100, learned);
    const other = usual.replace("routerId: 10.77.0.1", "routerId: 10.77.0.9");
    speaker.write(other);
    const { stdout, stderr } = await speaker.bgp("reload");
    assert.deepEqual(
      [stdout, stderr],
      ["every session starts anew: another routerId\nneighbors unchanged: 2\n", ""],
    );
    assert.deepEqual(await kernelRoutes(host, 100), learned, "nothing was missing in between");
    await untilUp(speaker, "bird", "gobgp");
    assert.match(await bird.birdc("show protocols all caracal"), /Neighbor ID: +10\.77\.0\.9/);

    speaker.write(other.replace(kernel, "kernel: false\n"));
    assert.equal((await speaker.bgp("reload")).stderr, "");
    assert.deepEqual(await kernelRoutes(host, 100), []);
    speaker.write(other);
    assert.equal((await speaker.bgp("reload")).stderr, "");
    await untilKernelHas(host, 100, learned);
  },
);
