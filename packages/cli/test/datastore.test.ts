/**
 * Aim: the commands work over a real connection, and a store that is not there is one line. Method: `datastore serve` runs in
 * this process on a socket of the test's own; the other commands reach it as they would in a shell.
 */
import assert from "node:assert/strict";
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test, type TestContext } from "node:test";
import { openStore } from "../src/connection/open-store.ts";
import { nodes, poolYaml } from "./resources-fixture.ts";
import { type Outcome, run } from "./test-context.ts";

async function directory(t: TestContext): Promise<string> {
  const path = await mkdtemp(join(tmpdir(), "caracal-datastore-"));
  t.after(() => rm(path, { recursive: true, force: true }));
  return path;
}

interface Serving {
  readonly endpoint: string;
  readonly stop: () => Promise<Outcome>;
}

/** Runs `datastore serve` until stopped; resolves once it says that it is ready. */
async function serve(t: TestContext, path: string): Promise<Serving> {
  const stopping = new AbortController();
  const ready = Promise.withResolvers<string>();
  const words = ["datastore", "serve", "--data", join(path, "data"), "--listen", `unix:${path}/s.sock`];
  let stdout = "";
  const ended = run([...words, "--listen", "127.0.0.1:0"], {
    signal: stopping.signal,
    stdout: {
      write: (text) => {
        stdout += text;
        if (stdout.endsWith("\n")) ready.resolve(stdout);
      },
    },
  });
  const stop = async () => {
    stopping.abort();
    return ended;
  };
  t.after(stop);
  const line = await Promise.race([ready.promise, ended.then(({ stderr }) => stderr)]);
  const endpoint = /^Datastore ready: (unix:\S+),http:\/\/127\.0\.0\.1:\d+\n$/.exec(line)?.[1];
  return { endpoint: endpoint ?? assert.fail(line), stop };
}

test("apply, get, patch and delete over the embedded store, and a clean stop", async (t) => {
  const path = await directory(t);
  const { endpoint, stop } = await serve(t, path);
  const given = { env: { ETCD_ENDPOINTS: endpoint }, openStore };
  const stdin = poolYaml("default-ipv4-ippool", "10.244.0.0/16", "  natOutgoing: true\n");
  assert.deepEqual(await run("apply -f -", { ...given, stdin }), {
    exitCode: 0,
    stdout: "Successfully applied 1 'IPPool' resource(s)\n",
    stderr: "",
  });
  assert.equal(
    (await run(["patch", "pool", "default-ipv4-ippool", "-p", "spec: {disabled: true}"], given)).stderr,
    "",
  );
  assert.match(
    (await run("get ippool -o wide", given)).stdout,
    /^default-ipv4-ippool {3}10\.244\.0\.0\/16 {3}true {3}Never +Never +true +false +all\(\) {6}$/m,
  );
  assert.match(
    (await run("ipam show", given)).stdout,
    /\| IP Pool {2}\| 10\.244\.0\.0\/16 \| {5}65536 \| 0 \(0%\)/,
  );
  assert.equal(
    (await run("apply -f -", { ...given, stdin: nodeList() })).stdout,
    "Successfully applied 3 'Node' resource(s)\n",
  );
  assert.deepEqual(await stop(), { exitCode: 0, stdout: "", stderr: "" });
  const again = await serve(t, path);
  assert.match(
    (await run("get nodes", { ...given, env: { ETCD_ENDPOINTS: again.endpoint } })).stdout,
    /^node1/m,
  );
});

function nodeList(): string {
  const items = Object.entries(nodes).map(([path, parts]) => ({
    apiVersion: "projectcalico.org/v3",
    metadata: { name: path.replace("nodes/", "") },
    ...parts,
  }));
  return JSON.stringify({ kind: "NodeList", apiVersion: "projectcalico.org/v3", items });
}

test("a store that is not there, or makes no sense, is one line", async () => {
  for (const [endpoints, stderr] of [
    [
      "unix:///nowhere/store.sock",
      /^cannot reach the datastore: unix:\/\/\/nowhere\/store\.sock: no such socket; check ETCD_ENDPOINTS/,
    ],
    ["junk://x", /^'junk:\/\/x' is not an etcd endpoint/],
    ["", /^no datastore is configured: set ETCD_ENDPOINTS/],
  ] as const) {
    const outcome = await run("get nodes", { env: { ETCD_ENDPOINTS: endpoints }, openStore });
    assert.equal(outcome.exitCode, 1);
    assert.match(outcome.stderr, stderr);
    assert.equal(outcome.stderr.split("\n").length, 2, outcome.stderr);
  }
});

test("a port in use is one line", async (t) => {
  const path = await directory(t);
  const other = createServer().listen(0, "127.0.0.1");
  await once(other, "listening");
  t.after(() => other.close());
  const address = other.address();
  const port = typeof address === "object" && address !== null ? address.port : 0;
  assert.deepEqual(await run(["datastore", "serve", "--data", path, "--listen", `127.0.0.1:${port}`]), {
    exitCode: 1,
    stdout: "",
    stderr: `127.0.0.1:${port} is in use by another program\n`,
  });
});
