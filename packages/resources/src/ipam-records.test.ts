/**
 * Aim: IPAM records keep every value of the store, in old and new forms.
 * Method: records as Calico writes them, read and written back.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import {
  type AllocationAttribute,
  type AllocationBlock,
  AllocationBlockCodec,
  BlockAffinityCodec,
  defaultIpamConfig,
  IpamConfigCodec,
  IpamHandleCodec,
} from "./ipam-records.ts";
import { writeJson } from "./json-text.ts";
import { describeProblems } from "./problem.ts";
import type { Reading } from "./schema-reader.ts";

function value<T>(reading: Reading<T>): T {
  if (reading.kind === "bad") assert.fail(describeProblems(reading.problems));
  return reading.value;
}

test("a block reads and writes without losing a digit of its sequence numbers", () => {
  const text =
    '{"cidr":"10.244.120.64/30","affinity":"host:minikube","affinity_claim_time":"2026-01-02T03:04:05Z",' +
    '"allocations":[0,1,null,null],"unallocated":[2,3],"attributes":[{"handle_id":"ipip-tunnel-addr-minikube",' +
    '"secondary":{"node":"minikube","type":"ipipTunnelAddress"}},{"handle_id":"k8s-pod-network.c1"}],' +
    '"sequenceNumber":1716000000000000001,"sequenceNumberForAllocation":{"0":3,"1":1716000000000000000},"deleted":false}';
  const block = value(AllocationBlockCodec.parse(text));
  assert.equal(block.sequenceNumber, 1716000000000000001n);
  assert.equal(AllocationBlockCodec.serialise(block), text);
});

test("an owner that only the old field names is one, also where the new one is null", () => {
  for (const newer of ["", '"affinity":null,', '"affinity":"",']) {
    const text = `{"cidr":"10.0.0.0/31",${newer}"hostAffinity":"n1","allocations":[null,null]}`;
    const reading = AllocationBlockCodec.parse(text);
    assert.equal(reading.kind === "ok" && reading.value.affinity, "host:n1", newer);
    // Who gives the block up leaves no owner, neither by the new name nor by the old one.
    if (reading.kind === "ok")
      assert.doesNotMatch(AllocationBlockCodec.serialise(reading.value), /hostAffinity/);
  }
});

test("old blocks are understood: hostAffinity, null handles, missing counters, unknown fields", () => {
  const block = value(
    AllocationBlockCodec.parse(
      '{"cidr":"10.0.0.0/30","hostAffinity":"n1","strictAffinity":false,"allocations":[0,null,null,null],' +
        '"unallocated":[1,2,3],"attributes":[{"handle_id":null,"secondary":null}]}',
    ),
  );
  assert.deepEqual(block, {
    cidr: "10.0.0.0/30",
    affinity: "host:n1",
    allocations: [0, null, null, null],
    unallocated: [1, 2, 3],
    attributes: [{}],
    deleted: false,
    sequenceNumber: 0n,
    sequenceNumberForAllocation: {},
  });
});

test("what a newer Calico wrote into a block stays there", () => {
  const text =
    '{"cidr":"10.0.0.0/31","affinity":"host:n1","allocations":[0,1],"unallocated":[],"attributes":[' +
    '{"handle_id":"vm","secondary":{"pod":"a"},"alternate":{"pod":"b","n":9007199254740993}},{"later":null}],' +
    '"sequenceNumber":7,"sequenceNumberForAllocation":{},"deleted":false,"later":[{"x":1}]}';
  const block = value(AllocationBlockCodec.parse(text));
  assert.equal(AllocationBlockCodec.serialise(block), text);
  const changed = { ...block, sequenceNumber: 8n, attributes: [...block.attributes] };
  assert.equal(AllocationBlockCodec.serialise(changed), text.replace('r":7', 'r":8'));
});

test("a block that Go wrote with nulls for what is empty", () => {
  const block = value(
    AllocationBlockCodec.parse(
      '{"cidr":"fd00::/127","affinity":null,"allocations":[null,null],"unallocated":[0,1],"attributes":null,' +
        '"sequenceNumber":18446744073709551615,"sequenceNumberForAllocation":null,"deleted":false}',
    ),
  );
  assert.equal(
    AllocationBlockCodec.serialise(block),
    '{"cidr":"fd00::/127","affinity":null,"allocations":[null,null],"unallocated":[0,1],"attributes":[],' +
      '"sequenceNumber":18446744073709551615,"sequenceNumberForAllocation":{},"deleted":false}',
  );
});

test("a handle ends where a move from host-local left a carriage return", () => {
  const block = value(
    AllocationBlockCodec.parse(
      '{"cidr":"10.0.0.0/31","allocations":[0,null],"attributes":[{"handle_id":"k8s-pod-network.c1\\r\\neth0"}]}',
    ),
  );
  assert.deepEqual(block.attributes, [{ handle_id: "k8s-pod-network.c1" }]);
});

test("a block's maps are sorted and its texts escaped as Go does", () => {
  const text =
    '{"cidr":"10.0.0.0/28","affinity":null,"allocations":[0],"unallocated":[],"attributes":[{"handle_id":"a\\u003cb\\u0026c",' +
    '"secondary":{"a":"1","b":"2"}}],"sequenceNumber":1,"sequenceNumberForAllocation":{"10":1,"2":2},"deleted":false}';
  const block = value(AllocationBlockCodec.parse(text));
  assert.equal(block.attributes[0]?.handle_id, "a<b&c");
  const attributes = [{ handle_id: "a<b&c", secondary: { b: "2", a: "1" } }];
  assert.equal(AllocationBlockCodec.serialise({ ...block, attributes }), text);
});

const int64 = fc.bigInt({ min: 0n, max: (1n << 63n) - 1n });
const texts = fc.dictionary(fc.stringMatching(/^[a-z]{1,8}$/), fc.string());
const attribute = fc.record({ handle_id: fc.string({ minLength: 1 }), secondary: texts });

function blockWith(attributes: fc.Arbitrary<AllocationAttribute[]>): fc.Arbitrary<AllocationBlock> {
  return fc.record({
    cidr: fc.constantFrom("10.244.0.0/28", "10.244.0.16/28"),
    affinity: fc.constant("host:n1"),
    allocations: fc.array(fc.option(fc.nat({ max: 3 })), { minLength: 14, maxLength: 16 }),
    unallocated: fc.array(fc.nat({ max: 15 })),
    attributes,
    deleted: fc.boolean(),
    sequenceNumber: int64,
    sequenceNumberForAllocation: fc.dictionary(
      fc.oneof(fc.nat({ max: 15 }).map(String), fc.constantFrom("99", "x<y")),
      fc.oneof(int64, fc.constantFrom(1n, 2n)),
    ),
  });
}

test("random blocks survive the store", () => {
  fc.assert(
    fc.property(blockWith(fc.array(attribute)), (one) => {
      const read = value(AllocationBlockCodec.parse(AllocationBlockCodec.serialise(one)));
      assert.equal(AllocationBlockCodec.serialise(read), AllocationBlockCodec.serialise(one));
    }),
  );
});

/** A block's text from nothing: it has its maps sorted, and no character to be escaped. */
function plainText({ sequenceNumberForAllocation: sequences, deleted, ...rest }: AllocationBlock): string {
  const sorted = Object.entries(sequences).toSorted(([a], [b]) => (a < b ? -1 : 1));
  const members = sorted.map(([key, number]) => `${JSON.stringify(key)}:${number}`);
  const map = `{${members.join(",")}}`.replace("<", String.raw`\u003c`);
  return `${writeJson(rest).slice(0, -1)},"sequenceNumberForAllocation":${map},"deleted":${deleted}}`;
}

