/**
 * Aim: what is exported of one datastore and imported into another is the same, in a file of Calico's form, and a file that is
 * wrong changes nothing. Method: whole command lines over two stores in memory; the file's parts are read as Calico's are.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import { keys, MemoryStore, type Store } from "@caracal/datastore";
import { Ipam, Nanos } from "@caracal/ipam";
import { isRecord } from "@caracal/resources";
import { parseManifest } from "@caracal/resources/manifest";
import { nodes, pool, storeOf } from "../../test/resources-fixture.ts";
import { run } from "../../test/test-context.ts";

async function filledStore(): Promise<Store> {
  const store = await storeOf({
    ...nodes,
    "ippools/p": pool,
    "clusterinformations/default": {
      kind: "ClusterInformation",
      spec: {
        clusterGUID: "0123456789abcdef0123456789abcdef",
        calicoVersion: "v0.1.0",
        datastoreReady: true,
      },
    },
  });
  const ipam = new Ipam({ store, node: "node1.whale.com", now: () => Nanos.fromSeconds(1_700_000_000) });
  await ipam.assign({ family: 4, handle: "h", attributes: { node: "node1.whale.com" } });
  return store;
}

async function contents(store: Store, prefix: string): Promise<Readonly<Record<string, string>>> {
  return Object.fromEntries((await store.list(prefix)).entries.map(({ key, value }) => [key, value]));
}

function at(value: unknown, ...path: readonly string[]): unknown {
  let found = value;
  for (const name of path) found = isRecord(found) ? found[name] : undefined;
  return found;
}

test("lock and unlock say so in ClusterInformation", async () => {
  const store = new MemoryStore();
  const ready = async () =>
    at(
      JSON.parse((await store.get(keys.resource("clusterinformations", "default")))?.value ?? "{}"),
      "spec",
      "datastoreReady",
    );
  assert.equal((await run("datastore migrate lock", { store })).stdout, "Datastore locked.\n");
  assert.equal(await ready(), false);
  assert.equal((await run("datastore migrate unlock", { store })).stdout, "Datastore unlocked.\n");
  assert.equal(await ready(), true);
});

test("an export has Calico's three parts", async () => {
  const store = await filledStore();
  await run("datastore migrate lock", { store });
  const { stdout } = await run("datastore migrate export", { store });
  const parts = stdout.split("===\n");
  assert.equal(parts.length, 3);
  const [yaml = "", cluster = "", ipam = ""] = parts;
  assert.ok(yaml.endsWith("---\n"));
  assert.doesNotMatch(yaml, /uid|resourceVersion: "|creationTimestamp/);
  assert.deepEqual(
    parseManifest(yaml).resources.map(({ resource }) => `${resource.kind} ${resource.metadata.name}`),
    [
      "IPPool p",
      "Tier default",
      "Tier kube-admin",
      "Tier kube-baseline",
      "Node master.whale.com",
      "Node node1.whale.com",
      "Node node2.whale.com",
    ],
  );
  assert.equal(at(JSON.parse(cluster), "spec", "clusterGUID"), "0123456789abcdef0123456789abcdef");
  const records: unknown = JSON.parse(ipam);
  const block = (await store.list(keys.blocks())).entries[0] ?? assert.fail("no block");
  // Sequence numbers do not fit a JavaScript number: they must come as they are, digit by digit.
  assert.match(ipam, new RegExp(`"sequenceNumber": ${/"sequenceNumber":(\d+)/.exec(block.value)?.[1]}`));
  assert.deepEqual(Object.keys(isRecord(records) ? records : {}), ["block_affinities", "blocks", "handles"]);
  assert.partialDeepStrictEqual(records, {
    blocks: [{ Key: block.key, Value: { affinity: "host:node1.whale.com" }, TTL: 0 }],
    handles: [{ Key: keys.handle("h"), TTL: 0 }],
  });
});

test("what was exported is imported as it was", async () => {
  const from = await filledStore();
  await run("datastore migrate lock", { store: from });
  const { stdout: stdin } = await run("datastore migrate export", { store: from });
  const to = new MemoryStore();
  assert.deepEqual(await run("datastore migrate import -f -", { store: to, stdin }), {
    exitCode: 0,
    stdout: [
      "Successfully applied 7 resource(s)",
      "Importing IPAM resources",
      "Successfully applied 3 IPAM resource(s)",
      "Datastore information successfully imported. Please refer to the datastore migration documentation for next steps.",
      "",
    ].join("\n"),
    stderr: "",
  });
  const ipamRoot = `${keys.root}ipam/`;
  assert.deepEqual(await contents(to, ipamRoot), await contents(from, ipamRoot));
  const cluster: unknown = JSON.parse(
    (await to.get(keys.resource("clusterinformations", "default")))?.value ?? "{}",
  );
  assert.partialDeepStrictEqual(at(cluster, "spec"), {
    clusterGUID: "0123456789abcdef0123456789abcdef",
    datastoreReady: false,
  });
  for (const line of ["get nodes -o json --export", "get ippools -o wide"]) {
    const [one, other] = [await run(line, { store: from }), await run(line, { store: to })];
    assert.equal(
      one.stdout.replace(/"resourceVersion": "\d+"/g, ""),
      other.stdout.replace(/"resourceVersion": "\d+"/g, ""),
    );
  }
  const again = await run("datastore migrate import -f -", { store: to, stdin });
  assert.match(again.stderr, /^Datastore already has Calico resources: Found existing IPAM resources\./);
});

test("workload endpoints come along when asked for", async () => {
  const store = await filledStore();
  const workload = {
    kind: "WorkloadEndpoint",
    spec: {
      orchestrator: "k8s",
      node: "n",
      pod: "p",
      endpoint: "eth0",
      interfaceName: "cali1",
      ipNetworks: ["10.244.0.1/32"],
    },
  };
  const made = await storeOf({ "workloadendpoints/default/n-k8s-p-eth0": workload });
  for (const { key, value } of (await made.list(keys.root)).entries) await store.create(key, value);
  await run("datastore migrate lock", { store });
  assert.doesNotMatch((await run("datastore migrate export", { store })).stdout, /WorkloadEndpoint/);
  const { stdout: stdin } = await run("datastore migrate export --with-workloads", { store });
  const to = new MemoryStore();
  await run("datastore migrate import -f -", { store: to, stdin });
  assert.match((await run("get wep -A", { store: to })).stdout, /^default +p +n +10\.244\.0\.1\/32/m);
});

test("an unlocked datastore, and a file that is wrong, change nothing", async () => {
  const store = await filledStore();
  assert.match((await run("datastore migrate export", { store })).stderr, /^datastore is not locked\. Run/);
  await run("datastore migrate lock", { store });
  const { stdout } = await run("datastore migrate export", { store });
  for (const [stdin, stderr] of [
    ["", /Imported file: standard input is improperly formatted\. Try recreating/],
    [stdout.replace("natOutgoing", "natOutgoinX"), /field in document is not recognized .*natOutgoinX/],
    [stdout.replace('"ClusterInformation"', '"X"'), /it is not a ClusterInformation/],
    [
      stdout.replace('"allocations": [', '"allocations": ["x",'),
      /^Failed to read IPAM resources: \/calico\/ipam/,
    ],
    [stdout.replace(/"Key": "\/calico\/ipam/, '"Key": "/elsewhere'), /is not a key of IPAM/],
    [stdout.slice(0, -20), /^Failed to read IPAM resources: /],
  ] as const) {
    const to = new MemoryStore();
    const outcome = await run("datastore migrate import -f -", { store: to, stdin });
    assert.equal(outcome.exitCode, 1);
    assert.match(outcome.stderr, stderr);
    assert.deepEqual(await contents(to, keys.root), {});
  }
});
