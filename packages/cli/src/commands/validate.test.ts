/** Aim: `validate` judges files as the changing commands do, needs no datastore, and tells of all errors. Method: whole command lines. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { poolYaml } from "../../test/resources-fixture.ts";
import { run } from "../../test/test-context.ts";

const good = poolYaml("p", "10.0.0.0/16");

test("what is well formed is counted, without a datastore", async () => {
  for (const [stdin, stdout] of [
    [good, "Successfully validated 1 'IPPool' resource(s)\n"],
    [
      `${good}---\nkind: Node\napiVersion: projectcalico.org/v3\nmetadata: {name: n}\n`,
      "Successfully validated 2 resource(s)\n",
    ],
  ] as const) {
    assert.deepEqual(await run("validate -f -", { stdin }), { exitCode: 0, stdout, stderr: "" });
  }
  assert.equal((await run("validate -f - --skip-empty", { stdin: "" })).stdout, "No resources specified\n");
});

test("every document that is wrong is told of", async () => {
  const stdin = [
    good,
    poolYaml("q", "10.0.0.1/16"),
    poolYaml("r", "10.2.0.0/16", "  natOutgoinG: true\n"),
  ].join("---\n");
  const { exitCode, stdout, stderr } = await run("validate -f -", { stdin });
  assert.deepEqual([exitCode, stdout], [1, ""]);
  assert.deepEqual(stderr.split("\n"), [
    "2 of 3 resources are wrong:",
    "error with field IPpool.CIDR = '10.0.0.1/16' (IPPool CIDR is not strictly masked; allowed: 10.0.0.0/16) [spec.cidr, line 13 of standard input]",
    "field in document is not recognized or is in the wrong location: natOutgoinG (did you mean natOutgoing?) [spec.natOutgoinG, line 21 of standard input]",
    "",
  ]);
});

test("an empty file, a missing one and stray words are errors", async () => {
  for (const [line, stderr] of [
    ["validate -f -", "no resources specified in file -\n"],
    ["validate -f /nowhere.yaml", "open /nowhere.yaml: no such file or directory\n"],
    ["validate", "validate needs --filename\n"],
    ["validate -f - -n a", "no resources specified in file -\n"],
  ] as const) {
    assert.deepEqual(await run(line), { exitCode: 1, stdout: "", stderr });
  }
});
