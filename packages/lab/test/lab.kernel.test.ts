/**
 * Aim: a lab comes up, is used and goes, and leaves nothing behind however it ends; bad orders change nothing.
 * Method: real namespaces and the real CNI executables with a fake `caracal` (test/fake-caracal.ts); for interruptions a
 * process of its own runs the command.
 */
import assert from "node:assert/strict";
import { statSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { join } from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { eventually, frrBgpd, type Program, requireRoot, requireTool, run, Testbed } from "@caracal/testbed";
import { isRunning } from "../src/process-identity.ts";
import { labScope, type LabScope, traces } from "./lab-scope.ts";

const skip = requireRoot() || requireTool("ip", "ping");
const CHILD = fileURLToPath(new URL("lab-child.ts", import.meta.url));

function topologyFile(bed: Testbed, environment: Readonly<Record<string, string>> = {}): string {
  const file = join(bed.directory("topology"), "small.yaml");
  const lines = Object.entries(environment).map(([key, value]) => `  ${key}: ${value}\n`);
  writeFileSync(
    file,
    `name: small
pool: { cidr: 10.244.0.0/16 }
environment:\n${lines.join("") || "  NOTHING: much\n"}networks:
  - { name: lan, subnet: 10.0.0.0/24, gateway: 10.0.0.254 }
nodes:
  - { name: small-a, address: 10.0.0.1, pods: [pa] }
  - { name: small-b, address: 10.0.0.2, pods: [pb] }
`,
  );
  return file;
}

async function upSmall(scope: LabScope, bed: Testbed): Promise<string> {
  const name = scope.newName();
  const { exitCode, stderr } = await scope.lab(["up", topologyFile(bed), "--name", name]);
  assert.equal(exitCode, 0, stderr);
  return name;
}

test("a lab comes up routed, does what it is asked, and goes without a trace", { skip }, async (t) => {
  const [scope, bed] = [await labScope(t), Testbed.create(t)];
  const linksBefore = (await run(["ip", "-o", "link"])).stdout;
  const name = await upSmall(scope, bed);
  const lab = scope.directory(name);

  const checked = await scope.lab(["check", "--json", "--name", name]);
  assert.equal(checked.exitCode, 0, checked.stdout);
  assert.match(checked.stdout, /"ok": true/);
  assert.match(
    (await scope.lab(["check", "--name", name])).stdout,
    /pa +pb +10\.244\.2\.1 +3\/3 .*reachable\n/,
  );
  assert.match((await scope.lab(["list"])).stdout, new RegExp(`${name} +up +2 +2`));
  const status = (await scope.lab(["status", "--name", name])).stdout;
  assert.match(status, /small-a +10\.0\.0\.1 +running \([0-9]+\) +yes +1\/1 +1 +1\n/);
  assert.match(status, /pb +default +10\.244\.2\.1 +small-b\n/);

  const netns = (await run(["ip", "netns"])).stdout;
  for (const part of ["switch", "small-a", "small-b", "pa", "pb"])
    assert.match(netns, new RegExp(`^${name}-${part}\\b`, "m"));
  assert.match(
    (await run(["ip", "-n", `${name}-small-a`, "route"])).stdout,
    /default via 10\.0\.0\.254 dev eth0/,
  );
  assert.match((await run(["ip", "-n", `${name}-small-a`, "link"])).stdout, /eth0.*\n.*02:42:0a:00:00:01/);
  assert.equal((await run(["ip", "-o", "link"])).stdout, linksBefore);

  assert.equal((await scope.lab(["down", "--name", name])).exitCode, 0);
  assert.deepEqual(traces(lab), []);
});

test("exec passes the exit code on and lets a node's commands find daemon and store", { skip }, async (t) => {
  const [scope, bed] = [await labScope(t), Testbed.create(t)];
  const name = await upSmall(scope, bed);
  const file = join(bed.directory(), "out");
  const sh = (
    place: string,
    script: string,
  ): Promise<{ readonly exitCode: number; readonly stderr: string }> =>
    scope.lab(["exec", "--name", name, place, "--", "sh", "-c", script]);
  assert.equal((await sh("pa", "exit 7")).exitCode, 7);
  assert.equal((await sh("a", "kill -TERM $$")).exitCode, 143);
  assert.equal((await sh("pa", "ping -q -c1 -W2 10.244.2.1 > /dev/null")).exitCode, 0);
  const wanted = ["CARACAL_RUN_DIR", "CARACAL_LIB_DIR", "NODENAME", "ETCD_ENDPOINTS"];
  assert.equal(
    (await sh("small-a", `echo ${wanted.map((key) => `$${key}`).join(" ")} > ${file}`)).exitCode,
    0,
  );
  const { path } = scope.directory(name);
  const told = (await run(["cat", file])).stdout.trim().split(" ");
  assert.deepEqual(told, [
    `${path}/nodes/small-a/run`,
    `${path}/nodes/small-a/lib`,
    "small-a",
    `unix://${path}/store.sock`,
  ]);
  assert.equal(
    (await sh("a", "for name in caracal birdcl calicoctl; do command -v $name; done > /dev/null")).exitCode,
    0,
  );
  const nowhere = await sh("nowhere", "true");
  assert.equal(nowhere.exitCode, 1);
  assert.match(nowhere.stderr, /^lab \S+ has no node or pod nowhere: it has small-a, small-b, pa, pb\n$/);
  assert.equal((await scope.lab(["exec", "--name", name, "pa", "--", "/no/such/program"])).exitCode, 127);
});

test("two labs of one topology live side by side", { skip }, async (t) => {
  const [scope, bed] = [await labScope(t), Testbed.create(t)];
  const [first, second] = await Promise.all([upSmall(scope, bed), upSmall(scope, bed)]);
  assert.match((await scope.lab(["status"])).stderr, /^there are several labs, so --name is needed: /);
  assert.equal((await scope.lab(["down", "--name", first])).exitCode, 0);
  assert.deepEqual(traces(scope.directory(first)), []);
  assert.equal((await scope.lab(["check", "--name", second])).exitCode, 0);
});

test(
  "a name that is taken is refused in one line, and the lab that has it is not touched",
  { skip },
  async (t) => {
    const [scope, bed] = [await labScope(t), Testbed.create(t)];
    const name = await upSmall(scope, bed);
    const before = [traces(scope.directory(name)), statSync(scope.directory(name).path).mtimeMs];
    const again = await scope.lab(["up", topologyFile(bed), "--name", name]);
    assert.equal(again.exitCode, 1);
    assert.equal(
      again.stderr,
      `lab ${name} exists already (remove it with: caracal lab down --name ${name})\n`,
    );
    assert.deepEqual([traces(scope.directory(name)), statSync(scope.directory(name).path).mtimeMs], before);
  },
);

test("what a lab left before the machine's last boot is cleared away by the next up", { skip }, async (t) => {
  const [scope, bed] = [await labScope(t), Testbed.create(t)];
  const name = await upSmall(scope, bed);
  const lab = scope.directory(name);
  const { record } = lab;
  assert.ok(record !== undefined);
  lab.writeRecord({ ...record, bootId: "another" });
  const again = await scope.lab(["up", topologyFile(bed), "--name", name]);
  assert.equal(again.exitCode, 0, again.stderr);
  assert.equal((await scope.lab(["check", "--name", name])).exitCode, 0);
});

test("a namespace of somebody else's is neither taken nor removed", { skip }, async (t) => {
  const [scope, bed] = [await labScope(t), Testbed.create(t)];
  const name = scope.newName();
  await run(["ip", "netns", "add", `${name}-small-b`]);
  t.after(() => run(["ip", "netns", "delete", `${name}-small-b`]));
  const { exitCode, stderr } = await scope.lab(["up", topologyFile(bed), "--name", name]);
  assert.equal(exitCode, 1);
  assert.match(stderr, /^there is a network namespace \S+-small-b already: choose another --name\n$/);
  assert.deepEqual(traces(scope.directory(name)), [`${name}-small-b`]);
});

async function startUp(
  scope: LabScope,
  bed: Testbed,
  misbehaviour: string,
): Promise<{ child: Program; name: string }> {
  const name = scope.newName();
  const file = topologyFile(bed, { FAKE_NODE: misbehaviour });
  const child = await bed.start([process.execPath, CHILD, "up", file, "--name", name]);
  return { child, name };
}

test("an up that is killed half way is found, refused and removed", { skip }, async (t) => {
  const [scope, bed] = [await labScope(t), Testbed.create(t)];
  const { child, name } = await startUp(scope, bed, "hang");
  await child.waitForOutput(/daemons started/);
  assert.match((await scope.lab(["list"])).stdout, new RegExp(`${name} +coming up`));
  const early = await scope.lab(["down", "--name", name]);
  assert.match(early.stderr, /is being brought up by process/);
  child.signal("SIGKILL");
  await child.exited;
  const again = await scope.lab(["up", topologyFile(bed), "--name", name]);
  assert.equal(again.exitCode, 1);
  assert.match(again.stderr, /^lab \S+ exists already \(it is broken; remove it with: /);
  assert.match((await scope.lab(["list"])).stdout, new RegExp(`${name} +never routed`));
  assert.equal((await scope.lab(["down", "--name", name])).exitCode, 0);
  assert.deepEqual(traces(scope.directory(name)), []);
});

test("killed at any step, an up leaves nothing that down does not find", { skip }, async (t) => {
  const [scope, bed] = [await labScope(t), Testbed.create(t)];
  for (const stepMs of [0, 5, 15, 40, 80, 160, 320]) {
    const { child, name } = await startUp(scope, bed, "");
    await eventually(() => scope.directory(name).exists);
    await new Promise((resolve) => setTimeout(resolve, stepMs));
    child.signal("SIGKILL");
    await child.exited;
    const { exitCode, stderr } = await scope.lab(["down", "--name", name]);
    assert.equal(exitCode, 0, stderr);
    assert.deepEqual(traces(scope.directory(name)), [], `killed after ${stepMs} ms`);
  }
});

test(
  "an up with switches goes without a trace, wherever it is killed",
  { skip: skip || requireTool("bird", "birdc", frrBgpd, "vtysh") },
  async (t) => {
    const [scope, bed] = [await labScope(t), Testbed.create(t)];
    const file = join(bed.directory("fabric"), "fabric.yaml");
    writeFileSync(
      file,
      `name: fabric
pool: { cidr: 10.244.0.0/16 }
environment: { FAKE_NODE: hang }
switches:
  - { name: leaf, asNumber: 65001, daemon: frr, servers: internal }
  - { name: spine, asNumber: 65000, daemon: bird }
racks:
  - { name: rack, subnet: 10.0.0.0/24, switch: leaf, gateway: 10.0.0.254 }
links:
  - { switches: [leaf, spine], subnet: 10.1.1.0/30 }
nodes:
  - { name: a, address: 10.0.0.1 }
`,
    );
    for (const word of [
      /lab \S+: 1 nodes/,
      /switches route: leaf \(FRR\), spine \(BIRD\)/,
      /daemons started/,
    ]) {
      const name = scope.newName();
      const child = await bed.start([process.execPath, CHILD, "up", file, "--name", name]);
      await child.waitForOutput(word);
      child.signal("SIGKILL");
      await child.exited;
      const { exitCode, stderr } = await scope.lab(["down", "--name", name]);
      assert.equal(exitCode, 0, stderr);
      assert.deepEqual(traces(scope.directory(name)), [], String(word));
    }
  },
);

test("an interrupted up rolls back and says so", { skip }, async (t) => {
  const [scope, bed] = [await labScope(t), Testbed.create(t)];
  const { child, name } = await startUp(scope, bed, "hang");
  await child.waitForOutput(/daemons started/);
  process.kill(child.pid, "SIGINT");
  assert.deepEqual(await child.exited, { code: 1, signal: null });
  assert.match(child.output, /interrupted: rolling back\n.*was not brought up: interrupted\n$/);
  assert.deepEqual(traces(scope.directory(name)), []);
});

test(
  "a daemon that ends at once fails the up with its last words, and all is rolled back",
  { skip },
  async (t) => {
    const [scope, bed] = [await labScope(t), Testbed.create(t)];
    const name = scope.newName();
    const file = topologyFile(bed, { FAKE_NODE: "exit" });
    const { exitCode, stderr } = await scope.lab(["up", file, "--name", name]);
    assert.equal(exitCode, 1);
    assert.match(stderr, /the daemon of small-[ab] ended at once: Error: no address was found\n$/);
    assert.deepEqual(traces(scope.directory(name)), []);
  },
);

test("a pod that cannot be added fails the up with the plugin's reason", { skip }, async (t) => {
  const [scope, bed] = [await labScope(t), Testbed.create(t)];
  const name = scope.newName();
  const { exitCode, stderr } = await scope.lab([
    "up",
    topologyFile(bed, { FAKE_NODE: "no-pods" }),
    "--name",
    name,
  ]);
  assert.equal(exitCode, 1);
  assert.match(stderr, /p[ab] could not be added on small-[ab]: no pool\n$/);
  assert.deepEqual(traces(scope.directory(name)), []);
});

test("a port in use is one clear line", { skip }, async (t) => {
  const [scope, bed] = [await labScope(t), Testbed.create(t)];
  const holder = createServer().listen(0, "127.0.0.1");
  t.after(() => holder.close());
  await eventually(() => holder.listening);
  const address = holder.address();
  const port = typeof address === "object" ? address?.port : 0;
  const name = scope.newName();
  const listen = ["--store-listen", `127.0.0.1:${port}`];
  const { exitCode, stderr } = await scope.lab(["up", topologyFile(bed), "--name", name, ...listen]);
  assert.equal(exitCode, 1);
  assert.match(stderr, /the store ended at once: .*EADDRINUSE/);
  assert.deepEqual(traces(scope.directory(name)), []);
});

test("a lab whose routes do not come stays, and every missing one is named", { skip }, async (t) => {
  const [scope, bed] = [await labScope(t), Testbed.create(t)];
  const name = scope.newName();
  const interrupt = new AbortController();
  const file = topologyFile(bed, { FAKE_NODE: "no-routes" });
  let stderr = "";
  const sink = { write: (text: string) => void (stderr += text) };
  const up = scope.lab(["up", file, "--name", name], { signal: interrupt.signal, stderr: sink });
  // Interrupted once it waits for routes alone, it need not wait for its deadline.
  await eventually(() => stderr.match(/ answers; pods: /g)?.length === 2);
  interrupt.abort();
  const { exitCode } = await up;
  assert.equal(exitCode, 1);
  assert.match(
    stderr,
    /small-a: expected a way to pb \(10\.244\.2\.1 on small-b\); found small-a: 10\.0\.0\.254 is no node and no switch\n/,
  );
  const checked = await scope.lab(["check", "--name", name]);
  assert.equal(checked.exitCode, 1);
  assert.match(checked.stdout, /unreachable, expected reachable/);
});

test("pods come and go, many at once", { skip }, async (t) => {
  const [scope, bed] = [await labScope(t), Testbed.create(t)];
  const name = await upSmall(scope, bed);
  const pods = Array.from({ length: 24 }, (_, index) => `many-${index}`);
  const inLab = ["--name", name];
  const added = await Promise.all(
    pods.map((pod, index) => scope.lab(["pod", "add", index % 2 === 0 ? "a" : "b", pod, ...inLab])),
  );
  assert.deepEqual(
    added.map((outcome) => outcome.exitCode),
    pods.map(() => 0),
  );
  assert.equal(
    (await scope.lab(["exec", ...inLab, "many-0", "--", "sh", "-c", "ping -qc1 10.244.2.2 > /dev/null"]))
      .exitCode,
    0,
  );
  assert.match(
    (await scope.lab(["pod", "add", "a", "many-1", ...inLab])).stderr,
    /^the name many-1 is taken/,
  );
  assert.match(
    (await scope.lab(["pod", "add", "a", "small-b", ...inLab])).stderr,
    /^the name small-b is taken/,
  );
  assert.match(
    (await scope.lab(["pod", "add", "a", "No_Name", ...inLab])).stderr,
    /^"No_Name" is not a pod's name/,
  );
  const removed = await Promise.all(pods.map((pod) => scope.lab(["pod", "del", pod, ...inLab])));
  assert.deepEqual(
    removed.map((outcome) => outcome.exitCode),
    pods.map(() => 0),
  );
  assert.deepEqual(
    scope
      .directory(name)
      .pods()
      .map((pod) => pod.name),
    ["pa", "pb"],
  );
  assert.equal(
    (await run(["ip", "-n", `${name}-small-a`, "-o", "link", "show", "type", "veth"])).stdout.split("\n")
      .length,
    3,
  );
  assert.match(
    (await scope.lab(["pod", "del", "many-1", ...inLab])).stderr,
    /has no pod many-1: it has pa, pb\n$/,
  );
});

test("a node comes with the next free address and goes with its pods", { skip }, async (t) => {
  const [scope, bed] = [await labScope(t), Testbed.create(t)];
  const name = await upSmall(scope, bed);
  const inLab = ["--name", name];
  const added = await scope.lab(["node", "add", "small-c", ...inLab]);
  assert.equal(added.stdout, "node small-c is up at 10.0.0.3\n", added.stderr);
  assert.equal((await scope.lab(["pod", "add", "c", "pc", ...inLab])).exitCode, 0);
  assert.equal((await scope.lab(["check", ...inLab])).exitCode, 0);
  assert.match(
    (await scope.lab(["node", "add", "small-d", "--address", "10.0.0.2", ...inLab])).stderr,
    /no free address/,
  );
  assert.match(
    (await scope.lab(["node", "add", "small-d", "--network", "wan", ...inLab])).stderr,
    /has no network wan: it has lan\n$/,
  );
  const removed = await scope.lab(["node", "del", "c", ...inLab]);
  assert.equal(removed.exitCode, 0, removed.stderr);
  const left = traces(scope.directory(name)).filter((trace) => /small-c|pc$/.test(trace));
  assert.deepEqual(left, []);
});

test("a lab with a killed store and daemon says so and goes like any other", { skip }, async (t) => {
  const [scope, bed] = [await labScope(t), Testbed.create(t)];
  const name = await upSmall(scope, bed);
  const lab = scope.directory(name);
  const daemons = [lab.daemon("store"), lab.daemon({ node: "small-a" })];
  for (const daemon of daemons) process.kill(daemon?.pid ?? assert.fail("no such process"), "SIGKILL");
  await eventually(() => !daemons.some(isRunning));
  const { stdout } = await scope.lab(["status", "--name", name]);
  assert.match(stdout, /store: embedded, gone\n/);
  assert.match(stdout, /small-a +10\.0\.0\.1 +gone +silent +0\/0/);
  assert.equal((await scope.lab(["check", "--name", name])).exitCode, 1);
  assert.equal((await scope.lab(["down", "--name", name])).exitCode, 0);
  assert.deepEqual(traces(lab), []);
});

test("restart starts what was killed and what runs, and pods stay", { skip }, async (t) => {
  const [scope, bed] = [await labScope(t), Testbed.create(t)];
  const name = await upSmall(scope, bed);
  const lab = scope.directory(name);
  const killed = lab.daemon({ node: "small-a" });
  process.kill(killed?.pid ?? assert.fail("no such process"), "SIGKILL");
  const running = lab.daemon({ node: "small-b" });
  for (const word of ["a", "small-b", "store"]) {
    const { exitCode, stdout, stderr } = await scope.lab(["restart", word, "--name", name]);
    assert.equal(exitCode, 0, stderr);
    assert.equal(stdout, `${word} runs again\n`);
  }
  assert.deepEqual([isRunning(killed), isRunning(running)], [false, false]);
  assert.equal((await scope.lab(["check", "--name", name])).exitCode, 0);
});

test("down ends what runs in the lab, but not the shell that asks for it", { skip }, async (t) => {
  const [scope, bed] = [await labScope(t), Testbed.create(t)];
  const name = await upSmall(scope, bed);
  const sleeper = await bed.start(["nsenter", `--net=/run/netns/${name}-pa`, "sleep", "1000"]);
  const script = `nsenter --net=/run/netns/${name}-small-a ${process.execPath} ${CHILD} down --name ${name}; echo survived`;
  const shell = await bed.start(["sh", "-c", script], {
    env: { CARACAL_LAB_DIR: scope.directory(name).path },
  });
  await shell.waitForOutput(/is removed\nsurvived/);
  assert.equal((await sleeper.exited).signal, "SIGKILL");
  assert.deepEqual(traces(scope.directory(name)), []);
});

test("bad orders are one line each and change nothing", { skip }, async (t) => {
  const scope = await labScope(t);
  const orders: readonly (readonly [words: readonly string[], answer: RegExp])[] = [
    [
      ["up", "full-mess"],
      /^there is no topology full-mess: there are as-per-rack, .*, or give a file's path\n$/,
    ],
    [["up", "full-mesh", "--name", "A B"], /^"A B" is not a lab's name/],
    [["up", "full-mesh", "--switches", "cisco"], /^--switches cisco: give caracal, bird, frr\n$/],
    [["up", "full-mesh", "--store", "mysql://x"], /^--store mysql:\/\/x: give embedded or etcd:/],
    [["up", "full-mesh", "--store", "etcd://x:0"], /^--store: x:0 is not HOST:PORT\n$/],
    [["up", "full-mesh", "--stor", "x"], /^unknown option --stor; usage: caracal lab up TOPOLOGY/],
    [["up"], /^a word is missing; usage: /],
    [["exec", "--name", "none", "a"], /^a command is missing: /],
    [["status", "--name", "none"], /^there is no lab none: /],
    [["down", "--name", "../x"], /^"..\/x" is not a lab's name/],
    [["down", "--all", "--name", "x"], /^give --name or --all, not both\n$/],
    [["fly"], /^unknown lab command fly: there are up, list, /],
    [["pod", "fly"], /^unknown lab command pod fly: /],
  ];
  for (const [words, answer] of orders) {
    const { exitCode, stderr } = await scope.lab(words);
    assert.equal(exitCode, 1, words.join(" "));
    assert.match(stderr, answer);
  }
  const { exitCode, stderr } = await scope.lab(["up", "full-mesh"], { userId: 1000 });
  assert.equal(exitCode, 1);
  assert.equal(stderr, "caracal lab needs root: it makes network namespaces\n");
});
