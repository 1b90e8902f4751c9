/** Aim: BIRD's files are those of the named node. Method: the seeds' nodes in a store in memory. */
import assert from "node:assert/strict";
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { nodes, pool, storeOf } from "../../test/resources-fixture.ts";
import { run } from "../../test/test-context.ts";

const names = ["bird.cfg", "bird6.cfg", "bird6_aggr.cfg", "bird6_ipam.cfg", "bird_aggr.cfg", "bird_ipam.cfg"];

test("the six files are written into a directory, for the owner's eyes only", async (t) => {
  const parent = mkdtempSync(join(tmpdir(), "caracal-render-"));
  t.after(() => rmSync(parent, { recursive: true, force: true }));
  const output = join(parent, "config");
  const store = await storeOf({ ...nodes, "ippools/p": pool });
  const outcome = await run(`confd render --node node1.whale.com --output ${output}`, { store });
  assert.deepEqual(outcome, { exitCode: 0, stdout: "", stderr: "" });
  assert.deepEqual(readdirSync(output).toSorted(), names);
  assert.equal(statSync(join(output, "bird.cfg")).mode & 0o777, 0o600);
  const text = readFileSync(join(output, "bird.cfg"), "utf8");
  assert.match(text, /^router id 192\.168\.0\.81;$/m);
  assert.match(text, /^protocol bgp Mesh_192_168_0_82 from bgp_template \{$/m);
  const second = await run(`confd render`, { store, env: { NODENAME: "node1.whale.com" } });
  assert.ok(second.stdout.startsWith(`# ===== bird_aggr.cfg =====\n`), second.stdout);
  assert.ok(second.stdout.includes(`# ===== bird.cfg =====\n${text}`));
});

test("a node that is not there, or none, is an error", async () => {
  const store = await storeOf(nodes);
  const unknown = await run("confd render --node nobody", { store });
  assert.equal(unknown.exitCode, 1);
  assert.match(unknown.stderr, /Node\(nobody\) does not exist/);
  assert.match((await run("confd render", { store })).stderr, /needs --node/);
});
