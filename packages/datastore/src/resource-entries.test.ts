/**
 * IPAM's settings are one thing: what is applied as IPAMConfiguration is what the record says that IPAM reads, and the
 * other way round, whoever wrote last.
 * Method: the typed client over a memory store, with the record and the resource's key read and written behind its back.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import { apiVersion, type IpamConfiguration } from "@caracal/resources";
import { keys, MemoryStore, ResourceClient, type ResourceOutcome } from "./index.ts";

const copyKey = "/calico/resources/v3/projectcalico.org/ipamconfigurations/default";

function open() {
  const store = new MemoryStore();
  let count = 0;
  const client = new ResourceClient(store, {
    now: () => "2026-01-02T03:04:05Z",
    uuid: () => `uid-${(count += 1)}`,
  });
  return { store, client };
}

function settings(more: Partial<IpamConfiguration["spec"]>, metadata: object = {}): IpamConfiguration {
  const spec = { strictAffinity: false, autoAllocateBlocks: true, ...more };
  return { kind: "IPAMConfiguration", apiVersion, metadata: { name: "default", ...metadata }, spec };
}

function ok<R>(outcome: ResourceOutcome<R>): R {
  assert.ok(outcome.kind === "ok", outcome.kind === "failed" ? outcome.message : "");
  return outcome.resource;
}

async function valueOf(store: MemoryStore, key: string): Promise<unknown> {
  const entry = await store.get(key);
  return entry === undefined ? undefined : JSON.parse(entry.value);
}

/** Writes the record as another tool does. */
async function writeRecord(store: MemoryStore, config: object): Promise<void> {
  const text = JSON.stringify(config);
  const current = await store.get(keys.ipamConfig);
  if (current === undefined) await store.create(keys.ipamConfig, text);
  else await store.update(keys.ipamConfig, text, current.revision);
}

test("settings that are applied are in IPAM's record, and the resource's key has a copy", async () => {
  const { store, client } = open();
  ok(await client.apply(settings({ strictAffinity: true, maxBlocksPerHost: 4 }, { labels: { a: "b" } })));
  assert.deepEqual(await valueOf(store, keys.ipamConfig), {
    strict_affinity: true,
    auto_allocate_blocks: true,
    maxBlocksPerHost: 4,
  });
  const written = { strictAffinity: true, autoAllocateBlocks: true, maxBlocksPerHost: 4 };
  assert.deepEqual(await valueOf(store, copyKey), {
    kind: "IPAMConfiguration",
    apiVersion,
    metadata: {
      name: "default",
      uid: "uid-1",
      creationTimestamp: "2026-01-02T03:04:05Z",
      labels: { a: "b" },
    },
    spec: written,
  });
  const { metadata, spec } = ok(await client.get("IPAMConfiguration", "default"));
  assert.deepEqual(spec, written);
  assert.equal(metadata.resourceVersion, (await store.get(keys.ipamConfig))?.revision);
  assert.deepEqual((await client.list("IPAMConfiguration")).items, [{ ...settings(written), metadata }]);

  ok(await client.apply(settings({ strictAffinity: false })));
  assert.deepEqual(await valueOf(store, keys.ipamConfig), { auto_allocate_blocks: true });
  assert.equal(ok(await client.get("IPAMConfiguration", "default")).metadata.uid, "uid-1");
});

test("what another tool writes into the record is what is read, with or without a resource", async () => {
  const { store, client } = open();
  await writeRecord(store, { strict_affinity: true, ipCooldownSeconds: 30 });
  const alone = ok(await client.get("IPAMConfiguration", "default"));
  assert.deepEqual(alone.spec, { strictAffinity: true, autoAllocateBlocks: false, ipCooldownSeconds: 30 });
  assert.equal((await client.create(settings({}))).kind, "failed");

  ok(await client.apply(settings({ strictAffinity: false }, { annotations: { kept: "yes" } })));
  await writeRecord(store, { strict_affinity: true, auto_allocate_blocks: true, maxBlocksPerHost: 2 });
  const { spec, metadata } = ok(await client.get("IPAMConfiguration", "default"));
  assert.deepEqual(spec, { strictAffinity: true, autoAllocateBlocks: true, maxBlocksPerHost: 2 });
  assert.deepEqual(metadata.annotations, { kept: "yes" });
});

test("a resource without the record shows the defaults that IPAM goes by, and can be applied", async () => {
  const { store, client } = open();
  await store.create(copyKey, JSON.stringify(settings({ strictAffinity: true })));
  assert.deepEqual((await client.list("IPAMConfiguration")).items[0]?.spec, {
    strictAffinity: false,
    autoAllocateBlocks: true,
  });
  ok(await client.apply(settings({ strictAffinity: true })));
  assert.deepEqual(await valueOf(store, keys.ipamConfig), {
    strict_affinity: true,
    auto_allocate_blocks: true,
  });
});

test("a version that the record has left behind is a conflict, for update and delete", async () => {
  const { store, client } = open();
  const first = ok(await client.apply(settings({ strictAffinity: true })));
  await writeRecord(store, { auto_allocate_blocks: true });
  const late = await client.update(first);
  assert.ok(late.kind === "failed" && late.reason === "conflict");
  const { resourceVersion } = first.metadata;
  const gone = await client.delete("IPAMConfiguration", "default", undefined, resourceVersion);
  assert.ok(gone.kind === "failed" && gone.reason === "conflict");
  assert.deepEqual(await valueOf(store, keys.ipamConfig), { auto_allocate_blocks: true });
});

test("a delete removes both, and IPAM is back at its defaults", async () => {
  const { store, client } = open();
  ok(await client.apply(settings({ strictAffinity: true })));
  assert.equal(ok(await client.delete("IPAMConfiguration", "default")).spec.strictAffinity, true);
  assert.deepEqual((await store.list("/calico/")).entries, []);
  const again = await client.delete("IPAMConfiguration", "default");
  assert.ok(again.kind === "failed" && again.reason === "missing");
  assert.deepEqual((await client.list("IPAMConfiguration")).items, []);
});

test("a record that cannot be read is not shown as settings", async () => {
  const { store, client } = open();
  await store.create(keys.ipamConfig, '{"strict_affinity":"maybe"}');
  assert.equal((await client.get("IPAMConfiguration", "default")).kind, "failed");
});
