/**
 * UPDATEs that are left packed: which ones are, and that what stands in them is what the general decoder reads. The fuzz of
 * the wire format compares the two on all kinds of messages; here each kind is one that must not be missed.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import { IpAddress, Ipv6, Prefix, Writer } from "@caracal/net";
import { type DecodeContext } from "./attribute-decoder.ts";
import { encodeCanonical } from "./canonical-attributes.ts";
import { encodeNlri, listNlri } from "./nlri.ts";
import { type PathAttributes } from "./path-attributes.ts";
import { PlainUpdateDecoder } from "./plain-update.ts";
import { UpdateWriter } from "./update-writer.ts";

const prefixes = {
  4: ["10.0.0.0/8", "192.0.2.128/25", "0.0.0.0/0"],
  6: ["2001:db8::/32", "2001:db8:1:2:8000::/65", "::/0", "2001:db8::1/128"],
} as const;

const shared: PathAttributes = {
  origin: 1,
  asPath: [{ kind: "sequence", asns: [65_001, 200_000] }],
  med: 7,
  communities: [0xfde8_0001],
  largeCommunities: [[1, 2, 3]],
};

function addressOf(text: string): IpAddress {
  const address = IpAddress.parse(text);
  assert.ok(address !== undefined);
  return address;
}

const linkLocal = Ipv6.parse("fe80::1");
assert.ok(linkLocal !== undefined);

const kinds: Readonly<Record<string, { family: 4 | 6; attributes: PathAttributes }>> = {
  IPv4: { family: 4, attributes: { ...shared, nextHop: addressOf("10.9.9.9") } },
  IPv6: { family: 6, attributes: { ...shared, nextHop: addressOf("2001:db8::9") } },
  "IPv6 over a link": {
    family: 6,
    attributes: { ...shared, nextHop: addressOf("2001:db8::9"), linkLocalNextHop: linkLocal },
  },
};

for (const [kind, { family, attributes }] of Object.entries(kinds)) {
  for (const addPath of [false, true]) {
    test(`an UPDATE of ${kind} prefixes${addPath ? " with path identifiers" : ""} is left packed`, () => {
      const nlri = prefixes[family].map((text, index) => {
        const prefix = Prefix.parse(text);
        assert.ok(prefix !== undefined);
        return { prefix, pathId: addPath ? 100 + index : 0 };
      });
      const writer = new UpdateWriter({ family, addPath, as4: true });
      const next = nlri.values();
      writer.announce(attributes, nlri.length, (out) => {
        const { value } = next.next();
        assert.ok(value !== undefined);
        encodeNlri(out, value, addPath);
      });
      const context: DecodeContext = { as4: true, external: true, addPath: addPath ? [family] : [] };
      const update = new PlainUpdateDecoder().decode(writer.take(), context);
      assert.ok(update !== undefined);
      const { bytes, attributesAt, attributesEnd } = update;
      const canonical = new Writer();
      encodeCanonical(canonical, attributes);
      assert.deepEqual(bytes.subarray(attributesAt, attributesEnd), canonical.finish());
      assert.deepEqual(
        listNlri({ family: update.family, addPath, bytes: bytes.subarray(attributesEnd) }),
        nlri,
      );
      assert.equal(update.nextHop, attributes.nextHop);
      assert.equal(update.pathLength, 2);
    });
  }
}
