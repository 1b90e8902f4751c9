/**
 * Aim: handles that count what they do not have are found by one node at a time, named after the grace time and corrected only
 * when told to; one that changes meanwhile is left alone. Method: a memory store with real IPAM records, observations by hand,
 * a clock that the test moves.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import { keys, MemoryStore } from "@caracal/datastore";
import { Ipam, Nanos } from "@caracal/ipam";
import pino from "pino";
import { Metrics } from "../observe/metrics.ts";
import { HandleAudit, type HandleAuditOptions } from "./handle-audit.ts";

const graceSeconds = 120;

class Cluster {
  readonly store = new MemoryStore();
  readonly metrics = new Metrics();
  seconds = 1_767_323_040;
  listings = 0;
  readonly ipam = new Ipam({ store: this.store, node: "n1", now: () => Nanos.fromSeconds(this.seconds) });

  /** A handle with one address that counts one more, and one without any. */
  static async create(): Promise<Cluster> {
    const cluster = new Cluster();
    const pool = { kind: "IPPool", apiVersion: "projectcalico.org/v3", metadata: { name: "p" } };
    const value = JSON.stringify({ ...pool, spec: { cidr: "10.0.0.0/26" } });
    await cluster.store.create(keys.resource("ippools", "p"), value);
    await cluster.ipam.assign({ family: 4, handle: "net.sound", attributes: { node: "n1" } });
    await cluster.ipam.assign({ family: 4, handle: "net.high", attributes: { node: "n1" } });
    await cluster.write("net.high", '{"block":{"10.0.0.0/26":2,"10.9.0.0/26":1},"deleted":false}');
    await cluster.write("net.idle", '{"block":{"10.0.0.0/26":1},"deleted":false}');
    await cluster.write("net.none", '{"block":{},"deleted":false}');
    return cluster;
  }

  async write(handle: string, value: string): Promise<void> {
    await this.store.delete(keys.handle(handle));
    await this.store.create(keys.handle(handle), value);
  }

  audit(options: Partial<HandleAuditOptions> = {}): HandleAudit {
    const { ipam } = this;
    return new HandleAudit({
      node: "n1",
      nodes: () => [{ metadata: { name: "n1" } }],
      ipam: {
        surplusHandles: () => {
          this.listings += 1;
          return ipam.surplusHandles();
        },
        surplusOf: (id) => ipam.surplusOf(id),
        correctHandle: (id, revision) => ipam.correctHandle(id, revision),
      },
      repairs: false,
      graceSeconds,
      mayWrite: () => true,
      now: () => Nanos.fromSeconds(this.seconds),
      log: pino({ enabled: false }),
      metrics: this.metrics,
      ...options,
    });
  }

  async observe(audit: HandleAudit): Promise<readonly string[]> {
    await audit.look();
    this.seconds += graceSeconds;
    await audit.look();
    return audit.troubles;
  }

  async handles(): Promise<Readonly<Record<string, string>>> {
    const { entries } = await this.store.list(keys.handles);
    return Object.fromEntries(entries.map(({ key, value }) => [key.slice(keys.handles.length), value]));
  }
}

test("handles that count too much are named after the grace time, and kept unless repair is asked for", async () => {
  const cluster = await Cluster.create();
  const before = await cluster.handles();
  const audit = cluster.audit();
  await audit.look();
  assert.deepEqual(audit.troubles, []);
  assert.deepEqual(await cluster.observe(audit), [
    "handle net.high counts too much since 2026-01-02T03:04:00Z: it counts 2 of block 10.0.0.0/26, which gives it 1, " +
      "1 of block 10.9.0.0/26, which gives it 0",
    "handle net.idle is idle since 2026-01-02T03:04:00Z: it counts 1 of block 10.0.0.0/26, which gives it 0",
    "handle net.none is idle since 2026-01-02T03:04:00Z: it counts nothing",
  ]);
  assert.deepEqual(await cluster.handles(), before);
  assert.match(await cluster.metrics.text(), /^caracal_ipam_surplus_handles 3$/m);
});

