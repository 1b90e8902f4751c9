/** What two OPENs make of a session, seen through the session that reads and writes them. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { DecodeError, Ipv4 } from "@caracal/net";
import { addressOf } from "../../test/simulation.ts";
import { keepaliveBytes } from "../wire/message.ts";
import { notificationText, decodeNotification } from "../wire/notification.ts";
import { encodeOpen } from "../wire/open.ts";
import { buildOpen, negotiate } from "./negotiated.ts";
import { type SessionConfig, defaultTimers } from "./session-config.ts";
import { Session } from "./session.ts";

const ours: SessionConfig = {
  name: "p",
  routerId: Ipv4.of(5),
  localAsn: 64512,
  peerAsn: 65001,
  passive: true,
  timers: defaultTimers,
  families: [4],
  addPathReceive: false,
  addPathSend: false,
  restartTimeS: 120,
  extendedMessages: true,
  enhancedRefresh: true,
};

const bits = { restarted: false, forwardingPreserved: false };

function theirs(more: Partial<SessionConfig> = {}): SessionConfig {
  return { ...ours, routerId: Ipv4.of(9), localAsn: 65001, peerAsn: 64512, ...more };
}

/** The OPEN that the peer sends, taken apart by us. */
function agreed(
  more: Partial<SessionConfig>,
  mine: Partial<SessionConfig> = {},
): ReturnType<typeof negotiate> {
  const open = buildOpen(theirs(more), bits);
  return negotiate({ ...ours, ...mine }, open, "c", addressOf("10.0.0.1"));
}

test("extended messages and enhanced refresh are used where both ends say so", () => {
  assert.equal(agreed({}).maxMessageBytes, 65_535);
  assert.equal(agreed({ extendedMessages: false }).maxMessageBytes, 4096);
  assert.equal(agreed({}, { extendedMessages: false }).maxMessageBytes, 4096);
  assert.equal(agreed({}).enhancedRefresh, true);
  assert.equal(agreed({ enhancedRefresh: false }).enhancedRefresh, false);
  assert.equal(agreed({}, { enhancedRefresh: false }).enhancedRefresh, false);
});

test("roles are said to external peers only, and known by what the peer says", () => {
  assert.equal(agreed({ role: "provider" }, { role: "customer" }).remoteRole, "provider");
  assert.equal(agreed({}, { role: "customer" }).remoteRole, undefined);
  const internal = { localAsn: 64512, peerAsn: 64512, role: "provider", strictRole: true } as const;
  assert.equal(agreed(internal, internal).remoteRole, undefined);
  const said = buildOpen({ ...ours, ...internal }, bits).capabilities.some((one) => one.kind === "role");
  assert.equal(said, false);
});

test("AS 0 is refused in either place, whoever the peer is to be (RFC 7607)", () => {
  const refusal = (myAs: number, asn: number): string => {
    const open = buildOpen(theirs(), bits);
    const capabilities = open.capabilities.map((one) => (one.kind === "fourOctetAs" ? { ...one, asn } : one));
    try {
      negotiate(ours, { ...open, myAs, capabilities }, "c", addressOf("10.0.0.1"));
      return "accepted";
    } catch (error) {
      if (error instanceof DecodeError) return `${error.code}.${error.subcode}`;
      throw error;
    }
  };
  assert.equal(refusal(65001, 65001), "accepted");
  assert.equal(refusal(23456, 65001), "accepted");
  assert.equal(refusal(0, 65001), "2.2");
  assert.equal(refusal(65001, 0), "2.2");
});

test("a refusal for want of a family says which families it would have taken (RFC 5492 §5)", () => {
  try {
    agreed({ families: [6] }, { families: [4] });
    assert.fail("accepted");
  } catch (error) {
    assert.ok(error instanceof DecodeError);
    assert.deepEqual([error.code, error.subcode, error.data.toHex()], [2, 7, "010400010001"]);
  }
});

/** A session that has the peer's OPEN with or without the capability, and then this message. */
function afterOpen(extendedMessages: boolean, bytes: Uint8Array): string {
  const session = new Session(ours, () => 0.5);
  session.handle({ kind: "ManualStart" }, 0);
  const localAddress = addressOf("10.0.0.1");
  session.handle({ kind: "TcpConnectionConfirmed", connection: "<1", localAddress }, 0);
  const open = encodeOpen(buildOpen(theirs({ extendedMessages }), bits));
  const all = new Uint8Array([...open, ...keepaliveBytes, ...bytes]);
  // In one piece: the bound holds from the very next message on.
  const effects = session.handle({ kind: "Received", connection: "<1", bytes: all }, 0);
  const ends = effects.filter((one) => one.kind === "send").map((one) => one.bytes);
  const notification = ends.find((one) => one[18] === 3);
  return notification === undefined ? session.state : notificationText(decodeNotification(notification));
}

test("a long message is read once it is agreed on, and a bad length until then", () => {
  const update = new Uint8Array(5000).fill(0);
  update.fill(0xff, 0, 16);
  update.set([5000 >> 8, 5000 & 255, 2], 16);
  // Withdrawn: 4977 times 0.0.0.0/0.
  update.set([4977 >> 8, 4977 & 255], 19);
  assert.equal(afterOpen(true, update), "Established");
  assert.equal(afterOpen(false, update), "Bad message length");
});
