// Aim: every decoder reads what a real kernel sends, and every encoder writes bytes that mean the same. Method: bodies of
// messages captured from Linux 6.18 after known `ip`, `bridge` commands; encoded values are decoded again.
import assert from "node:assert/strict";
import { test } from "node:test";
import { IpAddress, Prefix, Reader, Writer } from "@caracal/net";
import { decodeAcknowledgement, decodeDone } from "./acknowledgement.ts";
import { Af, NeighbourState, Nlmsg, Ntf, RouteType, RuleAction } from "./constants.ts";
import { decodeAddress, newAddress } from "./interface-address.ts";
import { decodeLink, newLink } from "./link.ts";
import { Mac } from "./mac.ts";
import { type Message, readMessages, type Request, writeRequest } from "./message.ts";
import { decodeNeighbour, newNeighbour } from "./neighbour.ts";
import { decodeRoute, dumpRoutes, newRoute, type Route } from "./route.ts";
import { decodeRule, newRule } from "./rule.ts";

function bytes(hex: string): Uint8Array {
  return Uint8Array.from(hex.replaceAll(/\s/g, "").match(/../g) ?? [], (pair) => Number.parseInt(pair, 16));
}

function reader(hex: string): Reader {
  return new Reader(bytes(hex));
}

/** What a request says after its header, as a reader. */
function body(request: Request): Reader {
  const writer = new Writer();
  request.writeBody(writer);
  return new Reader(writer.finish());
}

function address(text: string): IpAddress {
  return IpAddress.parse(text) ?? assert.fail(text);
}

function prefix(text: string): Prefix {
  return Prefix.parse(text) ?? assert.fail(text);
}

function mac(text: string): Mac {
  return Mac.parse(text) ?? assert.fail(text);
}

const base = { type: RouteType.RTN_UNICAST, protocol: 12, scope: 0, table: 254, metric: 0 } as const;

const routes: readonly (readonly [string, string, Route])[] = [
  [
    "10.1.0.0/26 via 10.0.0.3 dev up0 proto bird",
    "021a0000fe0c00011000000008000f00fe000000080001000a010000080005000a0000030800040003000000",
    {
      ...base,
      destination: prefix("10.1.0.0/26"),
      nextHops: [{ gateway: address("10.0.0.3"), interfaceIndex: 3 }],
    },
  ],
  [
    "blackhole 10.2.0.0/26 proto bird",
    "021a0000fe0c00060000000008000f00fe000000080001000a020000",
    { ...base, type: RouteType.RTN_BLACKHOLE, destination: prefix("10.2.0.0/26"), nextHops: [] },
  ],
  [
    "10.3.0.0/24 via 192.0.2.7 dev up0 proto 80 src 10.0.0.1 metric 32 mtu 1400 onlink",
    `02180000fe5000011400000008000f00fe000000080001000a03000008000600200000000c00080008000200780500000800
     07000a00000108000500c00002070800040003000000`,
    {
      ...base,
      protocol: 80,
      metric: 32,
      destination: prefix("10.3.0.0/24"),
      nextHops: [{ gateway: address("192.0.2.7"), interfaceIndex: 3, onlink: true }],
      preferredSource: address("10.0.0.1"),
      mtu: 1400,
    },
  ],
  [
    "10.4.0.0/24 proto bird nexthop via 10.0.0.4 dev up0 weight 2 nexthop via 10.0.0.5 dev up0",
    `02180000fe0c00011000000008000f00fe000000080001000a0400002400090010001001030000000800 05000a000004
     1000100003000000080005000a000005`,
    {
      ...base,
      destination: prefix("10.4.0.0/24"),
      nextHops: [
        { gateway: address("10.0.0.4"), interfaceIndex: 3, weight: 2 },
        { gateway: address("10.0.0.5"), interfaceIndex: 3 },
      ],
    },
  ],
  [
    "10.5.0.0/24 via inet6 fd00::4 dev up0",
    `02180000fe0300010000000008000f00fe000000080001000a050000160012000a00fd000000000000000000000000000004
     00000800040003000000`,
    {
      ...base,
      protocol: 3,
      destination: prefix("10.5.0.0/24"),
      nextHops: [{ gateway: address("fd00::4"), interfaceIndex: 3 }],
    },
  ],
  [
    "10.6.0.5 dev up0 table 5000 scope link",
    "02200000fc03fd011000000008000f0088130000080001000a0600050800040003000000",
    {
      ...base,
      protocol: 3,
      scope: 253,
      table: 5000,
      destination: prefix("10.6.0.5/32"),
      nextHops: [{ interfaceIndex: 3 }],
    },
  ],
  [
    "fd01::/122 via fd00::3 dev up0 proto bird metric 1024 pref medium",
    `0a7a0000fe0c00011000000008000f00fe00000014000100fd010000000000000000000000000000080006000004000014000500
     fd000000000000000000000000000003080004000300000024000c000000000000000000000000000000000000000000000000000
     0000000000000000500140000000000`,
    {
      ...base,
      metric: 1024,
      destination: prefix("fd01::/122"),
      nextHops: [{ gateway: address("fd00::3"), interfaceIndex: 3 }],
    },
  ],
];

for (const [name, hex, route] of routes) {
  test(`route: ${name}`, () => {
    assert.deepEqual(decodeRoute(reader(hex)), route);
    assert.deepEqual(decodeRoute(body(newRoute(route))), route);
  });
}

test("a route cloned for one flow, and one of another family, are no routes", () => {
  assert.equal(decodeRoute(reader("02200000fe00000100020000")), undefined);
  assert.equal(decodeRoute(reader("80200000fe00000100000000")), undefined);
});

