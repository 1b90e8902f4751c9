/** The typed-array tables against plain maps, under random operations. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { type IpAddress, Ipv4, Ipv6, Prefix } from "@caracal/net";
import fc from "fast-check";
import { seeded } from "../../test/seeded.ts";
import { type PrefixWords, prefixWords } from "../wire/nlri.ts";
import { type PathAttributes } from "../wire/path-attributes.ts";
import { AttributeTable } from "./attribute-table.ts";
import { ByteStore } from "./byte-store.ts";
import { PrefixSlots } from "./prefix-slots.ts";
import { Rib } from "./rib.ts";

function anyPrefix(family: 4 | 6, random: () => number): Prefix {
  const bits = family === 4 ? 32 : 128;
  // Few distinct values, so that the same prefix comes often.
  const value = Math.floor(random() * 300);
  const address: IpAddress =
    family === 4 ? Ipv4.of(value << 8) : Ipv6.of((BigInt(value) << 72n) | BigInt(value % 3));
  return Prefix.of(address, bits - (value % 4));
}

for (const family of [4, 6] as const) {
  test(`prefix slots of IPv${family} behave as a map from prefix to number`, () => {
    fc.assert(
      fc.property(fc.nat(), (seed) => {
        const random = seeded(seed);
        const slots = new PrefixSlots(family);
        const model = new Map<string, { slot: number; prefix: Prefix }>();
        for (let step = 0; step < 400; step += 1) {
          const prefix = anyPrefix(family, random);
          const key = Prefix.key(prefix);
          const known = model.get(key);
          assert.equal(slots.find(prefixWords(prefix)), known?.slot ?? 0);
          if (known !== undefined && random() < 0.4) {
            slots.drop(known.slot);
            model.delete(key);
            continue;
          }
          model.set(key, { slot: slots.take(prefixWords(prefix)), prefix });
        }
        assert.equal(slots.size, model.size);
        const given = new Set<number>();
        for (const { slot, prefix } of model.values()) {
          assert.ok(slots.has(slot) && !given.has(slot));
          given.add(slot);
          assert.ok(Prefix.equals(slots.prefix(slot), prefix));
        }
      }),
      { numRuns: 30 },
    );
  });
}

test("a byte store keeps its strings through growth and the closing of gaps", () => {
  const random = seeded(3);
  const store = new ByteStore();
  const model = new Map<number, Uint8Array>();
  for (let step = 0; step < 20_000; step += 1) {
    const id = Math.floor(random() * 600);
    if (model.delete(id)) {
      store.delete(id);
      continue;
    }
    const bytes = Uint8Array.from({ length: 1 + Math.floor(random() * 300) }, () => random() * 256);
    store.set(id, Uint8Array.of(0, ...bytes, 0), 1, bytes.length + 1);
    model.set(id, bytes);
  }
  for (const [id, bytes] of model) {
    assert.deepEqual(store.get(id), bytes);
    assert.ok(store.equals(id, bytes, 0, bytes.length));
    assert.ok(!store.equals(id, bytes, 1, bytes.length));
  }
});

test("equal attribute sets have one id, which lives as long as somebody retains it", () => {
  const table = new AttributeTable();
  const set = (med: number): PathAttributes => ({
    origin: 0,
    asPath: [{ kind: "sequence", asns: [1, 2] }],
    med,
  });
  const ids = Array.from({ length: 200 }, (_, med) => table.intern(set(med)));
  assert.equal(new Set(ids).size, 200);
  assert.deepEqual(
    Array.from({ length: 200 }, (_, med) => table.intern(set(med))),
    ids,
  );
  for (const id of ids.slice(0, 100)) table.retain(id);
  const forgotten: number[] = [];
  table.collect((id) => forgotten.push(id));
  assert.deepEqual(new Set(forgotten), new Set(ids.slice(100)));
  assert.equal(table.size, 100);
  assert.equal(table.intern(set(5)), ids[5]);
  assert.throws(() => table.get(ids[150] ?? 0), RangeError);
  table.release(ids[0] ?? 0);
  assert.throws(() => table.release(ids[0] ?? 0), RangeError);
  assert.equal(table.pathLength(ids[5] ?? 0), 2);
});

test("a table that everything was removed from is empty, and gives its prefixes back", () => {
  const attributes = new AttributeTable();
  const rib = new Rib(4, attributes);
  const random = seeded(9);
  const rows: number[] = [];
  for (let step = 0; step < 500; step += 1) {
    const row = rib.take(prefixWords(anyPrefix(4, random)), 1 + Math.floor(random() * 5), 0);
    if (rib.rows.received(row) !== 0) continue;
    const id = attributes.intern({ origin: 0, asPath: [], med: Math.floor(random() * 10) });
    rib.setReceived(row, id, 1);
    rib.setAccepted(row, id);
    rows.push(row);
  }
  for (const row of rows) rib.remove(row);
  for (const slot of rib.takeDirty()) {
    rib.setBest(slot, 0, false);
    rib.settle(slot);
  }
  attributes.collect(() => undefined);
  assert.deepEqual([rib.rows.size, rib.slots.size, attributes.size], [0, 0, 0]);
});

/** Host prefixes whose places in a table with the default seed are a few neighbouring ones: the hash is no secret, and can be undone. */
function crowd(count: number): PrefixWords[] {
  const mask = (1 << 15) - 1;
  const found: PrefixWords[] = [];
  for (let line = 0; found.length < count; line += 1) {
    const multiplied = Math.imul(line + 1, 0x85ebca6b) ^ (32 * 0x9e3779b1);
    const mixed = Math.imul(multiplied ^ (multiplied >>> 15), 0x2c1b3c6d);
    if (((mixed ^ (mixed >>> 13)) & mask) < 64)
      found.push({ w0: (line << 3) >>> 0, w1: 0, w2: 0, w3: 0, length: 32 });
  }
  return found;
}

test("prefixes that a peer chooses to crowd one place are spread by a seed that it cannot know", () => {
  const prefixes = crowd(5000);
  const [known, secret] = [new PrefixSlots(4), new PrefixSlots(4, 123_456_789)];
  for (const prefix of prefixes) {
    known.take(prefix);
    secret.take(prefix);
  }
  assert.ok(known.longestRun > 4000, `${known.longestRun}: the places are as foreseen`);
  assert.ok(secret.longestRun < 200, `${secret.longestRun} in a run`);
  for (const prefix of prefixes) assert.equal(secret.find(prefix), known.find(prefix));
});
