// Aim: as in interleaving.test.ts, for more actors and longer plays than can be explored completely. Method: a scheduler by
// seed, with reads that lag behind, answers that get lost, actors that stop for ever, a clock that moves, and addresses that rest.
// SEED=n repeats one seed, RUNS=n does that many.
import assert from "node:assert/strict";
import { test } from "node:test";
import { setImmediate } from "node:timers/promises";
import { StoreError } from "@caracal/datastore";
import type { Ipam, IpamView } from "@caracal/ipam";
import { Prefix } from "@caracal/net";
import { Play, settingsOf, viewOf, writings } from "./play.ts";
import { SteppedWorld } from "@caracal/testbed";

/** Longer runs are livelocks. */
const maxSteps = 3000;

/** What was asked of the store has happened by then, or never will. */
const patienceSeconds = 40;

/** mulberry32. */
function randomSource(seed: number): (bound: number) => number {
  let state = seed >>> 0;
  return (bound) => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) % bound;
  };
}

async function playRandomly(seed: number): Promise<void> {
  const random = randomSource(seed);
  const isLagging = random(2) === 0;
  const readMoment = (oldest: number, newest: number): number =>
    isLagging && random(3) === 0 ? oldest + random(newest - oldest + 1) : newest;
  const nodes = ["n0", "n1", "n2", "n3"].slice(0, 2 + random(3));
  const cidr = ["fd00::/124", "fd00::/125", "fd00::/122"][random(3)] ?? "fd00::/124";
  const settings = settingsOf(cidr, 126, random(3) === 0, random(3) === 0 ? 30 : 0);
  const writing = writings[random(writings.length)] ?? "mixed";
  const manner = { elidesSameValues: writing === "elided writes" };
  const world = new SteppedWorld(readMoment, manner);
  const play = new Play({ writing, nodes, settings, attempts: 100, world });
  const isWatching = random(2) === 0;
  for (const node of nodes) {
    const ipam = play.ipamOf(
      node,
      play.storeOf(node),
      isWatching ? watching(world, node, random) : undefined,
    );
    // Two threads of work on each node, so that requests also meet inside one process.
    for (let thread = 0; thread < 2; thread += 1) {
      play.begin(async () => {
        for (let turn = 0; turn < 4; turn += 1) await goOn(() => act(play, ipam, random, cidr));
      });
    }
  }
  let crashesLeft = random(3);
  const isShaky = random(2) === 0;
  const askedAt = new Map<string, number>();
  for (let step = 0; ; step += 1) {
    await setImmediate();
    play.checkSafety();
    const { pending } = play.world;
    if (pending.length === 0) break;
    assert.ok(step < maxSteps, "does not end");
    for (const { name } of pending) askedAt.set(name, askedAt.get(name) ?? play.seconds);
    if (random(10) === 0) play.seconds += random(40);
    const late = pending.findIndex(({ name }) => play.seconds - (askedAt.get(name) ?? 0) > patienceSeconds);
    if (late >= 0) {
      play.world.fail(late, false);
      continue;
    }
    const index = random(pending.length);
    if (crashesLeft > 0 && random(60) === 0) {
      crashesLeft -= 1;
      play.world.crash(pending[index]?.actor ?? "");
    } else if (isShaky && random(20) === 0) play.world.fail(index, random(2) === 0);
    else play.world.perform(index);
  }
  await play.check();
}

/** What watches tell a node: at any time they may be as late as they were before, or as the store is. */
function watching(world: SteppedWorld, node: string, random: (bound: number) => number): IpamView {
  let told = viewOf(world.entries, node);
  let isCut = false;
  const look = (): IpamView => {
    if (random(3) === 0) told = viewOf(world.entries, node);
    isCut = random(8) === 0;
    return told;
  };
  return {
    get blocks() {
      const { blocks } = look();
      return isCut ? undefined : blocks;
    },
    get affinities() {
      const { affinities } = look();
      return isCut ? undefined : affinities;
    },
  };
}

/** What fails because the store is away is left as it is, and the process goes on with what it remembers. */
async function goOn(work: () => Promise<void>): Promise<void> {
  try {
    await work();
  } catch (error) {
    if (!(error instanceof StoreError)) throw error;
  }
}

async function act(play: Play, ipam: Ipam, random: (bound: number) => number, cidr: string): Promise<void> {
  const handle = `h${random(6)}`;
  const pool = Prefix.parse(cidr);
  assert.ok(pool !== undefined);
  switch (random(8)) {
    case 0:
    case 1:
    case 2:
      return play.assign(ipam, handle, 1 + random(3));
    case 3: {
      const address = Prefix.at(pool, BigInt(random(Number(Prefix.size(pool)))));
      assert.ok(address !== undefined);
      return play.ledger.assigning(handle, async () => {
        const result = await ipam.assignAddress({ address, handle, attributes: {} });
        return result.kind === "assigned" ? [address] : [];
      });
    }
    case 4:
    case 5:
      return play.release(ipam, handle);
    case 6:
      return play.ledger.releasingOne(random, (holder) => ipam.release(holder));
    default:
      await ipam.releaseNode(play.nodes[random(play.nodes.length)], { onlyEmpty: random(2) === 0 });
  }
}

test("seeded worlds with lagging reads, lost answers, crashes and a moving clock", async (t) => {
  const only = process.env.SEED;
  const first = only === undefined ? 1 : Number(only);
  const runs = Number(process.env.RUNS ?? (only === undefined ? 200 : 1));
  for (let seed = first; seed < first + runs; seed += 1) {
    try {
      await playRandomly(seed);
    } catch (error) {
      throw new Error(`SEED=${seed}`, { cause: error });
    }
  }
  t.diagnostic(`SEED=${first} RUNS=${runs}`);
});
