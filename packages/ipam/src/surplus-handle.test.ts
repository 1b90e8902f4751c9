/**
 * Aim: a handle counts too much exactly where no block gives it what it counts, and nothing is said where that is not sure.
 * Method: records written by hand, in a memory store.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import { keys, MemoryStore } from "@caracal/datastore";
import { Prefix } from "@caracal/net";
import { Ipam } from "./ipam.ts";
import { Nanos } from "./timestamp.ts";

class World {
  readonly store = new MemoryStore();
  readonly ipam = new Ipam({ store: this.store, node: "n", now: () => Nanos.fromSeconds(1_767_323_045) });

  async block(cidr: string, handles: readonly string[]): Promise<void> {
    const prefix = Prefix.parse(cidr) ?? assert.fail(cidr);
    const ordinals = Array.from({ length: Number(Prefix.size(prefix)) }, (_, ordinal) => ordinal);
    const block = {
      cidr,
      affinity: "host:n",
      allocations: ordinals.map((ordinal) => (ordinal < handles.length ? ordinal : null)),
      unallocated: ordinals.slice(handles.length),
      attributes: handles.map((handle) => ({ handle_id: handle, secondary: { node: "n" } })),
      deleted: false,
    };
    await this.store.create(keys.block(prefix), JSON.stringify(block));
  }

  async handle(id: string, counts: Readonly<Record<string, number>>): Promise<void> {
    await this.store.create(keys.handle(id), JSON.stringify({ block: counts, deleted: false }));
  }
}

const cidr = "10.0.0.0/30";

test("only what is surely counted too high is found, and corrected", async () => {
  const world = new World();
  await world.block(cidr, ["sound", "high", "elsewhere", "hidden"]);
  await world.block("10.0.0.4/30", ["elsewhere"]);
  await world.store.create("/calico/ipam/v2/assignment/ipv4/block/10.0.0.8-30", "{");
  await world.handle("sound", { [cidr]: 1 });
  await world.handle("high", { [cidr]: 3, "10.0.0.4/30": 1, "no block": 2 });
  await world.handle("idle", { [cidr]: 1 });
  await world.handle("none", {});
  await world.handle("zero", { [cidr]: 0 });
  // A block gives it something that it does not count: lowering it would end in no handle at all.
  await world.handle("elsewhere", { [cidr]: 9 });
  await world.handle("hidden", { [cidr]: 1, "10.0.0.8/30": 1 });
  const found = await world.ipam.surplusHandles();
  assert.deepEqual(
    found.map(({ id, held, surplus }) => [id, held, surplus.length]),
    [
      ["high", 1, 3],
      ["idle", 0, 1],
      ["none", 0, 0],
      ["zero", 0, 0],
    ],
  );
  const outcomes = [];
  for (const { id, revision } of found) outcomes.push(await world.ipam.correctHandle(id, revision));
  assert.deepEqual(outcomes, ["lowered", "deleted", "deleted", "deleted"]);
  assert.equal(
    (await world.store.get(keys.handle("high")))?.value,
    `{"block":{"${cidr}":1},"deleted":false}`,
  );
  assert.deepEqual(await world.ipam.surplusHandles(), []);
  assert.equal(await world.ipam.surplusOf("high"), undefined);
  for (const { id, revision } of found) assert.equal(await world.ipam.correctHandle(id, revision), "kept");
});

test("a handle that was written since, or has what it counts, is kept", async () => {
  const world = new World();
  await world.block(cidr, ["a"]);
  await world.handle("a", { [cidr]: 2 });
  await world.handle("b", { [cidr]: 1 });
  const [a, b] = await world.ipam.surplusHandles();
  assert.ok(a !== undefined && b !== undefined);
  await world.store.update(keys.handle("a"), `{"block":{"${cidr}":1},"deleted":false}`, a.revision);
  assert.equal(await world.ipam.correctHandle("a", a.revision), "kept");
  // The assignment that had counted it ends after all.
  await world.store.delete(keys.block(Prefix.parse(cidr) ?? assert.fail()));
  await world.block(cidr, ["a", "b"]);
  assert.equal(await world.ipam.correctHandle("b", b.revision), "kept");
});

test("others may work between parts of a long reckoning", async () => {
  const world = new World();
  for (let index = 0; index < 1_000; index += 1) await world.handle(`h${index}`, {});
  let rests = 0;
  const found = await world.ipam.surplusHandles(async () => {
    rests += 1;
  });
  assert.equal(found.length, 1_000);
  assert.equal(rests, 8);
});
