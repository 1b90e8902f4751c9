/** The finite state machine's ordinary course: a session's way up, its timers, what ends it and how it comes back. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { SessionRig as Rig, config, peerOpen } from "../../test/session-rig.ts";
import { keepaliveBytes } from "../wire/message.ts";
import { type Notification, encodeNotification, hardReset } from "../wire/notification.ts";
import { type SessionConfig } from "./session-config.ts";

test("Idle → Connect → OpenSent → OpenConfirm → Established", () => {
  const rig = new Rig();
  assert.deepEqual(rig.on({ kind: "ManualStart" }), ["connect p>1", "Idle → Connect"]);
  assert.deepEqual(rig.up("p>1"), ["send 1 on p>1", "Connect → OpenSent"]);
  assert.deepEqual(rig.bytes("p>1", peerOpen(9)), ["send 4 on p>1", "OpenSent → OpenConfirm"]);
  assert.deepEqual(rig.bytes("p>1", keepaliveBytes), ["established", "OpenConfirm → Established"]);
});

test("keepalives go out in time, and silence for the hold time ends the session with code 4", () => {
  const rig = new Rig().establish();
  assert.ok((rig.session.deadline ?? 0) <= 3000);
  assert.deepEqual(rig.tickAt(3000), ["send 4 on p>1"]);
  assert.deepEqual(rig.tickAt(9000), [
    "send 4.0 on p>1",
    "close p>1",
    "lost gracefully",
    "Established → Idle",
  ]);
  assert.equal(rig.session.lastError, "BGP Error: Hold timer expired");
});

test("a hold time of 0 has no timers", () => {
  const rig = new Rig({ timers: { ...config.timers, holdTimeMs: 0 } });
  rig.establish();
  assert.equal(rig.session.deadline, undefined);
});

test("a refused connection is tried again soon, then at most every ConnectRetryTime", () => {
  const rig = new Rig();
  rig.on({ kind: "ManualStart" });
  const waits: number[] = [];
  for (let attempt = 1; attempt <= 8; attempt += 1) {
    rig.on({ kind: "TcpConnectionFails", connection: `p>${attempt}`, reason: "Connection refused" });
    assert.equal(rig.session.state, "Active");
    waits.push(Math.round((rig.session.deadline ?? 0) - rig.now));
    assert.deepEqual(rig.tickAt(rig.session.deadline ?? 0).at(0), `connect p>${attempt + 1}`);
  }
  assert.deepEqual(waits, [250, 500, 1000, 2000, 4000, 5000, 5000, 5000]);
  assert.equal(rig.session.lastError, "Socket: Connection refused");
});

test("an attempt that hangs is given up after ConnectRetryTime", () => {
  const rig = new Rig();
  rig.on({ kind: "ManualStart" });
  assert.deepEqual(rig.tickAt(5000), ["close p>1", "connect p>2"]);
});

test("errors wait in Idle, longer each time, and refuse connections meanwhile", () => {
  const rig = new Rig({ passive: true });
  rig.on({ kind: "ManualStart" });
  const waits: number[] = [];
  for (let round = 0; round < 5; round += 1) {
    rig.incoming(`<${round}`);
    rig.bytes(`<${round}`, peerOpen(9, { localAsn: 1 }));
    assert.equal(rig.session.state, "Idle");
    assert.deepEqual(rig.incoming("<x"), ["send 6.5 on <x", "close <x"]);
    waits.push(Math.round((rig.session.deadline ?? 0) - rig.now));
    rig.tickAt(rig.session.deadline ?? 0);
  }
  assert.deepEqual(waits, [5000, 10_000, 20_000, 30_000, 30_000]);
  assert.equal(rig.session.lastError, "BGP Error: Bad peer AS");
});

test("messages out of place cost the session, each with its state's subcode", () => {
  const opened = new Rig();
  opened.on({ kind: "ManualStart" });
  opened.up("p>1");
  assert.equal(opened.bytes("p>1", keepaliveBytes)[0], "send 5.1 on p>1");
  const confirm = new Rig();
  confirm.on({ kind: "ManualStart" });
  confirm.up("p>1");
  confirm.bytes("p>1", peerOpen(9));
  assert.equal(confirm.bytes("p>1", peerOpen(9))[0], "send 5.2 on p>1");
  assert.equal(new Rig().establish().bytes("p>1", peerOpen(9))[0], "send 5.3 on p>1");
});

test("an OPEN that does not fit is refused with its code", () => {
  const refuse = (open: Uint8Array, more: Partial<SessionConfig> = {}): string | undefined => {
    const rig = new Rig(more);
    rig.on({ kind: "ManualStart" });
    rig.up("p>1");
    return rig.bytes("p>1", open)[0];
  };
  assert.equal(refuse(peerOpen(9, { localAsn: 65001 })), "send 2.2 on p>1");
  assert.equal(refuse(peerOpen(5)), "send 2.3 on p>1", "our own identifier inside the AS");
  assert.equal(refuse(peerOpen(9, { families: [6] })), "send 2.7 on p>1");
  assert.equal(
    refuse(peerOpen(5, { localAsn: 65001 }), { peerAsn: 65001 }),
    "send 4 on p>1",
    "outside it may be the same",
  );
});

test("of two connections the one opened by the higher identifier stays (RFC 4271 §6.8)", () => {
  for (const theirs of [1, 9]) {
    const rig = new Rig();
    rig.on({ kind: "ManualStart" });
    rig.up("p>1");
    rig.incoming("<1");
    const first = rig.bytes("<1", peerOpen(theirs));
    if (theirs === 9) {
      assert.deepEqual(first, ["send 6.7 on p>1", "close p>1", "send 4 on <1", "OpenSent → OpenConfirm"]);
    } else {
      assert.deepEqual(first, ["send 6.7 on <1", "close <1"]);
      assert.deepEqual(rig.bytes("p>1", peerOpen(theirs)), ["send 4 on p>1", "OpenSent → OpenConfirm"]);
    }
  }
});

test("an Established session outlives a late collision, but not a restarted peer", () => {
  const rig = new Rig().establish();
  rig.now = 1000;
  rig.incoming("<1");
  assert.deepEqual(rig.bytes("<1", peerOpen(9)), ["send 6.7 on <1", "close <1"]);
  rig.now = 5000;
  rig.incoming("<2");
  assert.deepEqual(rig.bytes("<2", peerOpen(9)), [
    "close p>1",
    "lost gracefully",
    "send 4 on <2",
    "Established → OpenConfirm",
  ]);
});

test("a lost connection keeps the routes; a NOTIFICATION does if both ends said so and it is no hard reset", () => {
  const lost = new Rig().establish();
  assert.deepEqual(lost.on({ kind: "TcpConnectionFails", connection: "p>1", reason: "Connection closed" }), [
    "lost gracefully",
    "Established → Active",
  ]);
  const cease: Notification = {
    kind: "notification",
    code: 6,
    subcode: 2,
    data: Uint8Array.of(3, 98, 121, 101),
  };
  const rows = [
    { asked: true, said: cease, lost: "lost gracefully", text: "Administrative shutdown: bye" },
    { asked: false, said: cease, lost: "lost", text: "Administrative shutdown: bye" },
    {
      asked: true,
      said: hardReset(cease),
      lost: "lost",
      text: "Hard reset: Administrative shutdown: bye",
    },
  ];
  for (const { asked, said, lost: outcome, text } of rows) {
    const told = new Rig({ restartOnNotification: asked }).establish();
    assert.deepEqual(told.bytes("p>1", encodeNotification(said)), [
      "close p>1",
      outcome,
      "Established → Idle",
    ]);
    assert.equal(told.session.lastError, `Received: ${text}`);
  }
});

test("an automatic stop gives its reason, and begins again in its time or when somebody says so", () => {
  const data = Uint8Array.of(0, 1, 1, 0, 0, 0, 9);
  const rig = new Rig().establish();
  assert.deepEqual(rig.on({ kind: "AutomaticStop", cease: 1, data, idleMs: 60_000 }), [
    "send 6.9 on p>1",
    "close p>1",
    "lost",
    "Established → Idle",
  ]);
  assert.equal(rig.session.deadline, 60_000);
  assert.deepEqual(rig.tickAt(60_000), ["connect p>2", "Idle → Connect"]);
  assert.deepEqual(rig.on({ kind: "AutomaticStop", cease: 1, data, idleMs: undefined }), [
    "close p>2",
    "Connect → Idle",
  ]);
  assert.equal(rig.session.deadline, undefined);
  assert.deepEqual(rig.incoming("in"), ["send 6.5 on in", "close in"]);
  assert.deepEqual(rig.on({ kind: "ManualStart" }), ["connect p>3", "Idle → Connect"]);
});

test("stop says cease or nothing, as asked", () => {
  assert.deepEqual(new Rig({ restartTimeS: undefined }).establish().on({ kind: "ManualStop", cease: 2 }), [
    "send 6.2 on p>1",
    "close p>1",
    "lost",
    "Established → Idle",
  ]);
  assert.deepEqual(new Rig().establish().on({ kind: "ManualStop", cease: undefined }), [
    "close p>1",
    "lost gracefully",
    "Established → Idle",
  ]);
});