/** What assignments and releases do to a block, and what neither does. */
interface Change {
  readonly added: AllocationAttribute[];
  readonly removed: readonly number[];
  readonly isReversed: boolean;
  readonly numbered: readonly number[];
  readonly unnumbered: readonly number[];
  readonly number: bigint;
  /** Which of the texts so far the next one is made with. */
  readonly before: number;
}

function changed(block: AllocationBlock, change: Change): AllocationBlock {
  const kept = block.attributes.filter((_, place) => !change.removed.includes(place));
  const attributes = change.isReversed ? [...change.added, ...kept.toReversed()] : [...kept, ...change.added];
  const sequences = { ...block.sequenceNumberForAllocation };
  for (const ordinal of change.numbered) sequences[ordinal] = change.number;
  for (const ordinal of change.unnumbered) delete sequences[ordinal];
  return { ...block, attributes, sequenceNumberForAllocation: sequences };
}

test("whatever text a block's is made with, it is the one made from nothing", () => {
  const owners = fc.array(
    fc.constantFrom("a", "b", "c").map((name) => ({ handle_id: name })),
    { maxLength: 3 },
  );
  const ordinals = fc.uniqueArray(fc.nat({ max: 15 }), { maxLength: 10 });
  const rarely = <T>(values: fc.Arbitrary<T[]>): fc.Arbitrary<T[]> =>
    fc.oneof({ weight: 3, arbitrary: fc.constant<T[]>([]) }, values);
  const change = fc.record({
    added: owners,
    removed: rarely(fc.array(fc.nat({ max: 8 }), { maxLength: 3 })),
    isReversed: fc.integer({ min: 0, max: 9 }).map((one) => one === 0),
    numbered: ordinals,
    unnumbered: rarely(ordinals),
    number: fc.oneof(int64, fc.constantFrom(1n, 2n)),
    before: fc.nat({ max: 20 }),
  });
  fc.assert(
    fc.property(
      blockWith(owners),
      blockWith(owners),
      fc.array(change, { maxLength: 12 }),
      (one, other, changes) => {
        const { write } = AllocationBlockCodec;
        const texts = [write(one), write(other)];
        let block = one;
        for (const next of changes) {
          block = changed(block, next);
          const written = write(block, texts[next.before % texts.length]);
          assert.equal(written.text, plainText(block));
          texts.push(written);
        }
      },
    ),
    { numRuns: 300 },
  );
});

