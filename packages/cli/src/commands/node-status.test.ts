/**
 * Aim: `node status` prints what calicoctl prints. Method: control sockets with the replies of real nodes' BIRD, and the
 * outputs that their users posted.
 */
import assert from "node:assert/strict";
import { createServer } from "node:net";
import { join } from "node:path";
import { test } from "node:test";
import { ControlServer } from "@caracal/control";
import { runDirectory, serveBird } from "../../test/bird-server.ts";
import { run } from "../../test/test-context.ts";

const header = "2002-name     proto    table    state  since       info\n";
const others = [
  "1002-static1  Static   master   up     07:27:40    ",
  " kernel1  Kernel   master   up     07:27:40    ",
  " device1  Device   master   up     07:27:40    ",
].join("\n");

test("both families' neighbours, as the seeds show them", async (t) => {
  const directory = await runDirectory(t);
  await serveBird(t, join(directory, "bird.ctl"), {
    "show protocols": `${header}${others}\n Mesh_192_168_80_124 BGP      master   up     11:07:00    Established   \n Mesh_192_168_80_125 BGP      master   up     11:06:58    Established   \n0000 \n`,
  });
  await serveBird(t, join(directory, "bird6.ctl"), { "show protocols": `${header}${others}\n0000 \n` });
  assert.deepEqual(await run("node status", { env: { CARACAL_RUN_DIR: directory } }), {
    exitCode: 0,
    stderr: "",
    stdout: [
      "Calico process is running.",
      "",
      "IPv4 BGP status",
      "+----------------+-------------------+-------+----------+-------------+",
      "|  PEER ADDRESS  |     PEER TYPE     | STATE |  SINCE   |    INFO     |",
      "+----------------+-------------------+-------+----------+-------------+",
      "| 192.168.80.124 | node-to-node mesh | up    | 11:07:00 | Established |",
      "| 192.168.80.125 | node-to-node mesh | up    | 11:06:58 | Established |",
      "+----------------+-------------------+-------+----------+-------------+",
      "",
      "IPv6 BGP status",
      "No IPv6 peers found.",
      "",
      "",
    ].join("\n"),
  });
});

test("types, errors and IPv6 addresses come from the protocols' rows", async (t) => {
  const directory = await runDirectory(t);
  await serveBird(t, join(directory, "bird.ctl"), {
    "show protocols": `${header}1002-Node_192_168_80_121 BGP master up 09:30:21    Established   \n Global_10_0_0_254_port_1790 BGP master start 2023-05-16  Active        Socket: Connection refused\n Local_Workload_10_1_1_1 BGP master up 09:30:21 Established\n0000 \n`,
  });
  await serveBird(t, join(directory, "bird6.ctl"), {
    "show protocols": `${header}1002-Mesh_fd00_1_2__3 BGP      master   up     11:07:00    Established   \n0000 \n`,
  });
  const { stdout } = await run("node status", { env: { CARACAL_RUN_DIR: directory } });
  assert.match(stdout, /\| 192\.168\.80\.121 {7}\| node specific \| up /);
  assert.match(
    stdout,
    /\| 10\.0\.0\.254\.port\.1790 \| global {8}\| start \| 2023-05-16 \| Active Socket: Connection refused \|/,
  );
  assert.match(stdout, /\| fd00:1:2::3 {2}\| node-to-node mesh \|/);
  assert.doesNotMatch(stdout, /Workload/);
});

test("no neighbours, and no IPv6 process", async (t) => {
  const directory = await runDirectory(t);
  await serveBird(t, join(directory, "bird.ctl"), { "show protocols": `${header}${others}\n0000 \n` });
  const { stdout } = await run("node status", { env: { CARACAL_RUN_DIR: directory } });
  assert.equal(
    stdout,
    "Calico process is running.\n\nIPv4 BGP status\nNo IPv4 peers found.\n\nINFO: BIRDv6 process: 'bird6' is not running.\n\n",
  );
});

test("no daemon, a daemon without BGP, and a user who is not root", async (t) => {
  const env = { CARACAL_RUN_DIR: await runDirectory(t) };
  assert.deepEqual(await run("node status", { env }), {
    exitCode: 1,
    stdout: "",
    stderr: "Calico process is not running.\n",
  });
  const control = createServer().listen(join(env.CARACAL_RUN_DIR, "control.sock"));
  t.after(() => control.close());
  assert.deepEqual(await run("node status", { env }), {
    exitCode: 0,
    stdout: "Calico process is running.\n\nThe BGP backend process (BIRD) is not running.\n",
    stderr: "",
  });
  assert.deepEqual(await run("node status", { env, userId: 1000 }), {
    exitCode: 1,
    stdout: "",
    stderr: "Need super user privileges: Operation not permitted\n",
  });
});

test("what the daemon is missing is told in a line of its own", async (t) => {
  const directory = await runDirectory(t);
  const trouble = "vxlan.calico: no interface has the address 10.0.0.21";
  await using _server = await ControlServer.listen({
    path: join(directory, "control.sock"),
    onError: (error) => assert.fail(String(error)),
    methods: { "node.status": () => ({ node: "n1", kernel: {}, problems: [], troubles: [trouble] }) },
  });
  assert.deepEqual(await run("node status", { env: { CARACAL_RUN_DIR: directory } }), {
    exitCode: 0,
    stdout: "Calico process is running.\n\nThe BGP backend process (BIRD) is not running.\n",
    stderr: `${trouble}\n`,
  });
});
