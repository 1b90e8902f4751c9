/**
 * Aim: whatever is killed, traffic between pods goes on, nothing is left behind, and a stock BIRD is a node like any other.
 * Method: the built-in full mesh with the real program; pings run between pods of different nodes while daemons, store and
 * plugins are killed at random moments; then kernel, store and IPAM are compared with what they were before.
 * SEED=… repeats the moments.
 */
import assert from "node:assert/strict";
import { setTimeout as sleep } from "node:timers/promises";
import { test, type TestContext } from "node:test";
import { Dice, eventually, requireRoot, requireTool, run, startBird, Testbed } from "@caracal/testbed";
import { type LabDirectory, openLab, placeOf } from "../src/index.ts";
import { ping } from "../src/ping.ts";
import { isRunning } from "../src/process-identity.ts";
import { pingAcrossNodes } from "./continuous-ping.ts";
import { labContext, labScope, type LabScope, REPOSITORY } from "./lab-scope.ts";
import { labState } from "./lab-state.ts";
import { TestContainer } from "./plugin-run.ts";

const skip = requireRoot() || requireTool("ip", "ping");
const program = [`${REPOSITORY}caracal`];
const seed = Number(process.env["SEED"] ?? Math.floor(Math.random() * 2 ** 31));

interface Cluster {
  readonly scope: LabScope;
  readonly lab: LabDirectory;
  /** `caracal lab WORDS… --name …`, which must succeed. */
  readonly run: (...words: readonly string[]) => Promise<string>;
  /** A number below `bound`, the next of the seed's. */
  readonly random: (bound: number) => number;
}

async function fullMesh(t: TestContext): Promise<Cluster> {
  t.diagnostic(`SEED=${seed}`);
  const scope = await labScope(t, { program });
  const name = scope.newName();
  const lab = scope.directory(name);
  const runLab = async (...words: readonly string[]): Promise<string> => {
    const { exitCode, stdout, stderr } = await scope.lab([...words, "--name", name]);
    assert.equal(exitCode, 0, `${words.join(" ")}: ${stderr}${stdout}`);
    return stdout;
  };
  await runLab("up", "full-mesh");
  const dice = new Dice(seed);
  return { scope, lab, run: runLab, random: (bound) => dice.below(bound) };
}

/** Does harm under pings between all nodes; not one may be lost. */
async function withoutLoss(lab: LabDirectory, harm: () => Promise<void>): Promise<void> {
  const pings = pingAcrossNodes(lab);
  await eventually(() => pings.every((one) => one.answeredCount > 0));
  let ends;
  try {
    await harm();
    // What a late deletion of routes would break shows only now.
    const before = pings.map((one) => one.answeredCount);
    await eventually(() => pings.every((one, index) => one.answeredCount > (before[index] ?? 0) + 20));
  } finally {
    ends = await Promise.all(pings.map(async (one) => ({ ping: one.title, ...(await one.stop()) })));
  }
  assert.deepEqual(
    ends.filter(({ sent, lost }) => sent === 0 || lost.length > 0),
    [],
  );
}

/** Until every session is up again and every pod answers every other. */
async function healthy({ scope, lab }: Cluster): Promise<void> {
  await eventually(async () => (await scope.lab(["check", "--name", lab.name])).exitCode === 0, {
    what: "a healthy lab",
  });
}

test("killed and restarted daemons lose no ping", { skip }, async (t) => {
  const cluster = await fullMesh(t);
  const { lab, random } = cluster;
  const before = await labState(lab);
  await withoutLoss(lab, async () => {
    for (const { name } of lab.nodes()) {
      const daemon = lab.daemon({ node: name });
      await sleep(random(300));
      process.kill(daemon?.pid ?? assert.fail("no such process"), "SIGKILL");
      await eventually(() => !isRunning(daemon));
      await sleep(random(500));
      await cluster.run("restart", name);
      // Sometimes it is killed again before it has learned its routes.
      await sleep(random(200));
    }
    // `restart` ends a running daemon with SIGTERM first.
    for (const { name } of lab.nodes()) await cluster.run("restart", name);
    await healthy(cluster);
  });
  assert.deepEqual(await labState(lab), before);
});

