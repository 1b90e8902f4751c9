/** What nftables tells of its changes. Method: notices as the kernel sent them, and damaged ones. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { DecodeError } from "@caracal/net";
import fc from "fast-check";
import { readMessages } from "./message.ts";
import { decodeNftNotice } from "./nft-notice.ts";

/** `nft add table ip6 t`: the table, then the generation. */
const newTable =
  "2c000000 000a 0000 00000000 e9030000 0a000000 06000100 74000000 08000200 00000000 08000300 00000001";
const newGeneration =
  "2c000000 0f0a 0000 00000000 e9030000 00000002 08000100 00000002 08000200 000003e9 08000300 6e667400";

function bytesOf(hex: string): Uint8Array {
  return Uint8Array.from(Buffer.from(hex.replaceAll(" ", ""), "hex"));
}

function notices(datagram: Uint8Array) {
  return [...readMessages(datagram)].map(decodeNftNotice);
}

test("an object is told with its family and table, a transaction with its process", () => {
  assert.deepEqual(notices(bytesOf(newTable)), [{ kind: "object", family: 10, table: "t" }]);
  assert.deepEqual(notices(bytesOf(newGeneration)), [{ kind: "generation", pid: 1001, program: "nft" }]);
});

test("messages of another part of netfilter are none", () => {
  const conntrack = bytesOf(newTable);
  conntrack[5] = 1;
  assert.deepEqual(notices(conntrack), [undefined]);
  const trace = bytesOf(newTable);
  trace[4] = 17;
  assert.deepEqual(notices(trace), [undefined]);
});

test("damaged notices are notices or decode errors, nothing else", () => {
  const known = [bytesOf(newTable), bytesOf(newGeneration)];
  fc.assert(
    fc.property(fc.constantFrom(...known), fc.array(fc.tuple(fc.nat(43), fc.nat(255))), (bytes, damage) => {
      const damaged = Uint8Array.from(bytes);
      for (const [at, value] of damage) damaged[at] = value;
      try {
        notices(damaged);
      } catch (error) {
        assert.ok(error instanceof DecodeError, String(error));
      }
    }),
  );
});
