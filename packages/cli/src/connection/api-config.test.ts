/** Aim: connection settings are found where Calico finds them. Method: files in a directory of the test's own. */
import assert from "node:assert/strict";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test, type TestContext } from "node:test";
import { loadApiConfig } from "./api-config.ts";
import { discoverEtcd, type ServiceRecord } from "./discover-etcd.ts";
import { openStore } from "./open-store.ts";

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
    environment: { ETCD_ENDPOINTS: "http://a:2379,http://b:2379", KUBECONFIG: "x" },
  });
});

test("numbers and truths of a file are taken as such, and the host's proxies are not left out", async (t) => {
  const path = await file(t, `${header}spec:\n  kubeconfig: x\n  k8sClientQPS: 50\n  k8sClientBurst: 100\n`);
  const surroundings = { https_proxy: "p:3128", NO_PROXY: "x" };
  assert.deepEqual((await loadApiConfig(path, { ...surroundings, K8S_CLIENT_QPS: "1" })).environment, {
    ...surroundings,
    KUBECONFIG: "x",
    K8S_CLIENT_QPS: "50",
    K8S_CLIENT_BURST: "100",
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
    [`${header}spec:\n  etcdEndpoint: x`, 'unknown field "spec.etcdEndpoint"; did you mean etcdEndpoints?'],
    [
      `${header}spec:\n  etcdKey: x\n  etcdKeyFile: /y`,
      "spec.etcdKey and spec.etcdKeyFile cannot be given both",
    ],
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

test("certificates may stand in the file itself", async (t) => {
  const path = await file(
    t,
    `${header}spec:\n  etcdEndpoints: https://a:2379\n  etcdCACert: |\n    CA\n  etcdCert: C\n  etcdKey: K\n`,
  );
  assert.deepEqual((await loadApiConfig(path, {})).inlineTls, { ca: "CA\n", cert: "C", key: "K" });
});

test("a domain's etcd is found by its name service, TLS first", async () => {
  const records: Readonly<Record<string, readonly ServiceRecord[]>> = {
    "_etcd-client-ssl._tcp.example.org": [
      { name: "b.example.org.", port: 2379, priority: 20 },
      { name: "a.example.org", port: 2380, priority: 10 },
    ],
    "_etcd-client._tcp.example.org": [{ name: "c.example.org", port: 2379, priority: 0 }],
  };
  const resolve = async (name: string) =>
    records[name] ?? Promise.reject(Object.assign(new Error("queryEsrv"), { code: "ENOTFOUND" }));
  assert.equal(
    await discoverEtcd("example.org", resolve),
    "https://a.example.org:2380,https://b.example.org:2379,http://c.example.org:2379",
  );
  await assert.rejects(discoverEtcd("example.com", resolve), {
    message: "example.com has no SRV records of etcd clients",
  });
  const broken = async () => Promise.reject(Object.assign(new Error("timeout"), { code: "ETIMEOUT" }));
  await assert.rejects(discoverEtcd("example.org", broken), {
    message: "cannot look up etcd at example.org: timeout",
  });
  assert.equal((await loadApiConfig(undefined, { ETCD_DISCOVERY_SRV: "x" })).datastoreType, "etcdv3");
  await assert.rejects(
    openStore({ datastoreType: "etcdv3", environment: { ETCD_DISCOVERY_SRV: "x", ETCD_ENDPOINTS: "y" } }),
    { message: /cannot be given both/ },
  );
});
