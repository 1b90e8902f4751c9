// Aim: on a real etcd, with real processes that are killed at any moment, no address has two owners, no block two confirmed
// affinities, nothing that was acknowledged is lost, and all that is left behind can be reclaimed. Method: four allocators,
// half of them with transactions and half with single writes, are killed with SIGKILL and started again; the records are
// read at one revision all the while, and compared with the journals in the end. SEED=n chooses the moments.
import assert from "node:assert/strict";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import { type Entry, keys } from "@caracal/datastore";
import { addressState, checkConsistency, Ipam, Nanos, readSnapshot } from "@caracal/ipam";
import { IpAddress, Prefix } from "@caracal/net";
import { EtcdStore } from "@caracal/store-etcd";
import { Dice, eventually, type Program, requireTool, startEtcd, Testbed } from "@caracal/testbed";

const skip = requireTool("etcd", "etcdctl");
const nodes = ["n0", "n1", "n2", "n3"];
const killCount = 24;
const pauseMs = 200;
const ipamRoot = `${keys.root}ipam/v2/`;

interface Allocator {
  readonly node: string;
  readonly journal: string;
  readonly program: Program;
}

function assertSafe(entries: readonly Entry[]): void {
  const unsafe = checkConsistency(readSnapshot(entries)).filter(({ severity }) => severity === "unsafe");
  assert.deepEqual(unsafe, []);
}

/** Addresses that an allocator was told of and has not begun to give back. */
function heldOf(journal: string): readonly (readonly [handle: string, address: string])[] {
  if (!existsSync(journal)) return [];
  const held = new Map<string, string>();
  for (const line of readFileSync(journal, "utf8").split("\n")) {
    const [verb, handle = "", address = ""] = line.split(" ");
    if (verb === "assigned") held.set(handle, address);
    if (verb === "releasing") held.delete(handle);
  }
  return [...held];
}

test("allocators on etcd that are killed at any moment", { skip }, async (t) => {
  const seed = Number(process.env.SEED ?? 7);
  t.diagnostic(`SEED=${seed}`);
  const random = new Dice(seed).next;
  await using bed = Testbed.create();
  const { endpoint } = await startEtcd(bed);
  const directory = bed.directory("journals");
  const journals: string[] = [];
  const script = join(import.meta.dirname, "allocator-process.ts");
  let starts = 0;
  const start = async (node: string): Promise<Allocator> => {
    starts += 1;
    const journal = join(directory, `${node}-${starts}`);
    journals.push(journal);
    const writing = nodes.indexOf(node) % 2 === 0 ? "transactions" : "single";
    const argv = [process.execPath, script, endpoint, node, journal, String(starts), writing];
    return { node, journal, program: await bed.start(argv) };
  };
  const store = new EtcdStore({ endpoints: [endpoint] });
  t.after(() => store.close());
  const allocators = await Promise.all(nodes.map(start));
  for (let kill = 0; kill < killCount; kill += 1) {
    const index = Math.floor(random() * nodes.length);
    const victim = allocators[index];
    assert.ok(victim !== undefined);
    // However long programs take to start here, it is killed at work.
    await eventually(() => existsSync(victim.journal), { what: victim.journal });
    await delay(pauseMs * (0.5 + random()));
    assert.ok(victim.program.isRunning, victim.program.output);
    victim.program.signal("SIGKILL");
    await victim.program.exited;
    assertSafe((await store.list(ipamRoot)).entries);
    allocators[index] = await start(victim.node);
  }
  for (const { program } of allocators) program.signal("SIGKILL");
  await Promise.all(allocators.map(({ program }) => program.exited));

  const { entries } = await store.list(ipamRoot);
  assertSafe(entries);
  const { blocks, handles } = readSnapshot(entries);
  const acknowledged = journals.flatMap(heldOf);
  t.diagnostic(`${starts} processes, ${acknowledged.length} addresses held, ${handles.length} handles`);
  assert.ok(acknowledged.length > nodes.length, "the allocators did next to nothing");
  assert.equal(new Set(acknowledged.map(([, address]) => address)).size, acknowledged.length);
  for (const [handle, text] of acknowledged) {
    const address = IpAddress.parse(text);
    assert.ok(address !== undefined);
    const block = blocks.find(({ cidr }) => Prefix.contains(cidr, address));
    const state = addressState(block?.record, address);
    assert.equal(state.kind === "allocated" ? state.handle : state.kind, handle, text);
  }

  let seconds = 0;
  const now = (): Nanos => Nanos.of((BigInt(Date.now()) + BigInt(seconds * 1000)) * 1_000_000n);
  const janitor = new Ipam({ store, node: "janitor", now });
  // What a handle counts too much may be under way for a minute.
  for (let turn = 0; turn < 3; turn += 1) {
    for (const { id } of handles) await janitor.releaseHandle(id);
    seconds += 61;
  }
  for (const node of nodes) await janitor.releaseNode(node);
  assert.deepEqual((await store.list(ipamRoot)).entries, [], "records that nothing removes");
});
