/**
 * The finite state machine as a table (RFC 4271 §8.2.2): every state, and what each event does there. Where we differ: a
 * connection that only failed goes back to Active at once, instead of by way of Idle, as all speakers in use do.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import { SessionRig, config, peerOpen } from "../../test/session-rig.ts";
import { keepaliveBytes } from "../wire/message.ts";
import { encodeNotification } from "../wire/notification.ts";
import { type SessionState, defaultTimers } from "./session-config.ts";

/** A session that has come as far as a state by our own connection, `p>1`. */
function at(state: SessionState): SessionRig {
  const rig = new SessionRig({ restartTimeS: undefined });
  if (state === "Idle") return rig;
  rig.on({ kind: "ManualStart" });
  if (state === "Active") {
    rig.on({ kind: "TcpConnectionFails", connection: "p>1", reason: "Connection refused" });
  }
  if (state === "Active" || state === "Connect") return assertAt(rig, state);
  rig.up("p>1");
  if (state === "OpenSent") return assertAt(rig, state);
  rig.bytes("p>1", peerOpen(9));
  if (state === "OpenConfirm") return assertAt(rig, state);
  rig.bytes("p>1", keepaliveBytes);
  return assertAt(rig, state);
}

function assertAt(rig: SessionRig, state: SessionState): SessionRig {
  assert.equal(rig.session.state, state);
  return rig;
}

function header(type: number, length: number): Uint8Array {
  const bytes = new Uint8Array(Math.max(19, Math.min(length, 4096)));
  bytes.fill(0xff, 0, 16);
  bytes.set([length >> 8, length & 255, type], 16);
  return bytes;
}

const update = header(2, 23);
const routeRefresh = Uint8Array.fromHex(`${"ff".repeat(16)}00170500010001`);
const cease = encodeNotification({ kind: "notification", code: 6, subcode: 2, data: new Uint8Array(0) });
const versionError = encodeNotification({
  kind: "notification",
  code: 2,
  subcode: 1,
  data: Uint8Array.of(0, 3),
});
const unsynchronized = new Uint8Array(19);

