// Aim: however the store operations of several allocators interleave, and wherever any of them stop for ever, no address
// has two owners, no block two confirmed affinities, every address is counted by its handle, and all that is left behind
// can be reclaimed. Method: a scheduler lets one store operation happen at a time; small cases are explored completely, and
// each state that is new is checked, by a janitor on a copy of it too. Addresses are IPv6: there the search asks one question
// less to interleave.
import assert from "node:assert/strict";
import { keys, Revision } from "@caracal/datastore";
import {
  assignCertain,
  assignWithEntry,
  endpointKey,
  type ExploredCase,
  exploreCase,
  poolRange,
  takenBack,
} from "./explored-case.ts";
import { type Play, settingsOf, writings } from "./play.ts";
import { testEach } from "./test-each.ts";

const twoBlocksStrictly = settingsOf("fd00::/127", 128, true);

const cases: readonly ExploredCase[] = [
  {
    name: "three nodes that each assign, strictly, with two blocks of one address",
    nodes: ["a", "b", "c"],
    settings: twoBlocksStrictly,
    writings: ["transactions"],
    begin: (play) => {
      for (const node of play.nodes) {
        const ipam = play.ipamOf(node);
        play.begin(() => play.assign(ipam, node));
      }
    },
  },
  {
    name: "two nodes that each assign and release, with one block for both",
    nodes: ["a", "b"],
    begin: (play) => {
      for (const node of play.nodes) {
        const ipam = play.ipamOf(node);
        play.begin(async () => {
          await play.assign(ipam, node);
          await play.release(ipam, node);
        });
      }
    },
  },
  {
    name: "two nodes that each assign twice, strictly, with two blocks of one address",
    nodes: ["a", "b"],
    settings: twoBlocksStrictly,
    writings: ["transactions", "single writes", "mixed"],
    begin: (play) => {
      for (const node of play.nodes) {
        const ipam = play.ipamOf(node);
        play.begin(async () => {
          await play.assign(ipam, `${node}1`);
          await play.assign(ipam, `${node}2`);
        });
      }
    },
  },
  {
    name: "a node that assigns and releases while its blocks are given up by another",
    nodes: ["a", "b"],
    begin: (play) => {
      const a = play.ipamOf("a");
      const b = play.ipamOf("b");
      play.begin(async () => {
        await play.assign(a, "a1");
        await play.release(a, "a1");
      });
      play.begin(() => b.releaseNode("a"));
    },
  },
  {
    name: "one handle assigned twice by one node while another releases it",
    nodes: ["a", "b"],
    begin: (play) => {
      const a = play.ipamOf("a");
      const b = play.ipamOf("b");
      play.begin(async () => {
        await play.assign(a, "h");
        await play.assign(a, "h");
      });
      play.begin(() => play.release(b, "h"));
    },
  },
  {
    name: "an old daemon and its successor, both the same node",
    nodes: ["a"],
    begin: (play) => {
      const old = play.ipamOf("a", play.storeOf("old"));
      const young = play.ipamOf("a", play.storeOf("young"));
      play.begin(() => play.assign(old, "h1"));
      play.begin(() => play.assign(young, "h2"));
    },
  },
  {
    ...takenBack,
    name: "a block taken back from an idle node",
  },
  {
    name: "an owner that takes and gives up its blocks while another borrows from them and a third gives them up",
    nodes: ["a", "b"],
    prepare: async (play) => {
      await play.assign(play.ipamOf("a", play.world.immediateStore()), "a0");
    },
    begin: (play) => {
      const a = play.ipamOf("a");
      const b = play.ipamOf("b");
      play.begin(() => a.releaseNode("a", { onlyEmpty: true }));
      play.begin(() => play.assign(b, "b1"));
      play.begin(() => play.release(play.ipamOf("a", play.storeOf("c")), "a0"));
    },
  },
  {
    name: "a block claimed for later while its range is given up, as with its pool",
    nodes: ["a", "b"],
    begin: (play) => {
      const a = play.ipamOf("a");
      const b = play.ipamOf("b");
      play.begin(() => a.ensureBlock({ family: 6, use: "Workload" }));
      play.begin(() => b.releaseRange(poolRange));
    },
  },
  {
    name: "an address asked for by two, and released by its handle",
    nodes: ["a", "b"],
    begin: (play) => {
      for (const node of play.nodes) {
        const ipam = play.ipamOf(node);
        play.begin(async () => {
          await assignCertain(play, ipam, node);
          await play.release(ipam, node);
        });
      }
    },
  },
  {
    name: "one and the same assignment released by its address, by its handle, and its handle assigned anew",
    nodes: ["a"],
    prepare: async (play) => {
      await play.assign(play.ipamOf("a", play.world.immediateStore()), "h");
    },
    begin: (play) => {
      const a = play.ipamOf("a", play.storeOf("a1"));
      const b = play.ipamOf("a", play.storeOf("a2"));
      play.begin(() =>
        play.ledger.releasingOne(
          () => 0,
          (holder) => a.release(holder),
        ),
      );
      play.begin(async () => {
        await play.release(b, "h");
        await play.assign(b, "h");
      });
    },
  },
  {
    name: "a handle released while its block is made, and one that came in between was given up again",
    nodes: ["a", "b"],
    settings: settingsOf("fd00::/127", 127, true),
    begin: (play) => {
      const a = play.ipamOf("a");
      const b = play.ipamOf("b");
      play.begin(() => play.assign(a, "h"));
      play.begin(async () => {
        await b.ensureBlock({ family: 6, use: "Workload" });
        await b.releaseNode("b");
      });
      play.begin(() => play.release(play.ipamOf("a", play.storeOf("c")), "h"));
    },
  },
  {
    name: "a handle that counts nothing, deleted while it is assigned",
    nodes: ["a"],
    prepare: async (play) => {
      // What an assignment leaves that was stopped between the handle and the block.
      const text = '{"block":{"fd00::/127":1},"deleted":false}';
      await play.world.immediateStore().create(keys.handle("h"), text);
    },
    begin: (play) => {
      const a = play.ipamOf("a");
      play.begin(() => play.assign(a, "h"));
      const janitor = play.ipamOf("a", play.storeOf("janitor"));
      // As it was a minute ago: an assignment that would make its block may have counted it since.
      play.begin(() => janitor.correctHandle("h", Revision.of("1")));
    },
  },
  {
    name: "a handle that counts too much, corrected while it is assigned once more",
    nodes: ["a"],
    prepare: prepareSurplus,
    begin: (play) => {
      const a = play.ipamOf("a");
      play.begin(() => play.assign(a, "h"));
      play.begin(() => correct(play, "h"));
    },
  },
  {
    name: "a handle that counts too much, corrected while it is released and assigned anew",
    nodes: ["a"],
    prepare: prepareSurplus,
    begin: (play) => {
      const a = play.ipamOf("a");
      play.begin(async () => {
        await play.release(a, "h");
        await play.assign(a, "h");
      });
      play.begin(() => correct(play, "h"));
    },
  },
  {
    name: "an assignment that is written with its endpoint, twice at once, and released",
    nodes: ["a"],
    writings: ["transactions"],
    begin: (play) => {
      for (const actor of ["one", "two"]) {
        const ipam = play.ipamOf("a", play.storeOf(actor));
        play.begin(() => assignWithEntry(play, ipam));
      }
      const third = play.ipamOf("a", play.storeOf("three"));
      play.begin(() => play.release(third, "h"));
    },
  },
  {
    name: "an assignment that goes with its endpoint, while it is released otherwise and made anew",
    nodes: ["a"],
    writings: ["transactions"],
    prepare: async (play) => {
      const store = play.world.immediateStore();
      await play.assign(play.ipamOf("a", store), "h");
      await store.create(endpointKey, "pod");
    },
    begin: (play) => {
      const a = play.ipamOf("a", play.storeOf("del"));
      const b = play.ipamOf("a", play.storeOf("add"));
      const entry = { key: endpointKey, revision: Revision.of("1") };
      play.begin(() => play.ledger.releasing("h", () => a.releaseLast("h", entry)));
      play.begin(async () => {
        await play.release(b, "h");
        await assignWithEntry(play, b);
      });
    },
  },
];

