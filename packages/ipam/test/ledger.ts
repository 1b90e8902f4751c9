/** What the actors of a world were told that they have, and the checks of that against the store. */
import assert from "node:assert/strict";
import { keys } from "@caracal/datastore";
import { addressState, checkConsistency, type Ipam, type IpamSnapshot, readSnapshot } from "@caracal/ipam";
import { IpAddress, Prefix } from "@caracal/net";
import type { SteppedWorld } from "@caracal/testbed";

/** Addresses that were given out and not asked back since. */
export class Ledger {
  readonly #holders = new Map<string, { readonly address: IpAddress; readonly handle: string }>();
  /** How many releases of a handle have begun, and how many of them run. */
  readonly #releases = new Map<string, { begun: number; running: number }>();
  readonly handles = new Set<string>();

  /** What is known of before. */
  take(earlier: Ledger): void {
    for (const [text, holder] of earlier.#holders) this.#holders.set(text, holder);
  }

  /** Whatever an assignment gives is the handle's, unless a release of that handle may have taken it back already. */
  async assigning(handle: string, assign: () => Promise<readonly IpAddress[]>): Promise<void> {
    this.handles.add(handle);
    const before = this.#releasesOf(handle).begun;
    const wasFree = this.#releasesOf(handle).running === 0;
    const addresses = await assign();
    if (!wasFree || this.#releasesOf(handle).begun !== before) return;
    for (const address of addresses) {
      const text = IpAddress.format(address);
      const holder = this.#holders.get(text)?.handle;
      assert.equal(holder, undefined, `${text} was given to ${handle} and is ${String(holder)}'s`);
      this.#holders.set(text, { address, handle });
    }
  }

  /** All that the handle has may go from now on. */
  async releasing(handle: string, release: () => Promise<unknown>): Promise<void> {
    for (const [text, holder] of this.#holders) if (holder.handle === handle) this.#holders.delete(text);
    await this.#during(handle, release);
  }

  /** One address of some handle may go from now on, also when the handle should get it once more meanwhile. */
  async releasingOne(
    pick: (count: number) => number,
    release: (holder: { readonly address: IpAddress; readonly handle: string }) => Promise<unknown>,
  ): Promise<void> {
    const all = [...this.#holders.values()];
    const holder = all.length === 0 ? undefined : all[pick(all.length)];
    if (holder === undefined) return;
    this.#holders.delete(IpAddress.format(holder.address));
    await this.#during(holder.handle, () => release(holder));
  }

  async #during(handle: string, release: () => Promise<unknown>): Promise<void> {
    const releases = this.#releasesOf(handle);
    releases.begun += 1;
    releases.running += 1;
    try {
      await release();
    } finally {
      releases.running -= 1;
    }
  }

  /** Throws when the store contradicts what anyone was told. */
  check(snapshot: IpamSnapshot): void {
    for (const { address, handle } of this.#holders.values()) {
      const block = snapshot.blocks.find(({ cidr }) => Prefix.contains(cidr, address));
      const state = addressState(block?.record, address);
      const holder = state.kind === "allocated" ? state.handle : state.kind;
      assert.equal(
        holder,
        handle,
        `${IpAddress.format(address)} was given to ${handle} and is ${String(holder)}'s`,
      );
    }
  }

  #releasesOf(handle: string): { begun: number; running: number } {
    const known = this.#releases.get(handle) ?? { begun: 0, running: 0 };
    this.#releases.set(handle, known);
    return known;
  }
}

/** The records of a world; throws when they contradict each other. */
export function readSafe(world: SteppedWorld): IpamSnapshot {
  const snapshot = readSnapshot(world.entries);
  const unsafe = checkConsistency(snapshot).filter(({ severity }) => severity === "unsafe");
  assert.deepEqual(unsafe, []);
  return snapshot;
}

/**
 * Releases every handle and every node's blocks, and says that no record is left. A handle may go on to count a block that
 * somebody may be about to make; `pass` lets the time pass after which nobody can be.
 */
export async function assertReclaimable(
  world: SteppedWorld,
  ipam: Ipam,
  nodes: readonly string[],
  pass: () => void,
  resting: Prefix | undefined,
): Promise<void> {
  for (let turn = 0; turn < 3; turn += 1) {
    const handles = readSnapshot(world.entries).handles.map(({ id }) => id);
    for (const handle of handles) await ipam.releaseHandle(handle);
    if (handles.length > 0) pass();
  }
  for (const node of nodes) await ipam.releaseNode(node);
  // Nobody's blocks in which addresses rest go with their pool.
  if (resting !== undefined) await ipam.releaseRange(resting);
  const left = world.entries.filter(({ key }) => keys.parse(key)?.kind !== "resource").map(({ key }) => key);
  assert.deepEqual(left, [], "records that nothing removes");
}
