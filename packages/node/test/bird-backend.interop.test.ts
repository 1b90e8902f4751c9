/**
 * Aim: a stock BIRD does what a node's intent asks, follows its changes, is started again when it ends, and leaves its routes and
 * its peers' when the daemon stops.
 * Method: two nodes in namespaces of their own, each with a backend whose programs are BIRD 1.6 inside the namespace.
 */
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { chmodSync, existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test, type TestContext } from "node:test";
import { nodeIntent, type NodeIntent } from "@caracal/intent";
import type { BgpConfiguration, Node } from "@caracal/resources";
import {
  birdPrograms,
  eventually,
  type Namespace,
  requireBird1,
  requireRoot,
  requireTool,
  Testbed,
} from "@caracal/testbed";
import { BirdBackend } from "../src/bird-backend/bird-backend.ts";
import { askBird } from "../src/bird-backend/bird-conversation.ts";
import { endLeftBirds } from "../src/bird-backend/left-birds.ts";
import { bgpConfiguration, memoryLog, node, pool, prefix } from "./node-fixtures.ts";

const skip = requireRoot() || requireTool("ip") || requireBird1();

interface BirdNode {
  readonly namespace: Namespace;
  readonly backend: BirdBackend;
  readonly runDir: string;
  readonly lines: readonly Record<string, unknown>[];
  readonly intent: (settings?: BgpConfiguration["spec"]) => NodeIntent;
  readonly routes: () => Promise<string>;
}

async function startPair(t: TestContext): Promise<readonly [BirdNode, BirdNode]> {
  const bed = Testbed.create(t);
  const [a, b] = [await bed.namespace("a"), await bed.namespace("b")];
  await bed.wire(
    { namespace: a, name: "eth0", addresses: ["10.0.0.1/24", "fd00::1/64"] },
    { namespace: b, name: "eth0", addresses: ["10.0.0.2/24", "fd00::2/64"] },
  );
  return [open(t, bed, a, 1), open(t, bed, b, 2)];
}

function open(t: TestContext, bed: Testbed, namespace: Namespace, index: number): BirdNode {
  const directory = bed.directory("bird");
  const inside = (name: string, program: string): string => {
    const script = join(directory, name);
    writeFileSync(script, `#!/bin/sh\nexec ip netns exec ${namespace.name} ${program} "$@"\n`);
    chmodSync(script, 0o755);
    return script;
  };
  const { log, lines } = memoryLog();
  const backend = new BirdBackend({
    programs: {
      bird: inside("bird", birdPrograms("1.6").daemon),
      bird6: inside("bird6", birdPrograms("1.6 for IPv6").daemon),
    },
    configDir: join(directory, "config"),
    runDir: directory,
    interfacePrefixes: ["cali"],
    passwordOf: ({ key }) => (key === "missing" ? undefined : `password ${key}`),
    log,
  });
  t.after(() => backend.stop());
  const name = `n${index}`;
  const intent = (settings: BgpConfiguration["spec"] = {}): NodeIntent =>
    nodeIntent({
      node: name,
      cluster: {
        nodes: [1, 2].map((one) => dualStack(one)),
        pools: [pool("10.244.0.0/16"), { ...pool("fd00:10:244::/64"), metadata: { name: "pool6" } }],
        bgpConfigurations: [bgpConfiguration(settings)],
        bgpPeers: [],
        bgpFilters: [],
      },
      affinities: [`10.244.${index}.0/26`, `fd00:10:244::${index}00/122`].map((block) => ({
        node: name,
        block: prefix(block),
        state: "confirmed",
      })),
      endpoints: [],
      settings: { sha256: (text) => createHash("sha256").update(text).digest() },
    });
  return { namespace, backend, runDir: directory, lines, intent, routes: () => namespace.ip("route") };
}

function dualStack(index: number): Node {
  const one = node(`n${index}`, `10.0.0.${index}/24`);
  return { ...one, spec: { bgp: { ...one.spec.bgp, ipv6Address: `fd00::${index}/64` } } };
}

const states = ({ backend }: BirdNode): string =>
  backend
    .peers()
    .map(({ state }) => state)
    .join();
/** The IPv4 session and the IPv6 session. */
const bothUp = "Established,Established";
const allUp = { what: "sessions of BIRD" };

