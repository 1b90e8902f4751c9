// Aim: broken bytes give a value or a DecodeError, nothing else, and what is encoded is decoded equal. Method: seeded
// mutations of a captured dump; properties over generated routes and MACs.
import assert from "node:assert/strict";
import { test } from "node:test";
import { DecodeError, type IpAddress, Ipv4, Ipv6, Prefix, Reader, Writer } from "@caracal/net";
import fc from "fast-check";
import { decodeAcknowledgement, decodeDone } from "./acknowledgement.ts";
import { decodeChange } from "./change.ts";
import { Nlmsg, Rtm } from "./constants.ts";
import { newAddress } from "./interface-address.ts";
import { decodeLink, newLink, type NewLink } from "./link.ts";
import { Mac } from "./mac.ts";
import { readMessages, type Request, writeRequest } from "./message.ts";
import { newNeighbour } from "./neighbour.ts";
import { newNextHop } from "./next-hop-object.ts";
import { decodeRoute, newRoute, type NextHop, type Route } from "./route.ts";
import { newRule } from "./rule.ts";

const ipv4 = fc.integer({ min: 0, max: 0xffffffff }).map((value) => Ipv4.of(value));
const ipv6 = fc.bigInt({ min: 0n, max: (1n << 128n) - 1n }).map((value) => Ipv6.of(value));
const destination = fc.oneof(
  fc.tuple(ipv4, fc.integer({ min: 0, max: 32 })).map(([address, length]) => Prefix.of(address, length)),
  fc.tuple(ipv6, fc.integer({ min: 0, max: 128 })).map(([address, length]) => Prefix.of(address, length)),
);
const hop: fc.Arbitrary<NextHop> = fc
  .record({
    interfaceIndex: fc.integer({ min: 1, max: 1e6 }),
    gateway: fc.option(fc.oneof(ipv4, ipv6), { nil: undefined }),
    onlink: fc.boolean(),
  })
  .map(({ interfaceIndex, gateway, onlink }) => ({
    interfaceIndex,
    ...(gateway === undefined ? {} : { gateway }),
    ...(onlink ? { onlink: true } : {}),
  }));
const weighted = fc
  .tuple(hop, fc.integer({ min: 1, max: 256 }))
  .map(([one, weight]): NextHop => (weight === 1 ? one : { ...one, weight }));
const route: fc.Arbitrary<Route> = fc
  .record({
    destination,
    protocol: fc.integer({ min: 0, max: 255 }),
    scope: fc.integer({ min: 0, max: 255 }),
    table: fc.integer({ min: 1, max: 0xffffffff }),
    metric: fc.integer({ min: 0, max: 0xffffffff }),
    nextHops: fc.oneof(fc.tuple(hop), fc.array(weighted, { minLength: 2, maxLength: 8 })),
    mtu: fc.integer({ min: 0, max: 9000 }),
  })
  .map(({ mtu, ...rest }) => ({ ...rest, type: 1, ...(mtu === 0 ? {} : { mtu }) }));

test("a route is what its encoding decodes to", () => {
  fc.assert(
    fc.property(route, (value) => {
      const writer = new Writer();
      newRoute(value).writeBody(writer);
      assert.deepEqual(decodeRoute(new Reader(writer.finish())), value);
    }),
  );
});

const end = fc.option(ipv4, { nil: undefined });
const index = fc.option(fc.integer({ min: 1, max: 1e6 }), { nil: undefined });
const tunnel: fc.Arbitrary<NewLink["details"]> = fc.oneof(
  fc.record({ vni: fc.nat(0xffffff), port: fc.nat(65535), learning: fc.boolean() }).chain((rest) =>
    fc
      .record({
        local: fc.oneof(end, ipv6),
        group: fc.oneof(end, ipv6),
        parentIndex: index,
        flow: fc.boolean(),
      })
      .map(({ flow, ...ends }) => ({
        kind: "vxlan" as const,
        ...rest,
        ...present(ends),
        ...(flow ? { isFlowBased: true } : {}),
      })),
  ),
  fc.record({ local: end, remote: end, parentIndex: index, flow: fc.boolean() }).map(({ flow, ...ends }) => ({
    kind: "ipip" as const,
    ...present(ends),
    ...(flow ? { isFlowBased: true } : {}),
  })),
);

/** Without fields that are not there; an address of zeros is none. */
function present(fields: Record<string, IpAddress | number | undefined>): object {
  const kept = Object.entries(fields).filter(([, value]) => value !== undefined && value !== 0);
  return Object.fromEntries(kept);
}

test("a tunnel interface is what its encoding decodes to", () => {
  fc.assert(
    fc.property(tunnel, (details) => {
      const writer = new Writer();
      newLink({ name: "tun", details }).writeBody(writer);
      const link = decodeLink(new Reader(writer.finish()));
      const { kind, ...rest } = details;
      assert.equal(link.kind, kind);
      assert.deepEqual(kind === "vxlan" ? link.vxlan : link.ipip, rest);
    }),
  );
});