test("with repair, idle handles go and the others count what they have", async () => {
  const cluster = await Cluster.create();
  assert.deepEqual(await cluster.observe(cluster.audit({ repairs: true })), []);
  assert.deepEqual(await cluster.handles(), {
    "net.high": '{"block":{"10.0.0.0/26":1},"deleted":false}',
    "net.sound": '{"block":{"10.0.0.0/26":1},"deleted":false}',
  });
  assert.deepEqual(await cluster.ipam.check(), []);
  assert.match(await cluster.metrics.text(), /^caracal_ipam_handles_corrected 3$/m);
  assert.match(await cluster.metrics.text(), /^caracal_ipam_surplus_handles 0$/m);
});

test("a handle that is written meanwhile begins its time anew, and one that is used is forgotten", async () => {
  const cluster = await Cluster.create();
  const audit = cluster.audit({ repairs: true });
  await audit.look();
  await cluster.write("net.idle", '{"block":{"10.0.0.0/26":2},"deleted":false}');
  await cluster.ipam.assign({ family: 4, handle: "net.none", attributes: { node: "n1" } });
  cluster.seconds += graceSeconds;
  await audit.look();
  assert.deepEqual(Object.keys(await cluster.handles()), ["net.high", "net.idle", "net.none", "net.sound"]);
  cluster.seconds += graceSeconds;
  await audit.look();
  assert.deepEqual(Object.keys(await cluster.handles()), ["net.high", "net.none", "net.sound"]);
  assert.deepEqual(await cluster.ipam.check(), []);
});

test("a short grace time does not hurry an assignment that may be under way", async () => {
  const cluster = await Cluster.create();
  const audit = cluster.audit({ repairs: true, graceSeconds: 1 });
  await audit.look();
  cluster.seconds += 60;
  await audit.look();
  assert.equal(Object.keys(await cluster.handles()).length, 4);
  cluster.seconds += 1;
  await audit.look();
  assert.deepEqual(Object.keys(await cluster.handles()), ["net.high", "net.sound"]);
});

test("a locked datastore is not written to until it is open again", async () => {
  const cluster = await Cluster.create();
  let isOpen = false;
  const audit = cluster.audit({ repairs: true, mayWrite: () => isOpen });
  assert.equal((await cluster.observe(audit)).length, 3);
  isOpen = true;
  cluster.seconds += 1;
  await audit.look();
  assert.deepEqual(audit.troubles, []);
  assert.deepEqual(await cluster.ipam.check(), []);
});

test("in each grace time one node of all lists the handles", async () => {
  const cluster = await Cluster.create();
  const names = ["n1", "n2", "n3"];
  const nodes = () => names.map((name) => ({ metadata: { name } }));
  const audits = [...names, "stranger"].map((node) => cluster.audit({ node, nodes }));
  for (let round = 1; round <= 6; round += 1) {
    for (let look = 0; look < 3; look += 1) {
      for (const audit of audits) await audit.look();
      cluster.seconds += graceSeconds / 3;
    }
    assert.equal(cluster.listings, round);
  }
  assert.deepEqual(
    audits.map(({ troubles }) => troubles.length),
    [3, 3, 3, 0],
  );
});

test("what cannot be read proves nothing against a handle", async () => {
  const cluster = await Cluster.create();
  const [block] = (await cluster.store.list(keys.blocks())).entries;
  assert.ok(block !== undefined);
  await cluster.store.update(block.key, "{", block.revision);
  const lines = await cluster.observe(cluster.audit({ repairs: true }));
  assert.deepEqual(lines, []);
  assert.deepEqual(Object.keys(await cluster.handles()), ["net.high", "net.idle", "net.sound"]);
});

test("of many, some are named and the others counted", async () => {
  const cluster = await Cluster.create();
  for (let index = 0; index < 200; index += 1)
    await cluster.write(`net.x${index}`, '{"block":{},"deleted":false}');
  const audit = cluster.audit();
  await cluster.observe(audit);
  assert.equal(audit.troubles.at(-1), "48 more handles count addresses that they do not have");
  for (let look = 0; look < 3; look += 1) await audit.look();
  assert.equal(audit.troubles.length, 17);
  assert.equal(audit.troubles.at(-1), "187 more handles count addresses that they do not have");
});
