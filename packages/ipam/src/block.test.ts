// Aim: the block model is Calico's. Method: fixed cases of its JSON, and random programs of assignments and releases
// against a plain map from ordinal to owner and a plain queue.
import assert from "node:assert/strict";
import { test } from "node:test";
import { Prefix } from "@caracal/net";
import { AllocationBlockCodec } from "@caracal/resources";
import fc from "fast-check";
import {
  assignFree,
  assignOrdinal,
  attributeOf,
  countByHandle,
  endCooldown,
  hasFreeAddress,
  isEmptyBlock,
  newBlock,
  ordinalsOf,
  releaseOrdinals,
  windowsReservedHandle,
  written,
} from "./block.ts";
import { Nanos } from "./timestamp.ts";

const now = Nanos.fromSeconds(1_767_323_045);
const none = (): boolean => false;

function blockOfEight(): ReturnType<typeof newBlock> {
  const cidr = Prefix.parse("10.244.120.64/29");
  assert.ok(cidr !== undefined);
  return newBlock(cidr, "host:minikube", now);
}

test("a new block has Calico's JSON", () => {
  const json = AllocationBlockCodec.serialise(blockOfEight());
  assert.equal(
    json,
    '{"cidr":"10.244.120.64/29","affinity":"host:minikube","affinity_claim_time":"2026-01-02T03:04:05Z",' +
      '"allocations":[null,null,null,null,null,null,null,null],"unallocated":[0,1,2,3,4,5,6,7],"attributes":[],' +
      '"sequenceNumber":1767323045000000000,"sequenceNumberForAllocation":{},"deleted":false}',
  );
});

test("addresses come from the front of the queue and go back to its end", () => {
  const owner = { handle: "h", attributes: { node: "n" } };
  const assigned = assignFree(blockOfEight(), [{ ...owner, count: 3 }], none);
  assert.deepEqual(assigned.ordinals, [[0, 1, 2]]);
  const released = releaseOrdinals(assigned.block, [1]);
  assert.deepEqual(released.unallocated, [3, 4, 5, 6, 7, 1]);
  assert.deepEqual(released.allocations.slice(0, 3), [0, null, 0]);
});

test("allocations with the same handle and attributes share one entry", () => {
  const first = { handle: "h", attributes: { pod: "a", node: "n" }, count: 1 };
  const same = { handle: "h", attributes: { node: "n", pod: "a" }, count: 2 };
  const other = { handle: "h", attributes: { pod: "b", node: "n" }, count: 1 };
  const { block } = assignFree(blockOfEight(), [first, same, other], none);
  assert.deepEqual(block.allocations.slice(0, 4), [0, 0, 0, 1]);
  assert.equal(block.attributes.length, 2);
});

test("entries that nobody needs go, and the others move up", () => {
  const want = (handle: string): { handle: string; attributes: Record<string, string>; count: number } => ({
    handle,
    attributes: {},
    count: 1,
  });
  const { block } = assignFree(blockOfEight(), [want("a"), want("b"), want("c")], none);
  const released = releaseOrdinals(block, [0, 1]);
  assert.deepEqual(
    released.attributes.map(({ handle_id }) => handle_id),
    ["c"],
  );
  assert.deepEqual(released.allocations.slice(0, 3), [null, null, 0]);
});

test("every write has its own sequence number, and an ordinal remembers the one it was given at", () => {
  const first = assignOrdinal(blockOfEight(), 5, { handle: "h", attributes: {} });
  assert.equal(first.sequenceNumberForAllocation["5"], now);
  const second = releaseOrdinals(written(first), [5]);
  assert.equal(second.sequenceNumberForAllocation["5"], now + 1n);
  assert.equal(written(second).sequenceNumber, now + 2n);
});

test("reserved addresses keep their place in the queue", () => {
  const isReserved = (ordinal: number): boolean => ordinal < 2;
  const { block, ordinals } = assignFree(
    blockOfEight(),
    [{ handle: "h", attributes: {}, count: 9 }],
    isReserved,
  );
  assert.deepEqual(ordinals, [[2, 3, 4, 5, 6, 7]]);
  assert.deepEqual(block.unallocated, [0, 1]);
  assert.ok(!hasFreeAddress(block, isReserved));
  assert.ok(hasFreeAddress(block, none));
});

test("a queue that names a taken address does not give it away twice", () => {
  const taken = assignOrdinal(blockOfEight(), 0, { handle: "a", attributes: {} });
  const corrupt = { ...taken, unallocated: [0, ...taken.unallocated] };
  assert.deepEqual(assignFree(corrupt, [{ handle: "b", attributes: {}, count: 1 }], none).ordinals, [[1]]);
});

