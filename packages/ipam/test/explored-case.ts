/** Small cases that are explored completely, and what actors do in several of them. */
import assert from "node:assert/strict";
import { keys } from "@caracal/datastore";
import type { Ipam, IpamSettings, IpamSnapshot } from "@caracal/ipam";
import { IpAddress, Prefix } from "@caracal/net";
import { type Exploration, explore } from "@caracal/testbed";
import { Play, type PlayOptions, settingsOf, startSeconds, type Writing } from "./play.ts";

const oneBlock = settingsOf("fd00::/127", 127);

/** All addresses of a case's pool. */
export const poolRange = Prefix.parse("fd00::/127") ?? assert.fail();

export interface ExploredCase {
  readonly name: string;
  readonly nodes: readonly string[];
  /** A pool of one block unless told. */
  readonly settings?: IpamSettings;
  /** Those that keep the states few enough; all unless told. */
  readonly writings?: readonly Writing[];
  /** Done before the exploration. */
  readonly prepare?: (play: Play) => Promise<void>;
  /** When the actors begin, where that is not when the world was prepared. */
  readonly seconds?: number;
  /** Whose operations fail, where some do; anyone's unless told. */
  readonly failing?: string;
  readonly begin: (play: Play) => void;
}

/** Explores a case. `optionsFor` gives what its plays have besides, by the world as it was prepared. */
export async function exploreCase(
  one: ExploredCase,
  writing: Writing,
  optionsFor: (prepared: Play) => Partial<PlayOptions>,
): Promise<Exploration> {
  const { settings = oneBlock, nodes, failing } = one;
  const reclaimed = new Map<string, IpamSnapshot>();
  const options: PlayOptions = { writing, nodes, settings, reclaimed, failing };
  const prepared = new Play(options);
  await one.prepare?.(prepared);
  const others = optionsFor(prepared);
  return explore(() => {
    const play = new Play({ ...options, ...others, world: prepared.world.copy() });
    play.ledger.take(prepared.ledger);
    play.seconds = one.seconds ?? startSeconds;
    one.begin(play);
    return play;
  });
}

/** The reclaiming node finds no free block, and the idle one begins to assign again at any moment of it. */
export const takenBack: Omit<ExploredCase, "name"> = {
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
};

/** Of the endpoint that is written together with an assignment. */
export const endpointKey: string = keys.resource("workloadendpoints", "pod", "default");

/** The first address of the pool and no other. */
export function assignCertain(play: Play, ipam: Ipam, handle: string): Promise<void> {
  const { address } = poolRange;
  return play.ledger.assigning(handle, async () => {
    const result = await ipam.assignAddress({ address, handle, attributes: {} });
    return result.kind === "assigned" ? [address] : [];
  });
}

export function assignWithEntry(play: Play, ipam: Ipam): Promise<void> {
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
