// Aim: however the store operations of several allocators interleave, and wherever one of them stops for ever, no
// address has two owners, no block two confirmed affinities, every address is counted by its handle, and all that is
// left behind can be reclaimed. Method: a scheduler lets one store operation happen at a time and checks after each.
// Small cases are explored completely, up to equal states; large ones by seed, with reads that lag behind and a clock
// that moves. Addresses are IPv6: there the search asks one question less to interleave. SEED=n repeats one seed, RUNS=n does that many.
import assert from "node:assert/strict";
import { test, type TestContext } from "node:test";
import { setImmediate } from "node:timers/promises";
import type { Store } from "@caracal/datastore";
import { type AssignResult, Ipam, IpamError, type IpamSettings, Nanos, Reservations } from "@caracal/ipam";
import { Prefix } from "@caracal/net";
import { assertReclaimable, Ledger } from "./ledger.ts";
import { SteppedWorld } from "./stepped-world.ts";

const start = 1_767_323_045;

/** How the actors write: each in transactions, each with single writes, or by turns, as nodes of different kinds do. */
const writings = ["transactions", "single writes", "mixed"] as const;
type Writing = (typeof writings)[number];
/** Longer runs are livelocks. */
const maxSteps = 3000;

function settingsOf(cidr: string, blockSize: number, isStrict = false): IpamSettings {
  const network = Prefix.parse(cidr);
  assert.ok(network !== undefined);
  return {
    pools: [
      {
        name: "pool",
        cidr: network,
        blockSize,
        isEnabled: true,
        isAutomatic: true,
        uses: ["Workload"],
        nodeSelector: "all()",
        namespaceSelector: "",
      },
    ],
    reservations: new Reservations([]),
    config: {
      strict_affinity: isStrict,
      auto_allocate_blocks: true,
      maxBlocksPerHost: 0,
      ipCooldownSeconds: 0,
    },
    nodeLabels: {},
  };
}

/** Several actors, each with its own IPAM on a shared world. */
class Play {
  readonly world: SteppedWorld;
  readonly ledger = new Ledger();
  readonly nodes: readonly string[];
  readonly #settings: IpamSettings;
  /** How often a compare-and-swap is tried. Giving up is like a crash with an error: whatever is left must be safe. */
  readonly #attempts: number;
  readonly #failures: unknown[] = [];
  readonly #writing: Writing;
  #actorCount = 0;
  seconds = start;

  constructor(
    writing: Writing,
    nodes: readonly string[],
    settings: IpamSettings,
    attempts = 3,
    world = new SteppedWorld(),
  ) {
    this.world = world;
    this.nodes = nodes;
    this.#writing = writing;
    this.#settings = settings;
    this.#attempts = attempts;
  }

  /** A store for one more actor. */
  storeOf(actor: string): Store {
    this.#actorCount += 1;
    const transacts =
      this.#writing === "mixed" ? this.#actorCount % 2 === 1 : this.#writing === "transactions";
    return transacts ? this.world.transactingStoreOf(actor) : this.world.storeOf(actor);
  }