test(
  "while the store is away new pods wait for it, known ones go, traffic goes on, and nothing leaks",
  { skip },
  async (t) => {
    const cluster = await fullMesh(t);
    const { lab } = cluster;
    const [node] = lab.nodes();
    assert.ok(node !== undefined);
    using old = new TestContainer(lab, node.name, "old");
    const before = await labState(lab);
    assert.equal((await old.run("ADD")).exitCode, 0);
    using late = new TestContainer(lab, node.name, "late");
    await withoutLoss(lab, async () => {
      const store = lab.daemon("store");
      process.kill(store?.pid ?? assert.fail("no such process"), "SIGKILL");
      await eventually(() => !isRunning(store));
      const adding = late.run("ADD");
      const removed = await old.run("DEL");
      assert.equal(removed.exitCode, 0, JSON.stringify(removed));
      await cluster.run("restart", "store");
      const added = await adding;
      // On a machine on which that took half a minute it is told to come back.
      if (added.exitCode !== 0) assert.equal(codeOf(added.answer), 11, JSON.stringify(added));
      await eventually(async () => (await late.run("ADD")).exitCode === 0);
      for (const container of [old, late]) {
        await eventually(async () => (await container.run("DEL")).exitCode === 0);
      }
      await healthy(cluster);
    });
    await eventually(async () => {
      assert.deepEqual(await labState(lab), before);
      return true;
    });
  },
);

test(
  "a plugin killed at any moment leaves nothing that the runtime's DEL does not remove",
  { skip },
  async (t) => {
    const { lab, random } = await fullMesh(t);
    const nodes = lab.nodes();
    const before = await labState(lab);
    let killedCount = 0;
    const oneLife = async (index: number): Promise<void> => {
      const node = nodes[index % nodes.length];
      assert.ok(node !== undefined);
      using container = new TestContainer(lab, node.name, `victim-${index}`);
      const isKilledInAdd = index % 2 === 0;
      const added = await container.run("ADD", isKilledInAdd ? random(30) : undefined);
      if (!isKilledInAdd) assert.equal(added.exitCode, 0, JSON.stringify(added));
      const harmed = isKilledInAdd ? added : await container.run("DEL", random(20));
      if (harmed.exitCode === null) killedCount += 1;
      const deleted = await container.run("DEL");
      assert.equal(deleted.exitCode, 0, JSON.stringify(deleted));
    };
    for (let index = 0; index < 48; index += 4) {
      await Promise.all([0, 1, 2, 3].map((more) => oneLife(index + more)));
    }
    t.diagnostic(`${killedCount} of 48 plugins were killed`);
    assert.ok(killedCount > 0, "every call was over before its moment came");
    await eventually(async () => {
      assert.deepEqual(await labState(lab), before);
      return true;
    });
  },
);

test("200 pods come at once and go at once", { skip }, async (t) => {
  const cluster = await fullMesh(t);
  const { lab } = cluster;
  const nodes = lab.nodes();
  const before = await labState(lab);
  const pods = Array.from({ length: 200 }, (_, index) => `many-${index}`);
  await Promise.all(
    pods.map((pod, index) => cluster.run("pod", "add", nodes[index % nodes.length]?.name ?? "", pod)),
  );
  const full = await labState(lab);
  const addresses = lab.pods().flatMap((pod) => pod.addresses);
  assert.equal(new Set(addresses).size, 206);
  assert.equal(full.addressCount, 206);
  assert.equal(full.podRoutes.length, 206);
  assert.equal(full.endpoints.length, 206);
  assert.deepEqual(full.ipamProblems, []);
  // One of each node's newest, from another node: their blocks have been announced.
  for (const [index, pod] of pods.slice(-nodes.length).entries()) {
    const address = lab.pods().find(({ name }) => name === pod)?.addresses[0] ?? "";
    const namespace = lab.namespacePath(pods[index] ?? "");
    const outcome = await ping({ namespace, address, count: 2, env: process.env });
    assert.equal(outcome.received, 2, `${pods[index]} to ${pod} ${address}: ${JSON.stringify(outcome)}`);
  }
  await Promise.all(pods.map((pod) => cluster.run("pod", "del", pod)));
  await eventually(async () => {
    assert.deepEqual(await labState(lab), before);
    return true;
  });
});

test(
  "a stock BIRD 2 joins the mesh as a node, and leaves it",
  { skip: skip || requireTool("bird", "birdc") },
  async (t) => {
    const cluster = await fullMesh(t);
    const { lab } = cluster;
    const bird = await startBirdNode(t, lab);
    await calicoctl(lab, ["apply", "-f", "-"], birdNode);
    await eventually(async () => {
      const protocols = await bird.birdc("show protocols");
      assert.equal(protocols.match(/Established/g)?.length, 3, protocols);
      for (const { name } of lab.nodes()) {
        const status = await calicoctl(lab, ["node", "status"], undefined, name);
        assert.match(status, /172\.18\.0\.9 +\| node-to-node mesh \| up +\|.*Established/);
        assert.match(await routesOf(lab, name), /^10\.244\.77\.0\/26 via 172\.18\.0\.9 dev eth0 proto bird/m);
      }
      return true;
    });
    const learned = (await run(["ip", "-n", bird.namespace, "route"])).stdout;
    for (const { address } of lab.nodes()) {
      assert.match(learned, new RegExp(`^10\\.244\\.\\S+/26 via ${address} dev eth0 proto bird`, "m"));
    }
    for (const pod of lab.pods().slice(0, 2)) {
      const outcome = await ping({
        namespace: lab.namespacePath(pod.name),
        address: "10.244.77.1",
        count: 2,
        env: process.env,
      });
      assert.equal(outcome.received, 2, JSON.stringify(outcome));
    }
    await calicoctl(lab, ["delete", "node", "bird"]);
    await eventually(async () => {
      for (const { name } of lab.nodes()) assert.doesNotMatch(await routesOf(lab, name), /10\.244\.77\.0/);
      assert.doesNotMatch(await bird.birdc("show protocols"), /Established/);
      return true;
    });
    await healthy(cluster);
  },
);

