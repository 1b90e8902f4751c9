/**
 * Aim: a cluster forwards the same whichever program speaks BGP on its nodes: our speaker, a stock BIRD, or each on some of them.
 * Method: the built-in mesh three times, and a cluster with route reflectors on BIRD, with what their checks and `ip route` show.
 */
import assert from "node:assert/strict";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test, type TestContext } from "node:test";
import {
  birdPrograms,
  eventually,
  requireBird1,
  requireRoot,
  requireTool,
  run,
  Testbed,
} from "@caracal/testbed";
import { labScope, type LabScope, REPOSITORY } from "./lab-scope.ts";

const skip = requireRoot() || requireTool("ip", "ping") || requireBird1();

const env = {
  ...process.env,
  CARACAL_BIRD: birdPrograms("1.6").daemon,
  CARACAL_BIRD6: birdPrograms("1.6 for IPv6").daemon,
};

/** Brings a built-in topology up with other backends; gives the lab's name. */
async function up(
  t: TestContext,
  scope: LabScope,
  topology: string,
  backends: Readonly<Record<string, string>>,
  more?: (directory: string) => string,
): Promise<string> {
  let text = readFileSync(join(REPOSITORY, "packages/lab/topologies", `${topology}.yaml`), "utf8");
  for (const [node, backend] of Object.entries(backends)) {
    text =
      node === "all"
        ? text.replace("\npool:", `\nbackend: ${backend}\npool:`)
        : text.replace(`  - name: ${node}\n`, `  - name: ${node}\n    backend: ${backend}\n`);
  }
  const directory = Testbed.create(t).directory("topology");
  if (more !== undefined) text += more(directory);
  const file = join(directory, `${topology}.yaml`);
  writeFileSync(file, text);
  const name = scope.newName();
  const { exitCode, stderr } = await scope.lab(["up", file, "--name", name], { env });
  assert.equal(exitCode, 0, stderr);
  return name;
}

async function assertForwards(scope: LabScope, name: string): Promise<void> {
  const { exitCode, stdout } = await scope.lab(["check", "--name", name]);
  assert.equal(exitCode, 0, stdout);
}

/** Routes by BGP and pods of every node, with the blocks by the names of their nodes: they are chosen anew in each cluster. */
async function routesOf(scope: LabScope, name: string): Promise<readonly string[]> {
  const nodes = scope.directory(name).nodes();
  const texts = await Promise.all(nodes.map((node) => run(["ip", "-n", `${name}-${node.name}`, "route"])));
  const owners = new Map(
    texts.flatMap(({ stdout }, index) => {
      const block = /^blackhole (\S+) proto bird/m.exec(stdout)?.[1];
      return block === undefined ? [] : [[block, nodes[index]?.name ?? ""] as const];
    }),
  );
  return texts
    .flatMap(({ stdout }, index) => stdout.split("\n").map((line) => `${nodes[index]?.name}: ${line.trim()}`))
    .filter((line) => line.includes("proto bird"))
    .map((line) => line.replace(/[0-9.]+\/26/, (block) => `<${owners.get(block)}>`))
    .toSorted();
}

test("the mesh forwards the same with our speaker, with BIRD, and with both", { skip }, async (t) => {
  const scope = await labScope(t, { program: [`${REPOSITORY}caracal`] });
  const tables: (readonly string[])[] = [];
  for (const backends of [{}, { all: "bird" }, { kw01: "bird" }]) {
    const name = await up(t, scope, "mesh-sockets", backends);
    await assertForwards(scope, name);
    tables.push(await routesOf(scope, name));
    if ("kw01" in backends) await assertRestarts(scope, name);
    assert.equal((await scope.lab(["down", "--name", name])).exitCode, 0);
  }
  const [ours, birds, mixed] = tables;
  assert.equal(ours?.length, 9);
  assert.deepEqual(birds, ours);
  assert.deepEqual(mixed, ours);
});

/** BIRD goes with its daemon and comes back with the next one. */
async function assertRestarts(scope: LabScope, name: string): Promise<void> {
  const killed = scope.directory(name).daemon({ node: "kw01" });
  process.kill(killed?.pid ?? assert.fail("no such process"), "SIGKILL");
  const { exitCode, stderr } = await scope.lab(["restart", "kw01", "--name", name], { env });
  assert.equal(exitCode, 0, stderr);
  await eventually(async () => (await scope.lab(["check", "--name", name])).exitCode === 0);
}

test("our speaker and BIRD sign their sessions with the password of a secret", { skip }, async (t) => {
  const scope = await labScope(t, { program: [`${REPOSITORY}caracal`] });
  const name = await up(t, scope, "mesh-sockets", { kw01: "bird" }, (directory) => {
    const secret = join(directory, "kube-system/bgp");
    mkdirSync(secret, { recursive: true });
    writeFileSync(join(secret, "mesh"), "not for everyone\n");
    return `
environment:
  CARACAL_SECRETS_DIR: ${directory}
resources:
  - apiVersion: projectcalico.org/v3
    kind: BGPConfiguration
    metadata: { name: default }
    spec:
      nodeMeshPassword:
        secretKeyRef: { name: bgp, key: mesh }
`;
  });
  await assertForwards(scope, name);
  for (const node of ["km01", "kw01", "kw02"]) {
    const { stdout } = await run([
      "ip",
      "netns",
      "exec",
      `${name}-${node}`,
      "ss",
      "-Htni",
      "state",
      "established",
    ]);
    assert.equal(stdout.match(/md5keys:/g)?.length, 2, `${node}: ${stdout}`);
  }
});

test("route reflectors on BIRD do what those on our speaker do", { skip }, async (t) => {
  const scope = await labScope(t, { program: [`${REPOSITORY}caracal`] });
  const name = await up(t, scope, "route-reflector", { all: "bird" });
  // BIRD lists its sessions in the order in which they were configured, so that printed tables are not compared.
  const { stdout } = await scope.lab(["check", "--name", name]);
  assert.match(stdout, /\nsessions (\d+)\/\1, routes (\d+)\/\2, paths (\d+)\/\3, /);
});
