/** Aim: connection settings are found where Calico finds them. Method: files in a directory of the test's own. */
import assert from "node:assert/strict";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test, type TestContext } from "node:test";
import { loadApiConfig } from "./api-config.ts";

async function file(t: TestContext, text: string): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), "caracal-config-"));
  t.after(() => rm(directory, { recursive: true }));
  const path = join(directory, "calicoctl.cfg");
  await writeFile(path, text);
  return path;
}

const header = "apiVersion: projectcalico.org/v3\nkind: CalicoAPIConfig\nmetadata:\n";

test("a file's fields become Calico's variables and the environment is not mixed in", async (t) => {
  const path = await file(
    t,
    `${header}spec:\n  etcdEndpoints: http://a:2379,http://b:2379\n  kubeconfig: x\n`,
  );
  assert.deepEqual(await loadApiConfig(path, { ETCD_USERNAME: "me" }), {
    datastoreType: "etcdv3",
    environment: { ETCD_ENDPOINTS: "http://a:2379,http://b:2379" },
  });
});

test("without a file the environment counts, and Kubernetes is meant where it names no etcd", async () => {
  const env = { ETCD_ENDPOINTS: "unix:///run/store.sock" };
  assert.deepEqual(await loadApiConfig(undefined, env), { datastoreType: "etcdv3", environment: env });
  assert.equal((await loadApiConfig(undefined, {})).datastoreType, "kubernetes");
  assert.equal(
    (await loadApiConfig(undefined, { CALICO_DATASTORE_TYPE: "kubernetes", ...env })).datastoreType,
    "kubernetes",
  );
  await assert.rejects(loadApiConfig(undefined, { DATASTORE_TYPE: "x" }), {
    message: /unknown datastore type: x/,
  });
});

test("a file that is missing or wrong is one line", async (t) => {
  await assert.rejects(loadApiConfig("/nowhere/x.cfg", {}), {
    message: "Error reading config file: /nowhere/x.cfg",
  });
  for (const [text, message] of [
    ["apiVersion: v1\nkind: CalicoAPIConfig", "invalid config file: unknown APIVersion 'v1'"],
    ["kind: CalicoAPIConfig", "invalid config file: unknown APIVersion ''"],
    [
      "apiVersion: projectcalico.org/v3\nkind: IPPool",
      "invalid config file: expected kind 'CalicoAPIConfig', got 'IPPool'",
    ],
    [`${header}spec:\n  etcdEndpoint: x`, 'unknown field "spec.etcdEndpoint"'],
    [`${header}spec:\n  etcdEndpoints: [x]`, "spec.etcdEndpoints must be text"],
    [`${header}stray: 1`, 'unknown field "stray"'],
    ["just text", "invalid config file: expected a mapping of fields"],
  ] as const) {
    const path = await file(t, text);
    await assert.rejects(loadApiConfig(path, {}), { message: `syntax error in ${path}: ${message}` });
  }
  const broken = await file(t, "a: [");
  await assert.rejects(loadApiConfig(broken, {}), { message: /^syntax error in \S+: [^\n]+$/ });
});
