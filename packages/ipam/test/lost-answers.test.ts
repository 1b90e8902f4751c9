// Aim: when the store is away for one operation of several allocators, and nobody tells whether that has happened, the same
// holds as without: no address has two owners, no block two confirmed affinities, every address is counted by its handle,
// and all that is left can be reclaimed. What was asked for is asked for once more, or not. Method: as in
// interleaving.test.ts, with every operation of every order failing once, both before and after it happened.
import { Revision } from "@caracal/datastore";
import type { Ipam } from "@caracal/ipam";
import type { IpAddress } from "@caracal/net";
import {
  assignCertain,
  assignWithEntry,
  endpointKey,
  type ExploredCase,
  exploreCase,
  poolRange,
  takenBack,
} from "./explored-case.ts";
import { writings } from "./play.ts";
import { testEach } from "./test-each.ts";

const cases: readonly ExploredCase[] = [
  {
    name: "an assignment that is repeated, and released, beside another node's",
    writings: ["transactions", "mixed"],
    nodes: ["a", "b"],
    begin: (play) => {
      const a = play.ipamOf("a");
      const b = play.ipamOf("b");
      play.begin(async () => {
        await play.persist(() => play.assign(a, "a1"));
        await play.persist(() => play.release(a, "a1"));
      });
      play.begin(() => play.assign(b, "b1"));
    },
  },
  {
    name: "an assignment that is repeated while the node's blocks are given up by another",
    writings: ["transactions", "mixed"],
    nodes: ["a", "b"],
    begin: (play) => {
      const a = play.ipamOf("a");
      const b = play.ipamOf("b");
      play.begin(() => play.persist(() => play.assign(a, "a1")));
      play.begin(() => play.persist(() => b.releaseNode("a")));
    },
  },
  {
    name: "a release that is repeated while another assigns to the same handle",
    writings: ["transactions", "single writes", "mixed"],
    nodes: ["a", "b"],
    prepare: async (play) => {
      await play.assign(play.ipamOf("a", play.world.immediateStore()), "h");
    },
    begin: (play) => {
      const a = play.ipamOf("a");
      const b = play.ipamOf("b");
      play.begin(() => play.persist(() => play.release(a, "h")));
      play.begin(() => play.assign(b, "h"));
    },
  },
  {
    name: "a release by address that is repeated while another assigns",
    nodes: ["a", "b"],
    prepare: async (play) => {
      await play.assign(play.ipamOf("a", play.world.immediateStore()), "h");
    },
    begin: (play) => {
      const a = play.ipamOf("a");
      const b = play.ipamOf("b");
      const releasing = (holder: { readonly address: IpAddress; readonly handle: string }) =>
        play.persist(() => releaseKnown(a, holder));
      play.begin(() => play.ledger.releasingOne(() => 0, releasing));
      play.begin(() => play.assign(b, "b1"));
    },
  },
  {
    ...takenBack,
    name: "a block taken back from an idle node that assigns again",
    writings: ["transactions"],
  },
  {
    name: "a release that is repeated while the range is given up",
    nodes: ["a", "b"],
    prepare: async (play) => {
      await play.assign(play.ipamOf("a", play.world.immediateStore()), "h");
    },
    begin: (play) => {
      const a = play.ipamOf("a");
      const b = play.ipamOf("b");
      play.begin(() => play.persist(() => play.release(a, "h")));
      play.begin(() => play.persist(() => b.releaseRange(poolRange)));
    },
  },
  {
    name: "an assignment that is repeated beside another, on stores without transactions",
    nodes: ["a", "b"],
    writings: ["single writes", "elided writes"],
    failing: "a",
    begin: (play) => {
      const a = play.ipamOf("a");
      const b = play.ipamOf("b");
      play.begin(() => play.persist(() => play.assign(a, "a1")));
      play.begin(() => play.assign(b, "b1"));
    },
  },
  {
    name: "a certain address asked for by two",
    nodes: ["a", "b"],
    begin: (play) => {
      for (const node of play.nodes) {
        const ipam = play.ipamOf(node);
        play.begin(() => play.persist(() => assignCertain(play, ipam, node)));
      }
    },
  },
  {
    name: "a range given up while a block of it is claimed",
    writings: ["transactions", "mixed"],
    nodes: ["a", "b"],
    begin: (play) => {
      const a = play.ipamOf("a");
      const b = play.ipamOf("b");
      play.begin(() => play.persist(() => a.ensureBlock({ family: 6, use: "Workload" })));
      play.begin(() => play.persist(() => b.releaseRange(poolRange)));
    },
  },
  {
    name: "an assignment that is written with its endpoint, and what a failed one leaves",
    nodes: ["a"],
    writings: ["transactions"],
    begin: (play) => {
      const add = play.ipamOf("a", play.storeOf("add"));
      const other = play.ipamOf("a", play.storeOf("other"));
      play.begin(async () => {
        await play.persist(() => assignWithEntry(play, add));
        await play.persist(() => play.release(add, "h"));
      });
      play.begin(() => play.assign(other, "o"));
    },
  },
  {
    name: "an assignment that goes with its endpoint while its handle is assigned anew",
    nodes: ["a"],
    writings: ["transactions"],
    prepare: async (play) => {
      const store = play.world.immediateStore();
      await play.assign(play.ipamOf("a", store), "h");
      await store.create(endpointKey, "pod");
    },
    begin: (play) => {
      const del = play.ipamOf("a", play.storeOf("del"));
      const add = play.ipamOf("a", play.storeOf("add"));
      const entry = { key: endpointKey, revision: Revision.of("1") };
      play.begin(() => play.persist(() => play.ledger.releasing("h", () => del.releaseLast("h", entry))));
      play.begin(() => play.assign(add, "h"));
    },
  },
];

async function releaseKnown(
  ipam: Ipam,
  { address, handle }: { readonly address: IpAddress; readonly handle: string },
): Promise<void> {
  await ipam.release({ address, handle });
}

await testEach(
  writings.flatMap((writing) =>
    cases
      .filter((one) => one.writings?.includes(writing) !== false)
      .map((one) => ({
        name: `every operation failing once, ${writing}: ${one.name}`,
        explore: () => exploreCase(one, writing, () => ({ mostFailures: 1 })),
      })),
  ),
);