/** What an event does: the last of a connection's messages, and the state after it. */
const rows: readonly (readonly [
  event: string,
  act: (rig: SessionRig) => string[],
  outcomes: Partial<Record<SessionState, string>>,
])[] = [
  [
    "ManualStart",
    (rig) => rig.on({ kind: "ManualStart" }),
    {
      Idle: "connect p>1 | Connect",
      Connect: "| Connect",
      Active: "| Active",
      OpenSent: "| OpenSent",
      OpenConfirm: "| OpenConfirm",
      Established: "| Established",
    },
  ],
  [
    "ManualStop with a reason",
    (rig) => rig.on({ kind: "ManualStop", cease: 2 }),
    {
      Idle: "| Idle",
      Connect: "close p>1 | Idle",
      Active: "| Idle",
      OpenSent: "send 6.2 on p>1, close p>1 | Idle",
      OpenConfirm: "send 6.2 on p>1, close p>1 | Idle",
      Established: "send 6.2 on p>1, close p>1, lost | Idle",
    },
  ],
  [
    "the peer connects",
    (rig) => rig.incoming("<1"),
    {
      Idle: "send 6.5 on <1, close <1 | Idle",
      Connect: "send 1 on <1 | OpenSent",
      Active: "send 1 on <1 | OpenSent",
      OpenSent: "send 1 on <1 | OpenSent",
      OpenConfirm: "send 1 on <1 | OpenConfirm",
      Established: "send 1 on <1 | Established",
    },
  ],
  [
    "the connection fails",
    (rig) => rig.on({ kind: "TcpConnectionFails", connection: "p>1", reason: "Connection closed" }),
    {
      Idle: "| Idle",
      Connect: "| Active",
      Active: "| Active",
      OpenSent: "| Active",
      OpenConfirm: "| Active",
      Established: "lost gracefully | Active",
    },
  ],
  [
    "OPEN",
    (rig) => rig.bytes("p>1", peerOpen(9)),
    {
      Connect: "| Connect",
      OpenSent: "send 4 on p>1 | OpenConfirm",
      OpenConfirm: "send 5.2 on p>1, close p>1 | Idle",
      Established: "send 5.3 on p>1, close p>1, lost | Idle",
    },
  ],
  [
    "KEEPALIVE",
    (rig) => rig.bytes("p>1", keepaliveBytes),
    {
      Connect: "| Connect",
      OpenSent: "send 5.1 on p>1, close p>1 | Idle",
      OpenConfirm: "established | Established",
      Established: "| Established",
    },
  ],
  [
    "UPDATE",
    (rig) => rig.bytes("p>1", update),
    {
      OpenSent: "send 5.1 on p>1, close p>1 | Idle",
      OpenConfirm: "send 5.2 on p>1, close p>1 | Idle",
      Established: "update | Established",
    },
  ],
  [
    "ROUTE-REFRESH",
    (rig) => rig.bytes("p>1", routeRefresh),
    {
      OpenSent: "send 5.1 on p>1, close p>1 | Idle",
      OpenConfirm: "send 5.2 on p>1, close p>1 | Idle",
      Established: "refresh | Established",
    },
  ],
  [
    "NOTIFICATION",
    (rig) => rig.bytes("p>1", cease),
    {
      OpenSent: "close p>1 | Idle",
      OpenConfirm: "close p>1 | Idle",
      Established: "close p>1, lost | Idle",
    },
  ],
  [
    "NOTIFICATION about the version",
    (rig) => rig.bytes("p>1", versionError),
    { OpenSent: "close p>1 | Idle", OpenConfirm: "close p>1 | Idle", Established: "close p>1, lost | Idle" },
  ],
  [
    "a broken header",
    (rig) => rig.bytes("p>1", unsynchronized),
    {
      OpenSent: "send 1.1 on p>1, close p>1 | Idle",
      OpenConfirm: "send 1.1 on p>1, close p>1 | Idle",
      Established: "send 1.1 on p>1, close p>1, lost | Idle",
    },
  ],
  [
    "a message of no known type",
    (rig) => rig.bytes("p>1", header(9, 19)),
    {
      OpenSent: "send 1.3 on p>1, close p>1 | Idle",
      OpenConfirm: "send 1.3 on p>1, close p>1 | Idle",
      Established: "send 1.3 on p>1, close p>1, lost | Idle",
    },
  ],
  [
    "a message that is too short",
    (rig) => rig.bytes("p>1", header(2, 22)),
    {
      OpenSent: "send 1.2 on p>1, close p>1 | Idle",
      OpenConfirm: "send 1.2 on p>1, close p>1 | Idle",
      Established: "send 1.2 on p>1, close p>1, lost | Idle",
    },
  ],
  [
    "silence until the hold timer expires",
    (rig) => rig.tickAt(1_000_000),
    {
      OpenSent: "send 4.0 on p>1, close p>1 | Idle",
      OpenConfirm: "send 4.0 on p>1, close p>1 | Idle",
      Established: "send 4.0 on p>1, close p>1, lost | Idle",
    },
  ],
  [
    "ConnectRetryTimer",
    (rig) => rig.tickAt(5000),
    {
      Idle: "| Idle",
      Connect: "close p>1, connect p>2 | Connect",
      Active: "connect p>2 | Connect",
      OpenSent: "| OpenSent",
    },
  ],
  [
    "KeepaliveTimer",
    (rig) => rig.tickAt(3000),
    { OpenConfirm: "send 4 on p>1 | OpenConfirm", Established: "send 4 on p>1 | Established" },
  ],
  [
    "the connection stands",
    (rig) => rig.up("p>1"),
    {
      Idle: "close p>1 | Idle",
      Connect: "send 1 on p>1 | OpenSent",
      Active: "close p>1 | Active",
    },
  ],
];

for (const [event, act, outcomes] of rows) {
  test(`${event}, in each state`, () => {
    const found = Object.keys(outcomes).map((name) => {
      const state = states.find((one) => one === name);
      assert.ok(state !== undefined);
      const rig = at(state);
      const did = act(rig).filter((one) => !one.includes("→"));
      return [state, `${did.join(", ")} | ${rig.session.state}`.trimStart()];
    });
    assert.deepEqual(Object.fromEntries(found), outcomes);
  });
}

