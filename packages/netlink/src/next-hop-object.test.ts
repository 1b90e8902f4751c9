// Aim: next hop objects, and routes through them, are read as a real kernel sends them. Method: bodies captured from Linux 6.18
// after known `ip nexthop` and `ip route` commands; encoded objects are decoded again.
import assert from "node:assert/strict";
import { test } from "node:test";
import { IpAddress, Reader, Writer } from "@caracal/net";
import type { Request } from "./message.ts";
import {
  decodeNextHop,
  lacksNextHops,
  newNextHop,
  type NextHopObject,
  withNextHops,
} from "./next-hop-object.ts";
import { decodeRoute, newRoute, type Route } from "./route.ts";

function reader(hex: string): Reader {
  return new Reader(Uint8Array.from(hex.match(/../g) ?? [], (pair) => Number.parseInt(pair, 16)));
}

function body(request: Request): Reader {
  const writer = new Writer();
  request.writeBody(writer);
  return new Reader(writer.finish());
}

function address(text: string): IpAddress {
  return IpAddress.parse(text) ?? assert.fail(text);
}

const direct = { interfaceIndex: 3, gateway: address("10.0.0.3") };
const onlink = { interfaceIndex: 3, gateway: address("192.0.2.7"), onlink: true };

const objects: readonly (readonly [string, string, NextHopObject])[] = [
  [
    "id 5 via 10.0.0.3 dev up0 proto bird",
    "02fd0c000000000008000100050000000800050003000000080006000a000003",
    { id: 5, protocol: 12, hop: direct },
  ],
  [
    "id 6 via 192.0.2.7 dev up0 proto 80 onlink",
    "02fd5000040000000800010006000000080005000300000008000600c0000207",
    { id: 6, protocol: 80, hop: onlink },
  ],
  [
    "id 8 via fd00::3 dev up0",
    "0afd0000000000000800010008000000080005000300000014000600fd000000000000000000000000000003",
    { id: 8, protocol: 0, hop: { interfaceIndex: 3, gateway: address("fd00::3") } },
  ],
];

for (const [name, hex, object] of objects) {
  test(`next hop: ${name}`, () => {
    assert.deepEqual(decodeNextHop(reader(hex)), object);
    assert.deepEqual(decodeNextHop(body(newNextHop(object))), object);
  });
}

const group: NextHopObject = {
  id: 7,
  protocol: 80,
  hop: {},
  members: [
    { id: 5, weight: 1 },
    { id: 6, weight: 3 },
  ],
};

test("next hop: id 7 group 5/6,3 proto 80", () => {
  const hex =
    "000050000000000008000100070000000600030000000000140002000500000000000000060000000200000008000e0000000080";
  assert.deepEqual(decodeNextHop(reader(hex)), group);
});

function routeOf(hex: string): Route {
  return decodeRoute(reader(hex)) ?? assert.fail("no route");
}

test("a route through an object names both, and is written by the object's number", () => {
  const route = routeOf(
    "021a0000fe0c00010000000008000f00fe000000080001000a01000008001e0005000000080005000a0000030800040003000000",
  );
  assert.deepEqual([route.nextHopId, route.nextHops], [5, [direct]]);
  const written = decodeRoute(body(newRoute(route))) ?? assert.fail();
  assert.deepEqual([written.nextHopId, lacksNextHops(written)], [5, true]);
});

test("where the kernel names only the object, its next hops are found", () => {
  const known = new Map([...objects.map(([, , object]) => object), group].map((one) => [one.id, one]));
  const single = routeOf("021a0000fe0c00010000000008000f00fe000000080001000a01000008001e0005000000");
  const several = routeOf("021a0000fe0c00010000000008000f00fe000000080001000a02000008001e0007000000");
  assert.ok(lacksNextHops(single));
  assert.deepEqual(withNextHops(single, known).nextHops, [direct]);
  assert.deepEqual(withNextHops(several, known).nextHops, [direct, { ...onlink, weight: 3 }]);
  assert.equal(withNextHops(single, new Map()), single);
  const plain = { ...single, nextHops: [onlink] };
  assert.equal(withNextHops(plain, known), plain);
});
