/**
 * Aim: pods that began with `host-local` go over to Calico's IPAM without noticing. Method: a lab, the plugin with the real
 * `host-local` below it, then `calico-ipam -upgrade` of what that wrote.
 */
import assert from "node:assert/strict";
import { existsSync, readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { buildPlugins } from "@caracal/cni";
import { eventually, requireRoot, requireTool, runAnyway, Testbed } from "@caracal/testbed";
import { labScope, REPOSITORY } from "./lab-scope.ts";
import { labState } from "./lab-state.ts";
import { referencePlugins, TestContainer } from "./plugin-run.ts";

const skip = requireRoot() || requireTool("ip", "ping", `${referencePlugins}/host-local`);
const node = "calico-bgp-fullmesh-worker";

test("addresses of host-local are taken over, and given back by Calico's IPAM", { skip }, async (t) => {
  const scope = await labScope(t, { program: [`${REPOSITORY}caracal`] });
  const name = scope.newName();
  const up = await scope.lab(["up", "full-mesh", "--name", name]);
  assert.equal(up.exitCode, 0, up.stderr);
  const lab = scope.directory(name);
  const before = await labState(lab);
  const dataDir = Testbed.create(t).directory("host-local");
  const range = { subnet: "10.244.0.0/16", rangeStart: "10.244.77.10", rangeEnd: "10.244.77.40" };
  using first = new TestContainer(lab, node, "first");
  using second = new TestContainer(lab, node, "second");
  for (const container of [first, second]) {
    container.ipam = { type: "host-local", ranges: [[range]], dataDir };
    assert.equal((await container.run("ADD")).exitCode, 0);
  }
  const written = join(dataDir, "k8s-pod-network");
  assert.ok(existsSync(join(written, "10.244.77.10")), readdirSync(written).join());
  // A container that nobody has any more.
  writeFileSync(join(written, "10.244.77.30"), "gone\r\neth0");
  const answers = async (): Promise<boolean> => {
    const ping = ["ping", "-c", "1", "-W", "1", "10.244.77.10"];
    return (await scope.lab(["exec", "--name", name, "app-worker2", "--", ...ping])).exitCode === 0;
  };
  await eventually(answers, { what: "an answer of host-local's address", deadlineMs: 20_000 });

  const upgrade = async (): Promise<string> => {
    const program = join(buildPlugins().directory, "calico-ipam");
    const env = { CARACAL_RUN_DIR: lab.runDirectory(node) };
    const { exitCode, stdout } = await runAnyway([program, "-upgrade", written], { env });
    assert.equal(exitCode, 0, stdout);
    return stdout;
  };
  assert.match(await upgrade(), /: 2 taken over, 1 of no endpoint forgotten$/m);
  assert.equal(existsSync(written), false);
  assert.match(await upgrade(), /: 0 taken over$/m);
  await eventually(answers, { what: "an answer of the address that was host-local's", deadlineMs: 20_000 });
  assert.deepEqual((await labState(lab)).ipamProblems, []);

  for (const container of [first, second]) {
    container.ipam = { type: "calico-ipam" };
    assert.equal((await container.run("DEL")).exitCode, 0);
  }
  assert.deepEqual(await labState(lab), before);
});
