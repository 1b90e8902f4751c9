/**
 * Aim: questions about the whole cluster are answered from anywhere, and the cluster moves to route reflectors and back
 * without losing a packet. Method: a full mesh with the real daemons; commands that know nothing but the datastore; pings
 * between all nodes while it moves.
 */
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { test, type TestContext } from "node:test";
import { eventually, requireRoot, requireTool, runAnyway, type CommandResult } from "@caracal/testbed";
import { type LabDirectory } from "../src/index.ts";
import { pingAcrossNodes } from "./continuous-ping.ts";
import { labScope, REPOSITORY } from "./lab-scope.ts";

const skip = requireRoot() || requireTool("ip", "ping");
const program = [`${REPOSITORY}caracal`];
const reflector = "calico-bgp-fullmesh-control-plane";
const worker = "calico-bgp-fullmesh-worker";
const worker2 = "calico-bgp-fullmesh-worker2";

interface Cluster {
  readonly lab: LabDirectory;
  /** `caracal WORDS…`, with the datastore as all that it knows of the cluster. */
  readonly caracal: (words: string, stdin?: string) => Promise<CommandResult>;
  readonly environment: Readonly<Record<string, string>>;
}

async function fullMesh(t: TestContext): Promise<Cluster> {
  const scope = await labScope(t, { program });
  const name = scope.newName();
  const { exitCode, stderr } = await scope.lab(["up", "full-mesh", "--name", name]);
  assert.equal(exitCode, 0, stderr);
  const lab = scope.directory(name);
  const environment = { ETCD_ENDPOINTS: `unix://${lab.storeSocket}` };
  return {
    lab,
    environment,
    caracal: (words, stdin) =>
      runAnyway([`${REPOSITORY}caracal`, ...words.split(" ")], {
        env: environment,
        ...(stdin === undefined ? {} : { input: stdin }),
      }),
  };
}

const meshOff = JSON.stringify({
  kind: "BGPConfiguration",
  apiVersion: "projectcalico.org/v3",
  metadata: { name: "default" },
  spec: { nodeToNodeMeshEnabled: false },
});

test("status, routes and changes are explained from anywhere", { skip }, async (t) => {
  const { lab, caracal } = await fullMesh(t);
  const status = await caracal("node status --all");
  assert.equal(status.exitCode, 0, status.stderr);
  assert.match(status.stdout, /3 session\(s\), 0 not established/);

  const pod = lab.pods().find(({ node }) => node === worker2);
  assert.ok(pod !== undefined);
  const explained = await caracal(`explain route ${pod.name}`);
  assert.equal(explained.exitCode, 0, explained.stderr);
  assert.match(
    explained.stdout,
    new RegExp(`^ok {2}${worker} +10\\.244\\.\\S+ via 172\\.18\\.0\\.2 dev eth0 proto bird$`, "m"),
  );
  assert.match(
    explained.stdout,
    new RegExp(`^ok {2}${worker2} +it is at home here, .* announced to 2 of 2`, "m"),
  );

  const impact = await caracal("apply -f - --dry-run=impact", meshOff);
  assert.equal(impact.exitCode, 2, impact.stderr);
  assert.match(impact.stdout, /24 of 30 would lose their route/);
  assert.match(
    (await caracal("node status --all")).stdout,
    /3 session\(s\), 0 not established/,
    "nothing was done",
  );

  assert.equal((await caracal("apply -f -", meshOff)).exitCode, 0);
  await eventually(async () => {
    const { exitCode, stdout } = await caracal(`explain route ${pod.name} --node ${worker}`);
    return exitCode === 2 && stdout.includes("this node has no BGP session: the mesh is off");
  });
});

test(
  "to reflectors and back under traffic not one ping is lost, interrupted on the way too",
  { skip },
  async (t) => {
    const { lab, caracal, environment } = await fullMesh(t);
    const pings = pingAcrossNodes(lab);
    t.after(() => Promise.all(pings.map((ping) => ping.stop())));
    await eventually(() => pings.every((ping) => ping.answeredCount > 20));

    const plan = await caracal(`migrate route-reflector --reflectors ${reflector}`);
    assert.equal(plan.exitCode, 0, plan.stderr);
    assert.match(plan.stdout, /3\. switch the node-to-node mesh off[^]*run it again with --yes/);

    // Killed in the middle: what stands is a working cluster, and the same command goes on from there.
    const words = ["migrate", "route-reflector", "--reflectors", reflector, "--yes"];
    const killed = spawn(`${REPOSITORY}caracal`, words, {
      env: environment,
      stdio: ["ignore", "ignore", "pipe"],
    });
    let said = "";
    killed.stderr.setEncoding("utf8").on("data", (text: string) => {
      said += text;
      if (said.includes("[2/3]")) killed.kill("SIGKILL");
    });
    await once(killed, "close");
    assert.match(said, /\[2\/3\] make .* a route reflector/);

    const moved = await caracal(words.join(" "));
    assert.equal(moved.exitCode, 0, moved.stderr);
    const reflected = await caracal("node status --all");
    assert.match(reflected.stdout, /2 session\(s\), 0 not established/);
    assert.doesNotMatch(reflected.stdout, /node-to-node mesh/);

    const back = await caracal("migrate mesh --yes");
    assert.equal(back.exitCode, 0, back.stderr);
    const meshed = await caracal("node status --all");
    assert.match(meshed.stdout, /3 session\(s\), 0 not established/);
    assert.doesNotMatch(meshed.stdout, /node specific/);

    for (const ping of pings) {
      const { sent, lost } = await ping.stop();
      assert.ok(sent > 100, ping.title);
      assert.deepEqual(lost, [], ping.title);
    }
  },
);