  ipamOf(node: string, store = this.storeOf(node)): Ipam {
    const now = (): Nanos => Nanos.fromSeconds(this.seconds);
    const settings = (): Promise<IpamSettings> => Promise.resolve(this.#settings);
    return new Ipam({ store, node, now, settings, attempts: this.#attempts });
  }

  begin(act: () => Promise<unknown>): void {
    act().catch((error: unknown) => {
      const isContention = error instanceof IpamError && error.code === "contention";
      if (!isContention || this.#attempts > 10) this.#failures.push(error);
    });
  }

  check(): void {
    const [failure] = this.#failures;
    if (failure !== undefined) throw failure;
    this.ledger.check(this.world);
  }

  async finish(): Promise<void> {
    this.check();
    const janitor = this.ipamOf("janitor", this.world.immediateStore());
    await assertReclaimable(this.world, janitor, this.nodes);
  }
}

/** Carries out every order of store operations that leads to a new state, with up to `crashes` actors stopping anywhere. */
async function explore(makePlay: () => Play, crashes: number): Promise<{ runs: number; states: number }> {
  const visited = new Set<string>();
  let path: number[] = [];
  let runs = 0;
  for (;;) {
    const play = makePlay();
    const frames: { taken: number; options: number }[] = [];
    const trace: string[] = [];
    runs += 1;
    for (;;) {
      await setImmediate();
      const { pending, crashed } = play.world;
      const mayCrash = crashed.size < crashes ? [...new Set(pending.map(({ actor }) => actor))] : [];
      const options = pending.length + mayCrash.length;
      try {
        if (pending.length === 0) {
          await play.finish();
          break;
        }
        // The way to a new state has been checked when it was new.
        if (frames.length >= path.length) {
          play.check();
          const key = play.world.stateKey();
          if (visited.has(key)) break;
          visited.add(key);
        }
        const taken = path[frames.length] ?? 0;
        frames.push({ taken, options });
        assert.ok(frames.length < maxSteps, "does not end");
        const victim = mayCrash[taken - pending.length];
        trace.push(victim === undefined ? describe(play, taken) : `${victim} crashes`);
        if (victim === undefined) play.world.perform(taken);
        else play.world.crash(victim);
      } catch (error) {
        throw new Error(`after\n  ${trace.join("\n  ")}`, { cause: error });
      }
    }
    while (frames.length > 0) {
      const last = frames.at(-1);
      if (last === undefined || last.taken + 1 < last.options) break;
      frames.pop();
    }
    const last = frames.at(-1);
    if (last === undefined) return { runs, states: visited.size };
    last.taken += 1;
    path = frames.map(({ taken }) => taken);
  }
}

function describe(play: Play, index: number): string {
  const step = play.world.pending[index];
  return `${step?.actor ?? ""}: ${step?.label ?? ""}`;
}

function assignOne(play: Play, ipam: Ipam, handle: string, count = 1): Promise<void> {
  return play.ledger.assigning(handle, async () => {
    const result: AssignResult = await ipam.assign({ family: 6, handle, attributes: {}, count });
    return result.kind === "refused" ? [] : result.addresses;
  });
}

function releaseOne(play: Play, ipam: Ipam, handle: string): Promise<void> {
  return play.ledger.releasing(handle, () => ipam.releaseHandle(handle));
}

const smallCases: readonly {
  readonly name: string;
  readonly crashes: number;
  /** Those that keep the states few enough; all unless told. */
  readonly writings?: readonly Writing[];
  readonly play: (writing: Writing) => Play;
}[] = [
  {
    name: "three nodes that each assign, strictly, with two blocks of one address",
    crashes: 0,
    writings: ["transactions"],
    play: (writing) => {
      const play = new Play(writing, ["a", "b", "c"], settingsOf("fd00::/127", 128, true));
      for (const node of play.nodes) {
        const ipam = play.ipamOf(node);
        play.begin(() => assignOne(play, ipam, node));
      }
      return play;
    },
  },
  {
    name: "two nodes that each assign and release, with one block for both",
    crashes: 1,
    play: (writing) => {
      const play = new Play(writing, ["a", "b"], settingsOf("fd00::/127", 127));
      for (const node of play.nodes) {
        const ipam = play.ipamOf(node);
        play.begin(async () => {
          await assignOne(play, ipam, node);
          await releaseOne(play, ipam, node);
        });
      }
      return play;
    },
  },
  {
    name: "two nodes that each assign twice, strictly, with two blocks of one address",
    crashes: 1,
    play: (writing) => {
      const play = new Play(writing, ["a", "b"], settingsOf("fd00::/127", 128, true));
      for (const node of play.nodes) {
        const ipam = play.ipamOf(node);
        play.begin(async () => {
          await assignOne(play, ipam, `${node}1`);
          await assignOne(play, ipam, `${node}2`);
        });
      }
      return play;
    },
  },
  {
    name: "a node that assigns and releases while its blocks are given up by another",
    crashes: 1,
    play: (writing) => {
      const play = new Play(writing, ["a", "b"], settingsOf("fd00::/127", 127));
      const a = play.ipamOf("a");
      const b = play.ipamOf("b");
      play.begin(async () => {
        await assignOne(play, a, "a1");
        await releaseOne(play, a, "a1");
      });
      play.begin(async () => {
        await b.releaseNode("a");
      });
      return play;
    },
  },
  {
    name: "one handle assigned twice by one node while another releases it",
    crashes: 1,
    play: (writing) => {
      const play = new Play(writing, ["a", "b"], settingsOf("fd00::/127", 127));
      const a = play.ipamOf("a");
      const b = play.ipamOf("b");
      play.begin(async () => {
        await assignOne(play, a, "h");
        await assignOne(play, a, "h");
      });
      play.begin(async () => {
        await releaseOne(play, b, "h");
      });
      return play;
    },
  },
  {
    name: "an old daemon and its successor, both the same node",
    crashes: 2,
    play: (writing) => {
      const play = new Play(writing, ["a"], settingsOf("fd00::/127", 127));
      const old = play.ipamOf("a", play.storeOf("old"));
      const young = play.ipamOf("a", play.storeOf("young"));
      play.begin(() => assignOne(play, old, "h1"));
      play.begin(() => assignOne(play, young, "h2"));
      return play;
    },
  },
];

for (const writing of writings) {
  for (const { name, crashes, play, writings: some = writings } of smallCases) {
    if (!some.includes(writing)) continue;
    test(`every interleaving and crash, ${writing}: ${name}`, async (t) => {
      const { runs, states } = await explore(() => play(writing), crashes);
      t.diagnostic(`${states} states, ${runs} runs`);
    });
  }
}

for (const writing of writings) {
  test(`a block taken back from an idle node is one node's at every moment, ${writing}`, (t) =>
    exploreTakingBack(t, writing));
}

async function exploreTakingBack(t: TestContext, writing: Writing): Promise<void> {
  // The reclaiming node finds no free block, and the idle one begins to assign again at any moment of it.
  const settings = settingsOf("fd00::/127", 127, true);
  const prepared = new Play(writing, ["a", "b"], settings);
  await prepared.ipamOf("a", prepared.world.immediateStore()).ensureBlock({ family: 6, use: "Workload" });
  const entries = prepared.world.entries;
  const makePlay = (): Play => {
    const play = new Play(writing, ["a", "b"], settings);
    for (const { key, value } of entries) void play.world.immediateStore().create(key, value);
    play.seconds = start + 61;
    const a = play.ipamOf("a");
    const b = play.ipamOf("b");
    play.begin(() => assignOne(play, a, "a1"));
    play.begin(() => assignOne(play, b, "b1"));
    return play;
  };
  const { runs, states } = await explore(makePlay, 1);
  t.diagnostic(`${states} states, ${runs} runs`);
}

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
  const settings = settingsOf(cidr, 126, random(3) === 0);
  const writing = writings[random(writings.length)] ?? "mixed";
  const play = new Play(writing, nodes, settings, 100, new SteppedWorld(readMoment));
  for (const node of nodes) {
    const ipam = play.ipamOf(node);
    // Two threads of work on each node, so that requests also meet inside one process.
    for (let thread = 0; thread < 2; thread += 1) {
      play.begin(async () => {
        for (let turn = 0; turn < 4; turn += 1) await act(play, ipam, random, cidr);
      });
    }
  }
  let crashesLeft = random(3);
  for (let step = 0; ; step += 1) {
    await setImmediate();
    play.check();
    const { pending } = play.world;
    if (pending.length === 0) break;
    assert.ok(step < maxSteps, "does not end");
    if (random(10) === 0) play.seconds += random(40);
    const index = random(pending.length);
    if (crashesLeft > 0 && random(60) === 0) {
      crashesLeft -= 1;
      play.world.crash(pending[index]?.actor ?? "");
    } else play.world.perform(index);
  }
  await play.finish();
}

async function act(play: Play, ipam: Ipam, random: (bound: number) => number, cidr: string): Promise<void> {
  const handle = `h${random(6)}`;
  const pool = Prefix.parse(cidr);
  assert.ok(pool !== undefined);
  switch (random(8)) {
    case 0:
    case 1:
    case 2:
      return assignOne(play, ipam, handle, 1 + random(3));
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
      return releaseOne(play, ipam, handle);
    case 6:
      return play.ledger.releasingOne(random, (holder) => ipam.release(holder));
    default:
      await ipam.releaseNode(play.nodes[random(play.nodes.length)], { onlyEmpty: random(2) === 0 });
  }
}

test("seeded worlds with lagging reads, crashes and a moving clock", async (t) => {
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
