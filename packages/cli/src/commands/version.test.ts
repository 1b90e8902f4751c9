/** Aim: versions are shown, and compared before anything is done. Method: clusters of several versions in a store in memory. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { keys } from "@caracal/datastore";
import { storeOf } from "../../test/resources-fixture.ts";
import { run } from "../../test/test-context.ts";
import { clientVersion } from "../client-version.ts";

async function cluster(calicoVersion: string) {
  const spec = { clusterGUID: "abc", clusterType: "k8s,bgp,kubeadm,kdd", calicoVersion };
  return storeOf({ "clusterinformations/default": { kind: "ClusterInformation", spec } });
}

test("version of the client and of the cluster", async () => {
  const { stdout } = await run("version", { store: await cluster("v3.25.1") });
  const [client, commit, ...rest] = stdout.split("\n");
  assert.equal(client, `Client Version:    ${clientVersion}`);
  assert.match(commit ?? "", /^Git commit: {8}([0-9a-f]{9}|unknown)$/);
  assert.deepEqual(rest, ["Cluster Version:   v3.25.1", "Cluster Type:      k8s,bgp,kubeadm,kdd", ""]);
  assert.equal((await run("version --client")).stdout.split("\n").length, 3);
});

test("a cluster that says little, or cannot be asked", async () => {
  const silent = await storeOf({ "clusterinformations/default": { kind: "ClusterInformation", spec: {} } });
  assert.match(
    (await run("version", { store: silent })).stdout,
    /Cluster Version: {3}unknown\nCluster Type: {6}unknown\n$/,
  );
  const empty = await run("version", { store: await storeOf({}) });
  assert.equal(empty.exitCode, 1);
  assert.equal(
    empty.stderr,
    "unable to retrieve Cluster Version or Type: resource does not exist: ClusterInformation(default) with error: <nil>\n",
  );
  assert.match(
    (await run("version")).stderr,
    /^Unable to detect installed Calico version: the test gave no store\n$/,
  );
});

test("another version is refused unless allowed", async () => {
  const store = await cluster("v3.26.1-0.dev");
  const message = `version mismatch.\nClient Version:   ${clientVersion}\nCluster Version:  3.26.1\nUse --allow-version-mismatch to override\n`;
  assert.deepEqual(await run("get nodes", { store }), { exitCode: 1, stdout: "", stderr: message });
  assert.equal((await run("get nodes --allow-version-mismatch", { store })).exitCode, 0);
  assert.equal((await run("--allow-version-mismatch get nodes", { store })).exitCode, 0);
  assert.equal((await run("get nodes", { store: await cluster(`${clientVersion}-5-gabc`) })).exitCode, 0);
  assert.equal((await run("get nodes", { store: await cluster("") })).exitCode, 0);
});

test("polling tells of what changes, and goes on when the cluster is away", async () => {
  const store = await cluster("v1.0.0");
  const stopping = new AbortController();
  let round = 0;
  const steps = [
    async () => undefined,
    async () => store.delete(keys.resource("clusterinformations", "default")),
    async () => stopping.abort(),
  ];
  const { exitCode, stdout, stderr } = await run("version --poll=5s", {
    store,
    signal: stopping.signal,
    sleep: async () => {
      await steps[round]?.();
      round += 1;
    },
  });
  assert.equal(exitCode, 0);
  assert.equal(stdout.match(/Cluster Version: {3}v1\.0\.0\n/g)?.length, 1);
  assert.match(stderr, /^unable to retrieve Cluster Version or Type: .*\n$/);
  assert.equal(
    (await run("version --poll=soon", { store })).stderr,
    "Invalid poll duration specified: soon\n",
  );
});
