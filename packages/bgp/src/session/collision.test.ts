/**
 * Two connections with one peer (RFC 4271 §6.8): which stays, in every state that the other may be in, whichever end
 * opened it, and by which of identifier and AS (RFC 6286 §2.3).
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import { Ipv4 } from "@caracal/net";
import { SessionRig, config, peerOpen } from "../../test/session-rig.ts";
import { keepaliveBytes } from "../wire/message.ts";
import { survives } from "./collision.ts";
import { type SessionConfig } from "./session-config.ts";

/** Ours is 5. */
const lower = 1;
const higher = 9;

/** A session with both connections open, and the OPEN of neither come in. */
function both(more: Partial<SessionConfig> = {}): SessionRig {
  const rig = new SessionRig(more);
  rig.on({ kind: "ManualStart" });
  rig.up("p>1");
  rig.incoming("<1");
  return rig;
}

test("the connection that the end with the higher identifier opened stays; with equal ones, that of the higher AS", () => {
  const ends = { routerId: Ipv4.of(5), localAsn: 65002, peerAsn: 65001 };
  assert.ok(survives("outgoing", ends, Ipv4.of(lower)) && !survives("incoming", ends, Ipv4.of(lower)));
  assert.ok(survives("incoming", ends, Ipv4.of(higher)) && !survives("outgoing", ends, Ipv4.of(higher)));
  assert.ok(survives("outgoing", ends, Ipv4.of(5)));
  assert.ok(survives("incoming", { ...ends, localAsn: 65000 }, Ipv4.of(5)));
  // Compared as numbers without a sign.
  assert.ok(survives("incoming", ends, Ipv4.of(0xff00_0001)));
});

test("both in OpenSent: the OPEN on the connection that stays closes the other", () => {
  assert.deepEqual(both().bytes("p>1", peerOpen(lower)), [
    "send 6.7 on <1",
    "close <1",
    "send 4 on p>1",
    "OpenSent → OpenConfirm",
  ]);
  assert.deepEqual(both().bytes("<1", peerOpen(higher)), [
    "send 6.7 on p>1",
    "close p>1",
    "send 4 on <1",
    "OpenSent → OpenConfirm",
  ]);
});

test("both in OpenSent: the OPEN on the connection that goes closes it, and the other goes on", () => {
  const ours = both();
  assert.deepEqual(ours.bytes("<1", peerOpen(lower)), ["send 6.7 on <1", "close <1"]);
  assert.deepEqual(ours.bytes("p>1", peerOpen(lower)), ["send 4 on p>1", "OpenSent → OpenConfirm"]);
  const theirs = both();
  assert.deepEqual(theirs.bytes("p>1", peerOpen(higher)), ["send 6.7 on p>1", "close p>1"]);
  assert.deepEqual(theirs.bytes("<1", peerOpen(higher)), ["send 4 on <1", "OpenSent → OpenConfirm"]);
});

test("one in OpenConfirm: a new connection takes its place only if it is the one that stays", () => {
  for (const theirs of [lower, higher]) {
    const rig = new SessionRig();
    rig.on({ kind: "ManualStart" });
    rig.up("p>1");
    rig.bytes("p>1", peerOpen(theirs));
    rig.incoming("<1");
    const after = rig.bytes("<1", peerOpen(theirs));
    if (theirs === lower) assert.deepEqual(after, ["send 6.7 on <1", "close <1"]);
    else assert.deepEqual(after, ["send 6.7 on p>1", "close p>1", "send 4 on <1"]);
    const stays = theirs === lower ? "p>1" : "<1";
    assert.deepEqual(rig.bytes(stays, keepaliveBytes), ["established", "OpenConfirm → Established"]);
  }
});

