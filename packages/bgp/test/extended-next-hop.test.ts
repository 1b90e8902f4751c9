/**
 * IPv4 routes with IPv6 next hops (RFC 8950): the messages themselves, and what routers tell each other that can, and that cannot,
 * do with them. Routers on simulated connections in virtual time.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import { DecodeError, IpAddress, Prefix } from "@caracal/net";
import { type PeerInput } from "../src/index.ts";
import { type DecodeContext } from "../src/wire/attribute-decoder.ts";
import { encodeNlri, listNlri } from "../src/wire/nlri.ts";
import { type PathAttributes } from "../src/wire/path-attributes.ts";
import { UpdateWriter } from "../src/wire/update-writer.ts";
import { decodeUpdate } from "../src/wire/update.ts";
import { addressOf, prefixOf, type SimNode, Simulation } from "./simulation.ts";

const context: DecodeContext = { as4: true, external: false, addPath: [], extendedNextHop: true };
const global = addressOf("2001:db8::1");
const linkLocal = addressOf("fe80::1");

function update(attributes: Partial<PathAttributes>, as4 = true): Uint8Array {
  const writer = new UpdateWriter({ family: 4, addPath: false, as4, extendedNextHop: true });
  writer.announce({ origin: 0, asPath: [], ...attributes }, 1, (out) =>
    encodeNlri(out, { prefix: prefixOf("10.1.0.0/24"), pathId: 0 }, false),
  );
  return writer.take();
}

test("an announcement has the prefixes' family and one or two addresses of 16 bytes", () => {
  assert.ok(!IpAddress.isIpv4(linkLocal));
  for (const [attributes, length] of [
    [{ nextHop: global }, "10"],
    [{ nextHop: global, linkLocalNextHop: linkLocal }, "20"],
  ] as const) {
    for (const as4 of [true, false]) {
      const bytes = update(attributes, as4);
      // RFC 4760 §3: | AFI 1 | SAFI 1 | length | next hop | reserved | prefix |.
      assert.match(bytes.toHex(), new RegExp(`000101${length}20010db8.*00180a0100`));
      const { announced, faults } = decodeUpdate(bytes, { ...context, as4 });
      assert.deepEqual(faults, []);
      const [one] = announced;
      assert.ok(one !== undefined && one.nlri.family === 4);
      assert.deepEqual(listNlri(one.nlri), [{ prefix: prefixOf("10.1.0.0/24"), pathId: 0 }]);
      assert.deepEqual({ ...one.attributes }, { origin: 0, asPath: [], ...attributes });
    }
  }
});

test("an IPv4 next hop stays where it was", () => {
  const { announced } = decodeUpdate(update({ nextHop: addressOf("10.0.0.1") }), context);
  assert.equal(announced[0]?.attributes.nextHop, addressOf("10.0.0.1"));
});

test("other lengths, and any without the capability, end the session", () => {
  const bytes = update({ nextHop: global });
  assert.throws(() => decodeUpdate(bytes, { ...context, extendedNextHop: false }), DecodeError);
  const lengthAt = bytes.toHex().indexOf("00010110") / 2 + 3;
  for (const length of [0, 8, 12, 24, 48]) {
    const other = bytes.slice();
    other[lengthAt] = length;
    assert.throws(() => decodeUpdate(other, context), DecodeError, String(length));
  }
});

function peerOf(node: SimNode, more: Partial<PeerInput> = {}): PeerInput {
  return { name: node.name, address: node.address, asn: node.asn, ...more };
}

/** A chain of routers on IPv6 that carry IPv4: each pair agrees on the extension, or does not. */
function chain(asns: readonly number[], extended: readonly boolean[]): SimNode[] {
  const net = new Simulation(41);
  const nodes = asns.map((asn, index) => net.node(`n${index}`, `2001:db8::${index + 1}`, { asn }));
  nodes[0]?.setLocalRoutes(["10.1.0.0/24"]);
  for (const [index, node] of nodes.entries()) {
    const sessions = [index - 1, index + 1].flatMap((other): PeerInput[] => {
      const peer = nodes[other];
      const extendedNextHop = extended[Math.min(index, other)] ?? false;
      return peer === undefined ? [] : [peerOf(peer, { families: [4, 6], extendedNextHop })];
    });
    node.setPeers(sessions);
  }
  net.run(4000);
  return nodes;
}

function hopAt(node: SimNode | undefined): string | undefined {
  const [route] = node?.speaker.routes(prefixOf("10.1.0.0/24")) ?? [];
  const hop = route?.attributes.nextHop;
  return hop === undefined ? undefined : IpAddress.format(hop);
}

test("IPv4 goes over IPv6 where both ends can, and nowhere else", () => {
  const [, near, far] = chain([65001, 65002, 65003], [true, true]);
  assert.equal(hopAt(near), "2001:db8::1");
  assert.equal(hopAt(far), "2001:db8::2", "each external router is the next hop");
  assert.deepEqual(near?.table(), [`${Prefix.format(prefixOf("10.1.0.0/24"))} via 2001:db8::1`]);
  const [, , inside] = chain([65001, 65002, 65002], [true, true]);
  assert.equal(hopAt(inside), "2001:db8::1", "inside an AS it is kept");
  const [, can, cannot] = chain([65001, 65002, 65003], [true, false]);
  assert.equal(hopAt(can), "2001:db8::1");
  assert.equal(hopAt(cannot), undefined);
  assert.equal(can?.speaker.peers(0)[1]?.state, "Established");
});