test("a MAC survives text and bytes", () => {
  fc.assert(
    fc.property(fc.uint8Array({ minLength: 6, maxLength: 6 }), (octets) => {
      const mac = Mac.fromBytes(octets) ?? assert.fail();
      assert.deepEqual(Mac.toBytes(mac), octets);
      assert.equal(Mac.parse(Mac.format(mac)), mac);
    }),
  );
  assert.equal(Mac.format(Mac.parse("EE:ee:00:00:00:01") ?? assert.fail()), "ee:ee:00:00:00:01");
  for (const bad of ["", "ee:ee:ee:ee:ee", "ee:ee:ee:ee:ee:eg", "eeeeeeeeeeee"])
    assert.equal(Mac.parse(bad), undefined);
  assert.equal(Mac.fromBytes(new Uint8Array(4)), undefined);
});

/** Answers of every kind in one datagram. */
function sample(): Uint8Array {
  const writer = new Writer();
  const gateway = Ipv4.of(0x0a000003);
  const to = Prefix.of(Ipv4.of(0x0a010000), 26);
  const one: Route = {
    destination: to,
    type: 1,
    protocol: 12,
    scope: 0,
    table: 5000,
    metric: 7,
    nextHops: [],
    mtu: 1400,
  };
  const requests: Request[] = [
    newRoute({ ...one, nextHops: [{ interfaceIndex: 3, gateway }] }),
    newRoute({
      ...one,
      nextHops: [
        { interfaceIndex: 3, gateway },
        { interfaceIndex: 4, gateway: Ipv6.of(7n) },
      ],
    }),
    newAddress({ interfaceIndex: 3, address: gateway, prefixLength: 24, label: "up0", flags: 0x200 }),
    newNeighbour({
      family: 2,
      interfaceIndex: 3,
      state: 2,
      flags: 0,
      address: gateway,
      mac: Mac.fromBytes(new Uint8Array(6)) ?? assert.fail(),
    }),
    newRule({
      family: 4,
      priority: 9,
      table: 9,
      action: 1,
      invert: false,
      source: to,
      inputInterface: "up0",
      protocol: 0,
    }),
    newLink({
      name: "vx",
      mtu: 1400,
      details: { kind: "vxlan", vni: 1, port: 4789, learning: true, local: gateway },
    }),
    newNextHop({ id: 5, protocol: 80, hop: { interfaceIndex: 3, gateway, onlink: true } }),
    newRoute({ ...one, nextHopId: 5 }),
    {
      type: Rtm.RTM_NEWNETCONF,
      flags: 0,
      writeBody: (body) => body.bytes(Uint8Array.of(2, 0, 0, 0, 8, 0, 1, 0, 3, 0, 0, 0)),
    },
    newLink({ name: "tunl0", details: { kind: "ipip", local: gateway, parentIndex: 3 } }),
    {
      type: Nlmsg.NLMSG_ERROR,
      flags: 0x300,
      writeBody: (body) => {
        body.i32le(-22);
        body.zeros(16);
        body.bytes(Uint8Array.of(8, 0, 1, 0, 110, 111, 33, 0));
      },
    },
    { type: Nlmsg.NLMSG_DONE, flags: 2, writeBody: (body) => body.i32le(0) },
  ];
  for (const [index, request] of requests.entries()) writeRequest(writer, request, index);
  return writer.finish();
}

function readAll(datagram: Uint8Array): number {
  let count = 0;
  for (const message of readMessages(datagram)) {
    if (message.type === Nlmsg.NLMSG_ERROR) decodeAcknowledgement(message);
    else if (message.type === Nlmsg.NLMSG_DONE) decodeDone(message);
    else decodeChange(message);
    count += 1;
  }
  return count;
}

test("mutated, cut and random bytes give values or a DecodeError", () => {
  const good = sample();
  assert.equal(readAll(good), 12);
  const changes = fc.array(fc.tuple(fc.nat(good.length - 1), fc.nat(255)), { minLength: 1, maxLength: 6 });
  const mutated = fc.tuple(changes, fc.nat(good.length)).map(([list, cut]) => {
    const copy = good.slice();
    for (const [at, value] of list) copy[at] = value;
    return cut % 4 === 0 ? copy.subarray(0, cut) : copy;
  });
  fc.assert(
    fc.property(fc.oneof(mutated, fc.uint8Array({ maxLength: 200 })), (bytes) => {
      try {
        readAll(bytes);
      } catch (error) {
        assert.ok(error instanceof DecodeError, String(error));
      }
    }),
    { numRuns: 3000 },
  );
});

test("messages of no known kind are passed over", () => {
  const writer = new Writer();
  writeRequest(writer, { type: Rtm.RTM_DELRULE + 40, flags: 0, writeBody: (body) => body.zeros(4) }, 1);
  for (const message of readMessages(writer.finish())) assert.equal(decodeChange(message), undefined);
});
