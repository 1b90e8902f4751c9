/**
 * What keeps the daemon from starting is one sentence and exit code 1, before anything on the host is touched.
 * Method: each daemon is told to stop before it starts, so that one which is not refused ends with code 0, and as harmlessly.
 */
import assert from "node:assert/strict";
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test, type TestContext } from "node:test";
import { ControlServer } from "@caracal/control";
import { runNode } from "../src/index.ts";

interface Refusal {
  readonly exitCode: number;
  readonly stderr: string;
  readonly directory: string;
}

function directoryOf(t: TestContext): string {
  const directory = mkdtempSync(join(tmpdir(), "caracal-node-"));
  t.after(() => rmSync(directory, { recursive: true, force: true }));
  return directory;
}

async function start(
  t: TestContext,
  env: Readonly<Record<string, string>>,
  directory = directoryOf(t),
): Promise<Refusal> {
  let stderr = "";
  const exitCode = await runNode({
    env: {
      CARACAL_RUN_DIR: join(directory, "run"),
      CARACAL_LIB_DIR: join(directory, "lib"),
      NODENAME: "n1",
      ETCD_ENDPOINTS: `unix://${directory}/nobody.sock`,
      // The line on stderr is what a person reads; the log's says the same.
      CALICO_STARTUP_LOGLEVEL: "fatal",
      ...env,
    },
    signal: AbortSignal.abort(),
    stderr: { write: (text) => (stderr += text) },
  });
  return { exitCode, stderr, directory };
}

test("every mistake in the environment is told, a line each", async (t) => {
  const { exitCode, stderr, directory } = await start(t, {
    CALICO_IPV4POOL_CIDR: "10.244.0.5/16",
    FELIX_HEALTHENABLED: "yes",
    FELIX_HEALTHPORT: "seventy",
  });
  assert.equal(exitCode, 1);
  assert.equal(
    stderr,
    "environment CALICO_IPV4POOL_CIDR='10.244.0.5/16' is not an IPv4 CIDR such as 10.244.0.0/16, and not 'none'\n" +
      "environment FELIX_HEALTHPORT='seventy' is not a whole number from 1 to 65535\n",
  );
  assert.deepEqual(readdirSync(directory), []);
});

test("a datastore must be named, and named in a form that can be used", async (t) => {
  for (const [env, line] of [
    [{ ETCD_ENDPOINTS: "" }, /^environment ETCD_ENDPOINTS is not set: .*\n$/],
    [{ ETCD_ENDPOINTS: "gopher://a" }, /^[^\n]*gopher:\/\/a[^\n]*\n$/],
    [
      { ETCD_CA_CERT_FILE: "/nowhere/ca.pem" },
      /^cannot read \/nowhere\/ca\.pem, which ETCD_CA_CERT_FILE names\n$/,
    ],
  ] as const) {
    const { exitCode, stderr } = await start(t, env);
    assert.equal(exitCode, 1);
    assert.match(stderr, line);
  }
});

test("the datastore's type counts, also where endpoints of etcd are named", async (t) => {
  const unknown = await start(t, { DATASTORE_TYPE: "consul" });
  assert.equal(unknown.exitCode, 1);
  assert.equal(
    unknown.stderr,
    "environment DATASTORE_TYPE='consul' is not supported: set it to etcdv3 or kubernetes\n",
  );
  const kubernetes = await start(t, { DATASTORE_TYPE: "kubernetes", KUBECONFIG: "/nowhere/kubeconfig" });
  assert.equal(kubernetes.exitCode, 1);
  assert.equal(kubernetes.stderr, "cannot read the kubeconfig /nowhere/kubeconfig: no such file\n");
  assert.equal((await start(t, { DATASTORE_TYPE: "etcdv3" })).exitCode, 0);
});

test("a node name that cannot be part of a key is refused", async (t) => {
  const { exitCode, stderr } = await start(t, { NODENAME: "../Node 1" });
  assert.equal(exitCode, 1);
  assert.match(stderr, /^"\.\.\/Node 1" cannot be the node's name: set NODENAME/);
});

test("a second daemon on one run directory is refused, and the first one's socket stays", async (t) => {
  const directory = directoryOf(t);
  const path = join(directory, "run", "control.sock");
  await using first = await ControlServer.listen({ path, methods: {} });
  const { exitCode, stderr } = await start(t, {}, directory);
  assert.equal(exitCode, 1);
  assert.match(stderr, /^[^\n]*control\.sock[^\n]*\n$/);
  assert.deepEqual(readdirSync(join(directory, "run")), ["control.sock"]);
  assert.equal(first.path, path);
});

test("a run directory that cannot be made is told with its path", async (t) => {
  const directory = directoryOf(t);
  writeFileSync(join(directory, "run"), "");
  const { exitCode, stderr } = await start(t, {}, directory);
  assert.equal(exitCode, 1);
  assert.match(stderr, /^[^\n]*run[^\n]*\n$/);
});

test("a daemon that is told to stop before it starts leaves nothing open", async (t) => {
  const { exitCode, stderr, directory } = await start(t, {});
  assert.deepEqual([exitCode, stderr], [0, ""]);
  assert.deepEqual(readdirSync(join(directory, "run")), []);
});

test("a health port that is taken is refused, and nothing stays open", async (t) => {
  const taken = createServer();
  await new Promise<void>((resolve) => taken.listen(0, "127.0.0.1", resolve));
  t.after(() => taken.close());
  const address = taken.address();
  const port = typeof address === "object" && address !== null ? address.port : 0;
  const { exitCode, stderr, directory } = await start(t, {
    FELIX_HEALTHENABLED: "true",
    FELIX_HEALTHHOST: "127.0.0.1",
    FELIX_HEALTHPORT: String(port),
  });
  assert.equal(exitCode, 1);
  assert.match(stderr, /^the health endpoint cannot be opened: listen EADDRINUSE/);
  assert.deepEqual(readdirSync(join(directory, "run")), []);
});
