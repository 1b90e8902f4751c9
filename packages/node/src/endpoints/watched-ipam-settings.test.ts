/**
 * Aim: IPAM's settings come from watches while these are in sync, and from the store whenever that could be wrong.
 * Method: the settings over the memory store, with reads counted and the connection cut.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import { keys, MemoryStore } from "@caracal/datastore";
import { Ipam, type IpamSettings, Nanos, readSettings } from "@caracal/ipam";
import { NodePodIpam } from "./node-pod-ipam.ts";
import { WatchedIpamSettings } from "./watched-ipam-settings.ts";

const apiVersion = "projectcalico.org/v3";
const deadlineMs = 60_000;

class CountingStore extends MemoryStore {
  reads = 0;

  override get(key: string): ReturnType<MemoryStore["get"]> {
    this.reads += 1;
    return super.get(key);
  }

  override list(prefix: string): ReturnType<MemoryStore["list"]> {
    this.reads += 1;
    return super.list(prefix);
  }
}

async function put(store: MemoryStore, plural: string, name: string, resource: object): Promise<void> {
  const key = keys.resource(plural, name);
  const value = JSON.stringify(resource);
  const current = await store.get(key);
  await (current === undefined ? store.create(key, value) : store.update(key, value, current.revision));
}

function putPool(store: MemoryStore, name: string, cidr: string): Promise<void> {
  const spec = { cidr, blockSize: 26, nodeSelector: "all()" };
  return put(store, "ippools", name, { kind: "IPPool", apiVersion, metadata: { name }, spec });
}

function putNode(store: MemoryStore, name: string, rack: string): Promise<void> {
  const metadata = { name, labels: { rack } };
  return put(store, "nodes", name, { kind: "Node", apiVersion, metadata, spec: {} });
}

function putReservation(store: MemoryStore, name: string, reservedCIDRs: readonly string[]): Promise<void> {
  const resource = { kind: "IPReservation", apiVersion, metadata: { name }, spec: { reservedCIDRs } };
  return put(store, "ipreservations", name, resource);
}

function described({ pools, reservations, config, nodeLabels }: IpamSettings): unknown {
  return { pools, reserved: reservations, config, nodeLabels };
}

async function until(holds: () => Promise<boolean>, what: string): Promise<void> {
  const end = Date.now() + deadlineMs;
  while (!(await holds())) {
    if (Date.now() > end) assert.fail(`not within ${deadlineMs} ms: ${what}`);
    await delay(5);
  }
}

async function isFromWatches(store: CountingStore, settings: WatchedIpamSettings): Promise<boolean> {
  const before = store.reads;
  await settings.get();
  return store.reads === before;
}

test("the settings are the store's: first read, then watched, read again while it is away", async () => {
  const store = new CountingStore();
  const settings = new WatchedIpamSettings(store, "a");
  await putPool(store, "p2", "10.2.0.0/16");
  await putNode(store, "a", "r1");
  assert.equal(await isFromWatches(store, settings), false, "not followed yet");
  const stop = new AbortController();
  const running = settings.run(stop.signal);
  try {
    await until(() => isFromWatches(store, settings), "in sync");
    const first = await settings.get();
    assert.equal(await settings.get(), first, "computed once");
    await putPool(store, "p1", "10.1.0.0/16");
    await putNode(store, "a", "r2");
    await putNode(store, "a2", "r3");
    await putReservation(store, "r", ["10.1.0.0/30"]);
    await store.create(keys.ipamConfig, `{"strict_affinity":true,"auto_allocate_blocks":true}`);
    const wanted = described(await readSettings(store, "a"));
    await until(async () => (await settings.get()).config.strict_affinity, "changes told");
    assert.deepEqual(described(await settings.get()), wanted);
    assert.equal(await isFromWatches(store, settings), true);
    store.disconnect();
    await assert.rejects(
      until(async () => (await settings.get()) === undefined, "a view that is not current is not trusted"),
      { code: "unavailable" },
    );
    store.reconnect();
    await until(() => isFromWatches(store, settings), "in sync again");
  } finally {
    stop.abort();
    await running;
  }
});

test("a doubt asks the store once, and a pool that the watch has not told of refuses nobody", async () => {
  const store = new CountingStore();
  await putNode(store, "a", "r1");
  const settings = new WatchedIpamSettings(store, "a");
  const stop = new AbortController();
  const running = settings.run(stop.signal);
  try {
    await until(() => isFromWatches(store, settings), "in sync");
    settings.doubt();
    assert.equal(await isFromWatches(store, settings), false);
    assert.equal(await isFromWatches(store, settings), true);
    const now = (): Nanos => Nanos.fromSeconds(1_700_000_000);
    const ipam = new Ipam({ store, node: "a", now, settings: () => settings.get() });
    const port = new NodePodIpam(ipam, "a", settings);
    await putPool(store, "p", "10.1.0.0/16");
    const request = { handle: "h", families: [4], pools: { 4: [], 6: [] }, attributes: {} } as const;
    assert.equal((await port.assign(request)).kind, "assigned");
  } finally {
    stop.abort();
    await running;
  }
});