test("addresses of both families", () => {
  const v4 = {
    interfaceIndex: 3,
    address: address("10.0.0.1"),
    prefixLength: 24,
    scope: 0,
    flags: 0x80,
    label: "up0",
  };
  const hex4 = `0218800003000000080001000a000001080002000a0000010800030075703000080008008000000014000600
    ffffffffffffffff6640050066400500`;
  assert.deepEqual(decodeAddress(reader(hex4)), v4);
  assert.deepEqual(decodeAddress(body(newAddress(v4))), v4);
  const v6 = { interfaceIndex: 3, address: address("fd00::1"), prefixLength: 64, scope: 0, flags: 0x82 };
  const hex6 = `0a4082000300000014000100fd00000000000000000000000000000114000600ffffffffffffffff6640050066400500
    0800080082000000`;
  assert.deepEqual(decodeAddress(reader(hex6)), v6);
  assert.deepEqual(decodeAddress(body(newAddress(v6))), v6);
  const peered = { ...v4, peer: address("10.0.0.2"), flags: 0x200 };
  assert.deepEqual(decodeAddress(body(newAddress(peered))), peered);
});

test("neighbours, and forwarding entries of a VXLAN device", () => {
  const neighbour = {
    family: Af.AF_INET,
    interfaceIndex: 3,
    state: NeighbourState.NUD_PERMANENT,
    flags: 0,
    address: address("10.0.0.9"),
    mac: mac("02:00:00:00:00:09"),
  };
  const hex = `020000000300000080000001080001000a0000090a000200020000000009000008000400000000001400030002000000
    020000000200000000000000`;
  assert.deepEqual(decodeNeighbour(reader(hex)), neighbour);
  assert.deepEqual(decodeNeighbour(body(newNeighbour(neighbour))), neighbour);
  const forwarding = {
    family: Af.AF_BRIDGE,
    interfaceIndex: 5,
    state: NeighbourState.NUD_PERMANENT | NeighbourState.NUD_NOARP,
    flags: Ntf.NTF_SELF,
    address: address("10.0.0.2"),
    mac: mac("66:00:00:00:00:02"),
  };
  const forwardingHex = `0700000005000000c00002010a0002006600000000020000080001000a000002140003000000000002000000
    0200000000000000`;
  assert.deepEqual(decodeNeighbour(reader(forwardingHex)), forwarding);
  assert.deepEqual(decodeNeighbour(body(newNeighbour(forwarding))), forwarding);
});

test("a rule", () => {
  const rule = {
    family: 4,
    priority: 99,
    table: 4242,
    action: RuleAction.FR_ACT_TO_TBL,
    invert: true,
    source: prefix("10.0.0.0/24"),
    mark: 0x10000,
    markMask: 0x30000,
    protocol: 80,
  } as const;
  const hex = `02001800fc0000010200000008000f009210000008000e00ffffffff0500150050000000080006006300000008000a00
    000001000800100000000300080002000a000000`;
  assert.deepEqual(decodeRule(reader(hex)), rule);
  assert.deepEqual(decodeRule(body(newRule(rule))), rule);
});

test("links as they are asked for", () => {
  const details = { vni: 4096, port: 4789, learning: false, local: address("fd00::1"), parentIndex: 3 };
  const vxlan = decodeLink(
    body(
      newLink({
        name: "vxlan.calico",
        mtu: 1430,
        mac: mac("66:00:00:00:00:01"),
        up: true,
        details: { kind: "vxlan", ...details },
      }),
    ),
  );
  assert.deepEqual(vxlan, {
    index: 0,
    name: "vxlan.calico",
    flags: 1,
    operState: 0,
    mtu: 1430,
    mac: mac("66:00:00:00:00:01"),
    kind: "vxlan",
    vxlan: details,
  });
  const veth = decodeLink(body(newLink({ name: "a", details: { kind: "veth", peer: { name: "b" } } })));
  assert.deepEqual(veth, { index: 0, name: "a", flags: 0, operState: 0, mtu: 0, kind: "veth" });
});

function onlyMessage(hex: string): Message {
  const [message, ...more] = readMessages(bytes(hex));
  assert.ok(message !== undefined && more.length === 0);
  return message;
}

test("a refusal with the kernel's words, capped and not", () => {
  const capped = onlyMessage(`44000000 0200 0003 07000000 01000000 9bffffff 2c000000180001060700000000000000
    200001004e657874686f702068617320696e76616c6964206761746577617900`);
  assert.equal(capped.type, Nlmsg.NLMSG_ERROR);
  assert.deepEqual(decodeAcknowledgement(capped), {
    errno: 101,
    sequence: 7,
    text: "Nexthop has invalid gateway",
  });
  const whole = onlyMessage(`34000000 0200 0002 07000000 01000000 eaffffff 18000000180001060700000000000000
    aabbccddeeff0011 08000200 14000000`);
  assert.deepEqual(decodeAcknowledgement(whole), { errno: 22, sequence: 7, faultOffset: 20 });
});

test("a success, and the end of a dump", () => {
  const success = onlyMessage(
    "24000000 0200 0001 07000000 01000000 00000000 2c000000180001060700000000000000",
  );
  assert.deepEqual(decodeAcknowledgement(success), { errno: 0, sequence: 7 });
  assert.deepEqual(decodeDone(onlyMessage("14000000 0300 0200 07000000 01000000 00000000")), {
    errno: 0,
    sequence: 7,
  });
  assert.deepEqual(decodeDone(onlyMessage("10000000 0300 0200 07000000 01000000")), {
    errno: 0,
    sequence: 7,
  });
});

test("a request is framed with length, flags and sequence", () => {
  const writer = new Writer();
  writeRequest(writer, dumpRoutes({ table: 5000 }), 7);
  assert.deepEqual(
    writer.finish(),
    bytes("240000001a000103070000000000000000000000000000000000000008000f0088130000"),
  );
});