test("affinities: an empty record is confirmed", () => {
  assert.deepEqual(value(BlockAffinityCodec.parse("")), { state: "confirmed", deleted: false });
  assert.deepEqual(value(BlockAffinityCodec.parse('{"state":"","deleted":false}')), {
    state: "confirmed",
    deleted: false,
  });
  assert.equal(
    BlockAffinityCodec.serialise({ state: "pending", deleted: false }),
    '{"state":"pending","deleted":false}',
  );
  assert.equal(BlockAffinityCodec.parse('{"state":"maybe"}').kind, "bad");
});

test("handles count addresses by block", () => {
  const text = '{"block":{"10.244.120.64/26":1},"deleted":false}';
  assert.equal(IpamHandleCodec.serialise(value(IpamHandleCodec.parse(text))), text);
});

test("settings omit zero values, and an absent key is false", () => {
  assert.equal(IpamConfigCodec.serialise(defaultIpamConfig), '{"auto_allocate_blocks":true}');
  assert.equal(value(IpamConfigCodec.parse("{}")).auto_allocate_blocks, false);
  const strict = { ...defaultIpamConfig, strict_affinity: true, maxBlocksPerHost: 4 };
  assert.equal(
    IpamConfigCodec.serialise(strict),
    '{"strict_affinity":true,"auto_allocate_blocks":true,"maxBlocksPerHost":4}',
  );
  assert.deepEqual(value(IpamConfigCodec.parse(IpamConfigCodec.serialise(strict))), strict);
});

test("text that is not JSON is a problem, not an exception", () => {
  for (const text of ["{", "nonsense", "[1,"]) assert.equal(AllocationBlockCodec.parse(text).kind, "bad");
  for (const text of ["[]", "1", "null", "{}"]) assert.equal(AllocationBlockCodec.parse(text).kind, "bad");
});