test("an incoming one in OpenConfirm, and our own attempt comes through", () => {
  for (const theirs of [lower, higher]) {
    const rig = new SessionRig({ timers: { ...config.timers, connectDelayMs: 1000 } });
    rig.on({ kind: "ManualStart" });
    rig.incoming("<1");
    rig.bytes("<1", peerOpen(theirs));
    // Nothing is left to try for once a connection has got so far.
    rig.tickAt(2000);
    assert.deepEqual(rig.up("p>1"), ["close p>1"]);
    assert.deepEqual(rig.bytes("<1", keepaliveBytes), ["established", "OpenConfirm → Established"]);
  }
});

test("an attempt that is still on its way ends when the other connection's OPEN is good", () => {
  const rig = new SessionRig();
  rig.on({ kind: "ManualStart" });
  rig.incoming("<1");
  assert.deepEqual(rig.bytes("<1", peerOpen(lower)), ["close p>1", "send 4 on <1", "OpenSent → OpenConfirm"]);
  assert.deepEqual(rig.up("p>1"), ["close p>1"], "come through too late");
});

test("an OPEN that is refused does not cost the other connection", () => {
  const rig = both();
  assert.equal(rig.bytes("<1", peerOpen(higher, { localAsn: 1 }))[0], "send 2.2 on <1");
  assert.equal(rig.session.state, "OpenSent");
  assert.deepEqual(rig.bytes("p>1", peerOpen(lower)), ["send 4 on p>1", "OpenSent → OpenConfirm"]);
});

test("Established: a second connection is the one that goes, whoever has the higher identifier", () => {
  for (const theirs of [lower, higher]) {
    const rig = new SessionRig({ restartTimeS: undefined });
    rig.on({ kind: "ManualStart" });
    rig.up("p>1");
    rig.bytes("p>1", peerOpen(theirs));
    rig.bytes("p>1", keepaliveBytes);
    rig.now = 100_000;
    assert.deepEqual(rig.incoming("<1"), ["send 1 on <1"]);
    assert.deepEqual(rig.bytes("<1", peerOpen(theirs)), ["send 6.7 on <1", "close <1"]);
    assert.equal(rig.session.state, "Established");
  }
});

test("Established with graceful restart: at first the tail of a collision, later a peer that is back", () => {
  const rig = new SessionRig().establish();
  rig.now = 2999;
  rig.incoming("<1");
  assert.deepEqual(rig.bytes("<1", peerOpen(higher)), ["send 6.7 on <1", "close <1"]);
  rig.now = 3000;
  rig.incoming("<2");
  assert.deepEqual(rig.bytes("<2", peerOpen(higher)), [
    "close p>1",
    "lost gracefully",
    "send 4 on <2",
    "Established → OpenConfirm",
  ]);
});

test("a collision of external peers with one identifier is decided by their ASes", () => {
  for (const peerAsn of [64000, 65001]) {
    const rig = both({ peerAsn });
    const open = peerOpen(5, { localAsn: peerAsn, peerAsn: 64512 });
    const after = rig.bytes("<1", open);
    if (peerAsn < 64512) assert.deepEqual(after, ["send 6.7 on <1", "close <1"]);
    else assert.equal(after[0], "send 6.7 on p>1");
  }
});

test("the peer's second connection means that it gave up its first", () => {
  const rig = new SessionRig({ passive: true });
  rig.on({ kind: "ManualStart" });
  rig.incoming("<1");
  assert.deepEqual(rig.incoming("<2"), ["close <1", "send 1 on <2"]);
  assert.deepEqual(rig.bytes("<2", peerOpen(higher)), ["send 4 on <2", "OpenSent → OpenConfirm"]);
});

test("the loser's end, and what it still says, does not touch the winner", () => {
  const rig = both();
  rig.bytes("p>1", peerOpen(lower));
  assert.deepEqual(rig.bytes("<1", keepaliveBytes), []);
  assert.deepEqual(rig.on({ kind: "TcpConnectionFails", connection: "<1", reason: "Connection closed" }), []);
  assert.deepEqual(rig.bytes("p>1", keepaliveBytes), ["established", "OpenConfirm → Established"]);
});