const states: readonly SessionState[] = [
  "Idle",
  "Connect",
  "Active",
  "OpenSent",
  "OpenConfirm",
  "Established",
];

test("in OpenSent the hold timer is long, whatever hold time we propose; in OpenConfirm it is what was agreed on", () => {
  assert.equal(at("OpenSent").session.deadline, defaultTimers.openWaitMs);
  const rig = at("OpenSent");
  rig.bytes("p>1", peerOpen(9, { timers: { ...config.timers, holdTimeMs: 6000 } }));
  rig.tickAt(5999);
  assert.equal(rig.session.state, "OpenConfirm");
  assert.deepEqual(rig.tickAt(6000).slice(0, 2), ["send 4.0 on p>1", "close p>1"]);
});

test("every message that has its place restarts the hold timer", () => {
  for (const bytes of [keepaliveBytes, update, routeRefresh]) {
    const rig = at("Established");
    rig.now = 8000;
    rig.bytes("p>1", bytes);
    rig.tickAt(16_999);
    assert.equal(rig.session.state, "Established");
    assert.equal(rig.tickAt(17_000)[0], "send 4.0 on p>1");
  }
});

test("timers have jitter from three quarters to the whole (RFC 4271 §10)", () => {
  for (const [random, factor] of [
    [() => 0, 0.75],
    [() => 0.999_999, 1],
  ] as const) {
    const rig = new SessionRig({}, random).establish();
    assert.equal(Math.round(rig.session.deadline ?? 0), 3000 * factor, "keepalive");
    const trying = new SessionRig({}, random);
    trying.on({ kind: "ManualStart" });
    assert.equal(Math.round(trying.session.deadline ?? 0), 5000 * factor, "connect retry");
    const failed = new SessionRig({}, random).establish();
    failed.bytes("p>1", cease);
    assert.equal(Math.round(failed.session.deadline ?? 0), 5000 * factor, "idle hold");
  }
});

test("a stop forgets how often it was tried", () => {
  const rig = at("Active");
  rig.tickAt(5000);
  rig.on({ kind: "TcpConnectionFails", connection: "p>2", reason: "Connection refused" });
  rig.on({ kind: "ManualStop", cease: 2 });
  rig.on({ kind: "ManualStart" });
  rig.on({ kind: "TcpConnectionFails", connection: "p>3", reason: "Connection refused" });
  assert.equal(Math.round((rig.session.deadline ?? 0) - rig.now), defaultTimers.connectRetryMinMs);
});

test("a peer that knows no capabilities gets an OPEN without, once, and what is left of a session (RFC 5492 §3)", () => {
  const rig = at("OpenSent");
  const unsupported = { kind: "notification", code: 2, subcode: 4, data: new Uint8Array(0) } as const;
  assert.deepEqual(rig.bytes("p>1", encodeNotification(unsupported)), ["close p>1", "OpenSent → Active"]);
  rig.tickAt(rig.session.deadline ?? 0);
  rig.up("p>2");
  assert.equal(rig.sent.at(-1)?.length, 29, "an OPEN without parameters");
  rig.bytes("p>2", peerOpen(9, { saysCapabilities: false }));
  rig.bytes("p>2", keepaliveBytes);
  const { negotiated } = rig.session.established ?? {};
  assert.deepEqual(negotiated?.families, [4]);
  assert.equal(negotiated.as4 || negotiated.routeRefresh || negotiated.enhancedRefresh, false);
  rig.on({ kind: "TcpConnectionFails", connection: "p>2", reason: "Connection closed" });
  rig.tickAt(rig.session.deadline ?? 0);
  rig.up("p>3");
  assert.ok((rig.sent.at(-1)?.length ?? 0) > 29, "it may know them by now");
});

test("without capabilities there is no IPv6 and no four-octet AS, so such a refusal is an error as any", () => {
  for (const more of [{ families: [6] as const }, { localAsn: 4_200_000_000 }, { strictRole: true }]) {
    const rig = new SessionRig(more);
    rig.on({ kind: "ManualStart" });
    rig.up("p>1");
    const unsupported = { kind: "notification", code: 2, subcode: 4, data: new Uint8Array(0) } as const;
    rig.bytes("p>1", encodeNotification(unsupported));
    assert.equal(rig.session.state, "Idle");
  }
});
