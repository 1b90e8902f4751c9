// Aim: when the store is away for one operation of several allocators, and nobody tells whether that has happened, the same
// holds as without: no address has two owners, no block two confirmed affinities, every address is counted by its handle,
// and all that is left can be reclaimed. What was asked for is asked for once more, or not. Method: as in
// interleaving.test.ts, with every operation of every order failing once, both before and after it happened.
import assert from "node:assert/strict";
import { keys, Revision } from "@caracal/datastore";
import type { Ipam, IpamSettings, IpamSnapshot } from "@caracal/ipam";
import { IpAddress, Prefix } from "@caracal/net";
import { type Exploration, explore } from "@caracal/testbed";
import { testEach } from "./test-each.ts";
import { Play, settingsOf, startSeconds, type Writing, writings } from "./play.ts";

const oneBlock = settingsOf("fd00::/127", 127);
const range = Prefix.parse("fd00::/127") ?? assert.fail();

interface Case {
  readonly name: string;
  readonly nodes: readonly string[];
  readonly settings?: IpamSettings;
  /** Those that keep the states few enough; all unless told. */
  readonly writings?: readonly Writing[];
  readonly prepare?: (play: Play) => Promise<void>;
  readonly seconds?: number;
  /** Whose operations fail; anyone's unless told. */
  readonly failing?: string;
  readonly begin: (play: Play) => void;
}

const cases: readonly Case[] = [
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
    name: "a block taken back from an idle node that assigns again",
    writings: ["transactions"],
    nodes: ["a", "b"],
    settings: settingsOf("fd00::/127", 127, true),
    prepare: async (play) => {
      await play.ipamOf("a", play.world.immediateStore()).ensureBlock({ family: 6, use: "Workload" });
    },
    seconds: startSeconds + 61,
    begin: (play) => {
      const a = play.ipamOf("a");
      const b = play.ipamOf("b");
      play.begin(() => play.assign(a, "a1"));
      play.begin(() => play.assign(b, "b1"));
    },
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
      play.begin(() => play.persist(() => b.releaseRange(range)));
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
      play.begin(() => play.persist(() => b.releaseRange(range)));
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

/** Of the endpoint that is written together with an assignment. */
const endpointKey = keys.resource("workloadendpoints", "pod", "default");

async function releaseKnown(
  ipam: Ipam,
  { address, handle }: { readonly address: IpAddress; readonly handle: string },
): Promise<void> {
  await ipam.release({ address, handle });
}

function assignCertain(play: Play, ipam: Ipam, handle: string): Promise<void> {
  return play.ledger.assigning(handle, async () => {
    const result = await ipam.assignAddress({ address: range.address, handle, attributes: {} });
    return result.kind === "assigned" ? [range.address] : [];
  });
}

function assignWithEntry(play: Play, ipam: Ipam): Promise<void> {
  return play.ledger.assigning("h", async () => {
    const together = (address: IpAddress) => ({
      key: endpointKey,
      value: IpAddress.format(address),
      wrote: () => undefined,
    });
    const result = await ipam.assignFirst({ family: 6, handle: "h", attributes: {}, together });
    return result.kind === "assigned" ? result.addresses : [];
  });
}

async function exploreCase(one: Case, writing: Writing): Promise<Exploration> {
  const { settings = oneBlock, nodes, failing } = one;
  const reclaimed = new Map<string, IpamSnapshot>();
  const options = { writing, nodes, settings, reclaimed, mostFailures: 1, failing };
  const prepared = new Play(options);
  await one.prepare?.(prepared);
  return explore(() => {
    const play = new Play({ ...options, world: prepared.world.copy() });
    play.ledger.take(prepared.ledger);
    play.seconds = one.seconds ?? startSeconds;
    one.begin(play);
    return play;
  });
}

await testEach(
  writings.flatMap((writing) =>
    cases
      .filter((one) => one.writings?.includes(writing) !== false)
      .map((one) => ({
        name: `every operation failing once, ${writing}: ${one.name}`,
        explore: () => exploreCase(one, writing),
      })),
  ),
);