test("an address that is queued twice has one owner, and is queued no more", () => {
  const queuedTwice = { ...blockOfEight(), unallocated: [3, 3, 4, 5, 6, 7, 0, 1, 2, 4] };
  const wants = ["a", "b"].map((handle) => ({ handle, attributes: {}, count: 1 }));
  const assigned = assignFree(queuedTwice, wants, none);
  assert.deepEqual(assigned.ordinals, [[3], [4]]);
  assert.deepEqual(assigned.block.unallocated, [5, 6, 7, 0, 1, 2]);
  assert.deepEqual(assignFree(assigned.block, wants, none).ordinals, [[5], [6]]);
});

test("an address that cools down is neither free nor anyone's until its time is over", () => {
  const assigned = assignOrdinal(blockOfEight(), 0, { handle: "h", attributes: { node: "n" } });
  const cooling = releaseOrdinals(assigned, [0], { now });
  assert.deepEqual(cooling.attributes, [{ releasedAt: "2026-01-02T03:04:05Z" }]);
  assert.ok(!cooling.unallocated.includes(0));
  assert.deepEqual(ordinalsOf(cooling, "h"), []);
  const soon = Nanos.of(now + 29_000_000_000n);
  assert.equal(endCooldown(cooling, 30, soon), cooling);
  const over = endCooldown(cooling, 30, Nanos.of(now + 30_000_000_000n));
  assert.deepEqual(over.unallocated.at(-1), 0);
  assert.deepEqual(over.attributes, []);
});

test("a block with nothing but Windows' own addresses is empty", () => {
  // Early releases wrote it with capitals.
  for (const handle of [windowsReservedHandle, "windows-reserved-IPAM-handle"]) {
    assert.ok(isEmptyBlock(assignOrdinal(blockOfEight(), 0, { handle, attributes: {} })));
  }
  const windows = assignOrdinal(blockOfEight(), 0, { handle: windowsReservedHandle, attributes: {} });
  assert.ok(!isEmptyBlock(assignOrdinal(windows, 1, { handle: "h", attributes: {} })));
});

const operation = fc.oneof(
  fc.record({
    kind: fc.constant("assign"),
    handle: fc.constantFrom("a", "b", undefined),
    pod: fc.constantFrom("p", "q"),
    count: fc.nat({ max: 4 }),
  }),
  fc.record({ kind: fc.constant("release"), ordinals: fc.uniqueArray(fc.nat({ max: 7 })) }),
);

test("after any assignments and releases a block says who has what, and survives its own JSON", () => {
  fc.assert(
    fc.property(fc.array(operation, { maxLength: 20 }), fc.nat({ max: 255 }), (program, reservedBits) => {
      const isReserved = (ordinal: number): boolean => ((reservedBits >> ordinal) & 1) === 1;
      let block = blockOfEight();
      let queue = [0, 1, 2, 3, 4, 5, 6, 7];
      const owners = new Map<number, string>();
      for (const step of program) {
        if (step.kind === "assign") {
          const { handle, pod, count } = step;
          const expected = queue.filter((ordinal) => !isReserved(ordinal)).slice(0, count);
          const result = assignFree(block, [{ handle, attributes: { pod }, count }], isReserved);
          assert.deepEqual(result.ordinals, [expected]);
          block = result.block;
          queue = queue.filter((ordinal) => !expected.includes(ordinal));
          for (const ordinal of expected) owners.set(ordinal, `${String(handle)} ${pod}`);
        } else {
          const ordinals = step.ordinals.filter((ordinal) => owners.has(ordinal));
          block = releaseOrdinals(block, ordinals);
          queue.push(...ordinals);
          for (const ordinal of ordinals) owners.delete(ordinal);
        }
        assert.deepEqual(block.unallocated, queue);
        for (let ordinal = 0; ordinal < 8; ordinal += 1) {
          const attribute = attributeOf(block, ordinal);
          const found = attribute && `${String(attribute.handle_id)} ${String(attribute.secondary?.pod)}`;
          assert.equal(found, owners.get(ordinal));
        }
        assert.equal(block.attributes.length, new Set(owners.values()).size);
        const ofA = [...owners.values()].filter((owner) => owner.startsWith("a ")).length;
        assert.equal(countByHandle(block).get("a") ?? 0, ofA);
        const again = AllocationBlockCodec.parse(AllocationBlockCodec.serialise(block));
        assert.deepEqual(again, { kind: "ok", value: block });
      }
    }),
  );
});
