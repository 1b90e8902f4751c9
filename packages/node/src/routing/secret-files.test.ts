/** Aim: secrets come from files below one directory only, and their changes are heard. Method: a directory of the test's own. */
import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test, type TestContext } from "node:test";
import { SecretFiles } from "./secret-files.ts";

function setUp(t: TestContext) {
  t.mock.timers.enable({ apis: ["setInterval"] });
  const directory = mkdtempSync(join(tmpdir(), "caracal-secrets-"));
  t.after(() => rmSync(directory, { recursive: true, force: true }));
  const write = (path: string, text: string): void => {
    const file = join(directory, path);
    mkdirSync(join(file, ".."), { recursive: true });
    writeFileSync(file, text);
  };
  const changes = { count: 0 };
  const secrets = new SecretFiles({
    directory: join(directory, "secrets"),
    namespace: "kube-system",
    onChange: () => (changes.count += 1),
  });
  t.after(() => secrets[Symbol.dispose]());
  return { directory, write, changes, secrets, look: () => t.mock.timers.tick(2_000) };
}

test("a secret is its file's text without the last newline; others are not there", (t) => {
  const { write, secrets } = setUp(t);
  write("secrets/kube-system/bgp/mesh", "it's a secret \n");
  write("secrets/default/other/mesh", "elsewhere");
  write("outside", "not a secret");
  assert.equal(secrets.read({ name: "bgp", key: "mesh" }), "it's a secret ");
  assert.equal(secrets.read({ name: "bgp", key: "leaf" }), undefined);
  assert.equal(secrets.read({ name: "other", key: "mesh" }), undefined);
  for (const name of ["../default/other", "..", "."])
    assert.equal(secrets.read({ name, key: "mesh" }), undefined);
  assert.equal(secrets.read({ name: "..", key: "../../outside" }), undefined);
});

test("a change of a secret that was asked for is heard, once", (t) => {
  const { write, changes, secrets, look } = setUp(t);
  assert.equal(secrets.read({ name: "bgp", key: "mesh" }), undefined);
  look();
  assert.equal(changes.count, 0);
  write("secrets/kube-system/bgp/mesh", "one");
  write("secrets/kube-system/bgp/unasked", "one");
  look();
  look();
  assert.equal(changes.count, 1);
  assert.equal(secrets.read({ name: "bgp", key: "mesh" }), "one");
});

test("without a directory there are no secrets", () => {
  const secrets = new SecretFiles({
    directory: undefined,
    namespace: "kube-system",
    onChange: () => undefined,
  });
  assert.equal(secrets.read({ name: "bgp", key: "mesh" }), undefined);
});