test("without the mesh sessions and routes go; with it they are back", { skip }, async (t) => {
  const cluster = await fullMesh(t);
  const { lab } = cluster;
  const isRemote = /^10\.244\.\S+ via .* proto bird/m;
  await calicoctl(lab, ["apply", "-f", "-"], bgpConfiguration(false));
  await eventually(async () => {
    for (const { name } of lab.nodes()) {
      assert.match(await calicoctl(lab, ["node", "status"], undefined, name), /No IPv4 peers found\./);
      const routes = await routesOf(lab, name);
      assert.doesNotMatch(routes, isRemote);
      assert.match(routes, /^blackhole 10\.244\.\S+ proto bird/m);
    }
    return true;
  });
  await calicoctl(lab, ["apply", "-f", "-"], bgpConfiguration(true));
  await healthy(cluster);
  for (const { name } of lab.nodes()) assert.match(await routesOf(lab, name), isRemote);
});

function codeOf(answer: unknown): unknown {
  return typeof answer === "object" && answer !== null && "code" in answer ? answer.code : undefined;
}

async function routesOf(lab: LabDirectory, node: string): Promise<string> {
  return (await run(["ip", "-n", lab.namespaceName(node), "route"])).stdout;
}

/** `calicoctl` on a node: any, unless it matters which. */
async function calicoctl(
  lab: LabDirectory,
  words: readonly string[],
  input: string = "",
  node: string = lab.nodes()[0]?.name ?? "",
): Promise<string> {
  const { env } = placeOf(openLab(lab.name, labContext()), node, labContext());
  const texts = Object.entries(env).flatMap(([name, value]) => (value === undefined ? [] : [[name, value]]));
  const variables: Record<string, string> = Object.fromEntries(texts);
  return (await run([`${REPOSITORY}bin/calicoctl`, ...words], { env: variables, input })).stdout;
}

const birdNode = `
apiVersion: projectcalico.org/v3
kind: Node
metadata: { name: bird }
spec: { bgp: { ipv4Address: 172.18.0.9/16 } }
`;

function bgpConfiguration(isMeshOn: boolean): string {
  return `
apiVersion: projectcalico.org/v3
kind: BGPConfiguration
metadata: { name: default }
spec: { nodeToNodeMeshEnabled: ${isMeshOn}, asNumber: ${isMeshOn ? 64512 : 61234} }
`;
}

/** BIRD in a namespace of its own on the lab's switch, with a block and a pod's address in it. */
async function startBirdNode(
  t: TestContext,
  lab: LabDirectory,
): Promise<{ readonly namespace: string; readonly birdc: (command: string) => Promise<string> }> {
  const bed = Testbed.create(t);
  const namespace = await bed.namespace("bird");
  const lan = lab.namespaceName("switch");
  const [, bridge = ""] =
    /^[0-9]+: (\S+?):/.exec((await run(["ip", "-n", lan, "-o", "link", "show", "type", "bridge"])).stdout) ??
    [];
  await namespace.ip("link", "add", "eth0", "type", "veth", "peer", "name", "bird", "netns", lan);
  await run(["ip", "-n", lan, "link", "set", "bird", "master", bridge, "up"]);
  await namespace.ip("address", "add", "172.18.0.9/16", "dev", "eth0");
  await namespace.ip("link", "set", "eth0", "up");
  await namespace.ip("address", "add", "10.244.77.1/32", "dev", "lo");
  const peers = lab.nodes().map(
    ({ address }, index) => `
protocol bgp node${index} {
  local 172.18.0.9 as 64512;
  neighbor ${address} as 64512;
  ipv4 { import all; export where source = RTS_STATIC; next hop self; };
}`,
  );
  const config = `
router id 172.18.0.9;
protocol device {}
protocol direct { ipv4; interface "eth0"; }
protocol kernel { ipv4 { import none; export where source = RTS_BGP; }; }
protocol static { ipv4; route 10.244.77.0/26 blackhole; }
${peers.join("\n")}
`;
  const { birdc } = await startBird(bed, { namespace, config });
  return { namespace: namespace.name, birdc };
}
