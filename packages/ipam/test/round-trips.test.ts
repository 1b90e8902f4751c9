// Aim: an address costs a bounded number of round trips to the store, however large a pool is and however full. Method: a
// store that lets all that has been asked of it happen at once and counts how often it had to: questions that do not wait
// for each other are one round trip.
import assert from "node:assert/strict";
import { test } from "node:test";
import { setImmediate } from "node:timers/promises";
import { keys, MemoryStore, type Store } from "@caracal/datastore";
import { Ipam, type IpamSettings, type IpamView, Nanos, Reservations } from "@caracal/ipam";
import { Prefix } from "@caracal/net";
import { viewOf } from "./play.ts";
import { singleWrites } from "./single-writes.ts";

interface CountedStore {
  readonly store: Store;
  /** Round trips since the last time. */
  readonly take: () => number;
}

function counted(store: Store): CountedStore {
  let rounds = 0;
  let round: Promise<void> | undefined;
  const inRound = async <T>(act: () => Promise<T>): Promise<T> => {
    round ??= setImmediate().then(() => {
      rounds += 1;
      round = undefined;
    });
    await round;
    return act();
  };
  const take = (): number => {
    const taken = rounds;
    rounds = 0;
    return taken;
  };
  const single = singleWrites({
    ...singleWrites(store),
    get: (key) => inRound(() => store.get(key)),
    list: (prefix) => inRound(() => store.list(prefix)),
    create: (key, value) => inRound(() => store.create(key, value)),
    update: (key, value, revision) => inRound(() => store.update(key, value, revision)),
    delete: (key, revision) => inRound(() => store.delete(key, revision)),
  });
  if (store.transact === undefined) return { store: single, take };
  const transact: Store["transact"] = (steps) =>
    inRound(async () => (await store.transact?.(steps)) ?? { kind: "refused", current: [] });
  return { store: { ...single, transact }, take };
}

const pools: readonly {
  readonly cidr: string;
  readonly blockSize: number;
  readonly fills: readonly number[];
}[] = [
  { cidr: "10.0.0.0/24", blockSize: 32, fills: [0, 1, 200, 255] },
  { cidr: "10.0.0.0/16", blockSize: 26, fills: [0, 900, 1023] },
  { cidr: "10.0.0.0/8", blockSize: 32, fills: [0, 1500] },
  { cidr: "0.0.0.0/0", blockSize: 20, fills: [0, 300] },
  { cidr: "fd00::/48", blockSize: 122, fills: [0, 1000] },
  { cidr: "fd00::/16", blockSize: 128, fills: [0, 500] },
];

function settingsOf(cidr: Prefix, blockSize: number): IpamSettings {
  const pool = {
    name: "pool",
    cidr,
    blockSize,
    isEnabled: true,
    isAutomatic: true,
    uses: ["Workload"] as const,
    nodeSelector: "all()",
    namespaceSelector: "",
  };
  const config = {
    strict_affinity: true,
    auto_allocate_blocks: true,
    maxBlocksPerHost: 100_000,
    ipCooldownSeconds: 0,
  };
  return { pools: [pool], reservations: new Reservations([]), config, nodeLabels: {} };
}

function ipamOn(store: Store, node: string, settings: IpamSettings, view?: IpamView): Ipam {
  const now = (): Nanos => Nanos.fromSeconds(1_767_323_045);
  const how = view === undefined ? {} : { view };
  return new Ipam({ store, node, now, settings: () => Promise.resolve(settings), ...how });
}

/** A store in which other nodes have `count` blocks of the pool. */
async function filled(settings: IpamSettings, count: number): Promise<MemoryStore> {
  const store = new MemoryStore();
  const [pool] = settings.pools;
  assert.ok(pool !== undefined);
  const bits = pool.cidr.family === 4 ? 32 : 128;
  const perBlock = 2 ** (bits - pool.blockSize);
  const filler = ipamOn(store, "filler", settings);
  if (count > 0) {
    // A handle that counts thousands of blocks would take most of the time.
    const request = { family: pool.cidr.family, handle: undefined, attributes: {}, count: count * perBlock };
    assert.equal((await filler.assign(request)).kind, "assigned");
  }
  assert.equal((await filler.blocks()).length, count);
  return store;
}

const largePools = [
  { cidr: "10.0.0.0/16", blockSize: 26 },
  { cidr: "10.0.0.0/8", blockSize: 24 },
] as const;

/** How full a large pool is. */
const fullnesses = ["empty", "half full", "full but for one block"] as const;

/** A store with a pool's blocks. That they are there is all that a search for a free one asks. */
async function large(
  pool: Prefix,
  blockSize: number,
  fullness: (typeof fullnesses)[number],
): Promise<MemoryStore> {
  const store = new MemoryStore({ historyEvents: 1 });
  const count = fullness === "empty" ? 0 : 2 ** (blockSize - pool.length);
  const free = Math.floor(count / 3);
  for (let place = 0; place < count; place += 1) {
    const address = Prefix.at(pool, BigInt(place) << BigInt(32 - blockSize));
    assert.ok(address !== undefined);
    if (fullness === "half full" ? place % 2 === 0 : place === free) continue;
    await store.create(keys.block(Prefix.of(address, blockSize)), "{}");
  }
  return store;
}

/** What watches would tell a node by now. */
function watching(
  store: Store,
  node: string,
): { readonly view: IpamView; readonly look: () => Promise<void> } {
  let view = viewOf([], node);
  const look = async (): Promise<void> => {
    view = viewOf((await store.list(keys.root)).entries, node);
  };
  return {
    look,
    view: {
      get blocks() {
        return view.blocks;
      },
      get affinities() {
        return view.affinities;
      },
    },
  };
}

