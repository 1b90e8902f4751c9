// Aim: what watches tell too late costs a try, and never an address; and an assignment that makes its block does so in time or
// not at all. Method: a memory store without transactions, views of earlier moments, and a clock that the test moves.
import assert from "node:assert/strict";
import { test } from "node:test";
import { type Entry, keys, MemoryStore, type Store } from "@caracal/datastore";
import { type AssignResult, Ipam, type IpamView, Nanos } from "@caracal/ipam";
import { settingsOf, startSeconds, viewOf } from "./play.ts";
import { singleWrites } from "./single-writes.ts";

const settings = settingsOf("fd00::/124", 126, true);

class World {
  readonly inner = new MemoryStore();
  readonly store: Store = singleWrites(this.inner);
  seconds = startSeconds;

  ipam(node: string, view?: IpamView, store = this.store, maxBlocksPerHost = 0): Ipam {
    const now = (): Nanos => Nanos.fromSeconds(this.seconds);
    const config = { ...settings.config, maxBlocksPerHost };
    const how = view === undefined ? {} : { view };
    return new Ipam({ store, node, now, settings: () => Promise.resolve({ ...settings, config }), ...how });
  }

  async entries(): Promise<readonly Entry[]> {
    return (await this.inner.list(keys.root)).entries;
  }

  async viewOf(node: string): Promise<IpamView> {
    return viewOf(await this.entries(), node);
  }
}

function assign(ipam: Ipam, handle: string, count = 1): Promise<AssignResult> {
  return ipam.assign({ family: 6, handle, attributes: {}, count });
}

test("a block that another has taken since is left to it, with nothing pending or counted", async () => {
  const world = new World();
  const empty = await world.viewOf("b");
  // The places where b begins to search, all of them.
  assert.equal((await assign(world.ipam("a"), "a", 12)).kind, "assigned");
  const late = await assign(world.ipam("b", empty), "b");
  assert.ok(late.kind === "assigned" && late.claimed.length === 1);
  assert.deepEqual(await world.ipam("b").check(), []);
  assert.equal((await world.ipam("b").addressesOf("b")).length, 1);
});

test("that all blocks are taken, or as many as a node may have, is not believed of a watch", async () => {
  const world = new World();
  assert.equal((await assign(world.ipam("a"), "a", 16)).kind, "assigned");
  const full = await world.viewOf("b");
  await world.ipam("a").releaseHandle("a");
  await world.ipam("a").releaseNode();
  assert.equal((await assign(world.ipam("b", full), "b")).kind, "assigned");

  const before = await world.viewOf("b");
  await world.ipam("b").releaseHandle("b");
  await world.ipam("b").releaseNode();
  const limited = world.ipam("b", before, world.store, 1);
  assert.equal((await assign(limited, "b")).kind, "assigned");
  assert.deepEqual(await world.ipam("b").check(), []);
});

test("an own block with room is found by a watch, and not used once it is lost", async () => {
  const world = new World();
  const first = await assign(world.ipam("a"), "a1");
  const [block] = await world.ipam("a").blocks();
  assert.ok(first.kind === "assigned" && block !== undefined);
  const view = await world.viewOf("a");
  const second = await assign(world.ipam("a", view), "a2");
  assert.ok(second.kind === "assigned" && second.claimed.length === 0);
  await world.ipam("a").releaseNode();
  const third = await assign(world.ipam("a", view), "a3");
  assert.ok(third.kind === "assigned" && third.claimed.length === 1);
  assert.ok(!third.claimed.some((one) => one.address === block.address));
  assert.deepEqual(await world.ipam("a").check(), []);
});

test("a block that could not be made in time is taken step by step, and the handle counted anew", async () => {
  const world = new World();
  let isSlow = true;
  const order: string[] = [];
  const slow: Store = {
    ...world.store,
    create: async (key, value) => {
      order.push(keys.parse(key)?.kind ?? key);
      const outcome = await world.store.create(key, value);
      if (isSlow) world.seconds += 21;
      isSlow = false;
      return outcome;
    },
  };
  const result = await assign(world.ipam("a", undefined, slow), "h");
  assert.ok(result.kind === "assigned" && result.claimed.length === 1);
  // The block was made empty, and the handle counted once it was there.
  assert.deepEqual(order, ["affinity", "handle", "affinity", "block", "handle"]);
  assert.deepEqual(await world.ipam("a").check(), []);
});

test("a block that the node has just taken is used before a watch tells of it, also where it may have no other", async () => {
  const world = new World();
  const [pool] = settings.pools;
  assert.ok(pool !== undefined);
  const ipam = world.ipam("a", await world.viewOf("a"), world.store, 1);
  const pools = [pool.name];
  const first = await ipam.assign({ family: 6, handle: "a1", attributes: {}, pools });
  assert.ok(first.kind === "assigned" && first.claimed.length === 1);
  const second = await assign(ipam, "a2");
  assert.ok(second.kind === "assigned" && second.claimed.length === 0);
  assert.deepEqual(await ipam.check(), []);
});