test("two nodes run BIRD: sessions, routes, a change, a killed BIRD, the end", { skip }, async (t) => {
  const [a, b] = await startPair(t);
  a.backend.apply(a.intent());
  b.backend.apply(b.intent());
  await eventually(() => states(a) === bothUp && states(b) === bothUp, allUp);
  const learned = "10.244.2.0/26 via 10.0.0.2 dev eth0 proto bird";
  const own = "blackhole 10.244.1.0/26 proto bird";
  await eventually(async () => {
    const text = await a.routes();
    return text.includes(learned) && text.includes(own);
  });
  await eventually(async () => {
    const text = await a.namespace.ip("-6", "route");
    return text.includes("fd00:10:244::200/122 via fd00::2 dev eth0 proto bird");
  });
  assert.equal(a.backend.failure, undefined);

  // A password that one end has keeps them apart, and both have it in the end.
  const secret = (key: string) => ({ nodeMeshPassword: { secretKeyRef: { name: "bgp", key } } });
  const pid = readFileSync(join(a.runDir, "bird.pid"), "utf8");
  for (const one of [a, b]) one.backend.apply(one.intent(secret("mesh")));
  await eventually(() => readFileSync(join(a.runDir, "config/bird.cfg"), "utf8").includes('"password mesh"'));
  await eventually(() => states(a) === bothUp && states(b) === bothUp, allUp);
  await eventually(async () => (await a.routes()).includes(learned));
  assert.equal(readFileSync(join(a.runDir, "bird.pid"), "utf8"), pid, "configured, not restarted");

  process.kill(Number(pid), "SIGKILL");
  await eventually(() => {
    const now = existsSync(join(a.runDir, "bird.pid"))
      ? readFileSync(join(a.runDir, "bird.pid"), "utf8")
      : pid;
    return now !== pid && a.backend.failure === undefined;
  });
  assert.ok((await a.routes()).includes(learned), "forwarding goes on meanwhile");
  const hasLearned = async (): Promise<boolean> => {
    const lines = await askBird(join(a.runDir, "bird.ctl"), "show route for 10.244.2.0/26").catch(() => []);
    return lines.some((line) => line.includes("Mesh_10_0_0_2"));
  };
  await eventually(hasLearned, allUp);

  // A neighbour that goes a second time before it has told all again loses its routes (RFC 4724 §4.2), so the other one goes.
  await b.backend.stop();
  assert.ok((await b.routes()).includes("10.244.1.0/26 via 10.0.0.1"), "kernel routes stay");
  assert.ok((await a.routes()).includes(learned), "the peer keeps our routes");
});

test(
  "what BIRD refuses is not put in place, and a BIRD that a killed daemon left is ended",
  { skip },
  async (t) => {
    const [a] = await startPair(t);
    a.backend.apply(a.intent());
    const pidFile = join(a.runDir, "bird.pid");
    await eventually(() => existsSync(pidFile) && a.backend.peers().length === 2);
    const config = join(a.runDir, "config/bird.cfg");
    const before = readFileSync(config, "utf8");
    // No two protocols have one name.
    const good = a.intent();
    assert.ok(good.bgp !== undefined);
    const peers = [...good.bgp.peers, ...good.bgp.peers.map((peer) => ({ ...peer, type: "node" as const }))];
    a.backend.apply({ ...good, bgp: { ...good.bgp, peers } });
    await eventually(() => a.backend.failure?.startsWith("BIRD refuses its configuration: ") === true);
    assert.equal(readFileSync(config, "utf8"), before);
    a.backend.apply(good);
    await eventually(() => a.backend.failure === undefined);

    // What it cannot do it leaves to the daemon.
    const { programming } = good.kernel;
    const tunnelled = programming.pools.map((one) => ({ ...one, ipipMode: "Always" as const }));
    a.backend.apply({
      ...good,
      kernel: { ...good.kernel, programming: { ...programming, pools: tunnelled } },
    });
    const ipam = join(a.runDir, "config/bird_ipam.cfg");
    await eventually(() => /IPIP routes are handled by the node daemon/.test(readFileSync(ipam, "utf8")));
    assert.equal(a.backend.hasTunnels, false);

    const pid = Number(readFileSync(pidFile, "utf8"));
    await endLeftBirds(a.runDir);
    assert.equal(existsSync(`/proc/${pid}`) && readFileSync(`/proc/${pid}/cmdline`, "utf8") !== "", false);
    assert.equal(existsSync(pidFile), false);
  },
);

test("a program that is no BIRD 1.6 is refused by name", { skip: skip || requireTool("bird") }, async (t) => {
  const [a] = await startPair(t);
  const backend = new BirdBackend({
    programs: { bird: "bird", bird6: "bird6" },
    configDir: join(a.runDir, "other"),
    runDir: a.runDir,
    interfacePrefixes: ["cali"],
    passwordOf: () => undefined,
    log: memoryLog().log,
  });
  t.after(() => backend.stop());
  backend.apply(a.intent());
  await eventually(() => backend.failure !== undefined);
  assert.match(backend.failure ?? "", /bird is BIRD 2\.\S+, and 1\.6 is needed|spawn bird ENOENT/);
});