for (const { cidr: text, blockSize } of largePools) {
  const cidr = Prefix.parse(text);
  assert.ok(cidr !== undefined);
  const settings = settingsOf(cidr, blockSize);
  test(`the last block of ${text} in blocks of /${blockSize} is found in 3 round trips, in 4 with single writes`, async () => {
    for (const { most, wrap } of [
      { most: 3, wrap: (store: Store): Store => store },
      { most: 4, wrap: singleWrites },
    ]) {
      const { store, take } = counted(wrap(await large(cidr, blockSize, "full but for one block")));
      const ipam = ipamOn(store, "fresh", settings);
      const result = await ipam.ensureBlock({ family: 4, use: "Workload" });
      assert.ok(result.kind === "assigned" && result.claimed.length === 1);
      const cost = take();
      assert.ok(cost <= most, `${cost} round trips`);
    }
  });

  test(`the last block of ${text} in blocks of /${blockSize} is taken at once where it is watched and there are transactions`, async () => {
    const inner = await large(cidr, blockSize, "full but for one block");
    const { store, take } = counted(inner);
    const { view, look } = watching(inner, "watching");
    await look();
    const ipam = ipamOn(store, "watching", settings, view);
    assert.equal((await ipam.assign({ family: 4, handle: "h", attributes: {} })).kind, "assigned");
    assert.equal(take(), 1);
  });

  for (const fullness of fullnesses) {
    test(`with single writes an address of a new block of ${text}, ${fullness}, costs 3 round trips where it is watched, else 4`, async () => {
      const inner = await large(cidr, blockSize, fullness);
      const { store, take } = counted(singleWrites(inner));
      const { view, look } = watching(inner, "watching");
      await look();
      // The last block is for the one or the other.
      const hasMore = fullness !== "full but for one block";
      for (const [node, seen, most] of [
        ["watching", view, 3],
        ["fresh", undefined, 4],
      ] as const) {
        if (node === "fresh" && !hasMore) continue;
        const ipam = ipamOn(store, node, settings, seen);
        const first = await ipam.assign({ family: 4, handle: `${node}1`, attributes: {} });
        assert.ok(first.kind === "assigned" && first.claimed.length === 1);
        assert.equal(take(), most, `${node}, without a block`);
        const rest = 2 ** (32 - blockSize) - 1;
        await ipam.assign({ family: 4, handle: `${node}2`, attributes: {}, count: rest });
        take();
        if (!hasMore) continue;
        for (const isTold of [false, true]) {
          if (isTold) await look();
          const next = await ipam.assign({
            family: 4,
            handle: `${node} ${isTold}`,
            attributes: {},
            count: 2 ** (32 - blockSize),
          });
          assert.ok(next.kind === "assigned" && next.claimed.length === 1);
          assert.equal(take(), most, `${node}, with a full block`);
        }
        if (seen !== undefined) await look();
        const successor = ipamOn(store, node, settings, seen);
        const last = await successor.assign({ family: 4, handle: `${node}3`, attributes: {} });
        assert.ok(last.kind === "assigned" && last.claimed.length === 1);
        assert.equal(take(), most, `${node}, begun anew with full blocks`);
        assert.equal((await inner.list(keys.affinities({ kind: "host", name: node }))).entries.length, 4);
      }
    });
  }
}

for (const { cidr: text, blockSize, fills } of pools) {
  const cidr = Prefix.parse(text);
  assert.ok(cidr !== undefined);
  const settings = settingsOf(cidr, blockSize);
  const { family } = cidr;
  const size = 2 ** ((family === 4 ? 32 : 128) - blockSize);
  for (const fill of fills) {
    test(`a new block of ${text} in blocks of /${blockSize}, ${fill} taken, costs at most 3 round trips`, async () => {
      const { store, take } = counted(await filled(settings, fill));
      const fresh = ipamOn(store, "fresh", settings);
      const first = await fresh.assign({ family, handle: "h", attributes: {} });
      assert.ok(first.kind === "assigned" && first.claimed.length === 1);
      const cost = take();
      assert.ok(cost <= 3, `a node without a block: ${cost} round trips`);
      if (size > 1) {
        await fresh.assign({ family, handle: "next", attributes: {} });
        assert.equal(take(), 1, "an address of the node's block");
        if (size > 64) return;
        const rest = await fresh.assign({ family, handle: "rest", attributes: {}, count: size - 2 });
        assert.equal(rest.kind, "assigned");
        take();
      }
      const { length } = await fresh.blocks();
      const isFull = fill + length >= 2 ** Math.min(20, blockSize - cidr.length);
      take();
      const second = await fresh.assign({ family, handle: "second", attributes: {} });
      assert.equal(second.kind, isFull ? "short" : "assigned");
      const costOfSecond = take();
      if (!isFull) assert.ok(costOfSecond <= 3, `a node with a full block: ${costOfSecond} round trips`);
    });
  }

  test(`with single writes a new block of ${text} in blocks of /${blockSize} costs 4 however many are taken`, async () => {
    for (const fill of fills) {
      const { store, take } = counted(singleWrites(await filled(settings, fill)));
      const result = await ipamOn(store, "fresh", settings).assign({ family, handle: "h", attributes: {} });
      assert.ok(result.kind === "assigned" && result.claimed.length === 1);
      // Which blocks there are, and the claim's three writes.
      assert.equal(take(), 4);
    }
  });
}