/** One address more counted than held: what an assignment leaves that was stopped between the handle and the block. */
async function prepareSurplus(play: Play): Promise<void> {
  const store = play.world.immediateStore();
  await play.assign(play.ipamOf("a", store), "h");
  const { key, revision } = (await store.get(keys.handle("h"))) ?? assert.fail("no handle");
  await store.update(key, '{"block":{"fd00::/127":2},"deleted":false}', revision);
}

/** What is found to count too much is corrected as it was found: where no block is about to be made, at any moment. */
async function correct(play: Play, handle: string): Promise<void> {
  const janitor = play.ipamOf("a", play.storeOf("janitor"));
  const found = await janitor.surplusOf(handle);
  if (found !== undefined) await janitor.correctHandle(handle, found.revision);
}

/** What the actors look for blocks by: the store itself, or what watches told before it all began and never since. */
const looks = ["", ", by what watches told before"] as const;

await testEach(
  writings
    .flatMap((one) => looks.map((other) => [one, other] as const))
    .flatMap(([writing, look]) =>
      cases
        .filter((one) => one.writings?.includes(writing) !== false)
        .map((one) => ({
          name: `every interleaving, ${writing}${look}: ${one.name}`,
          explore: () =>
            exploreCase(one, writing, ({ world }) => (look === "" ? {} : { watched: world.entries })),
        })),
    ),
);
