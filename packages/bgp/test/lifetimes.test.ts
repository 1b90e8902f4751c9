/**
 * How long routes live: past their session (RFC 4724, 8538), past its restart time (RFC 9494), and not at all beyond a
 * limit (RFC 4486). A test plays the peers of one speaker in virtual time, and looks at its table and at what it says.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import { Ipv4, Prefix } from "@caracal/net";
import { type PeerInput, WellKnownCommunity } from "../src/index.ts";
import { maxPrefixesDefaults } from "../src/speaker/max-prefixes.ts";
import { type SessionConfig } from "../src/session/session-config.ts";
import { encodeNotification, hardReset } from "../src/wire/notification.ts";
import { encodeNlri } from "../src/wire/nlri.ts";
import { UpdateWriter } from "../src/wire/update-writer.ts";
import { addressOf } from "./simulation.ts";
import { Rig } from "./speaker-rig.ts";

const { llgrStale, noLlgr, noExport } = WellKnownCommunity;

/** Prefixes of the table with a mark: `~` stale, `*` best. */
function table(rig: Rig): string[] {
  return rig.speaker
    .routes()
    .map(({ prefix, stale, best, source }) => {
      const name = source.kind === "peer" ? source.name : "local";
      return `${Prefix.format(prefix)} ${name}${stale ? "~" : ""}${best ? "*" : ""}`;
    })
    .toSorted();
}

const longLived: Partial<PeerInput> = { longLivedTimeS: 3600 };
const theirs: Partial<SessionConfig> = { restartTimeS: 100, longLivedTimeS: 1000 };

/** Peer 1 with two routes, one of them not to be kept long; peers 2 and 3 listen. */
function longLivedRig(
  more: Partial<PeerInput> = {},
  listeners: readonly (Partial<SessionConfig> & { readonly asn: number })[] = [],
): Rig {
  const rig = new Rig([65001, ...listeners.map(({ asn }) => asn)], {}, { ...longLived, ...more });
  rig.up(1, 65001, theirs);
  for (const [index, { asn, ...config }] of listeners.entries()) rig.up(index + 2, asn, config);
  rig.announce(1, "10.1.0.0/16", {});
  rig.announce(1, "10.2.0.0/16", { communities: [noLlgr] });
  rig.endOfRib(1);
  return rig;
}

test("a peer that was silent for the hold time keeps its routes for the restart time, if both ends said so", () => {
  for (const restartOnNotification of [true, false]) {
    const rig = new Rig([65001], {}, { restartOnNotification });
    rig.up(1, 65001);
    rig.announce(1, "10.1.0.0/16", {});
    rig.pass(240_000);
    assert.equal(rig.speaker.peers(rig.now)[0]?.lastError, "BGP Error: Hold timer expired");
    assert.deepEqual(table(rig), restartOnNotification ? ["10.1.0.0/16 p1~*"] : []);
    rig.pass(100_000);
    assert.deepEqual(table(rig), []);
  }
});

test("a NOTIFICATION keeps routes, a hard reset does not", () => {
  const cease = { kind: "notification" as const, code: 6, subcode: 4, data: new Uint8Array(0) };
  for (const [said, left] of [
    [cease, ["10.1.0.0/16 p1~*"]],
    [hardReset(cease), []],
  ] as const) {
    const rig = new Rig([65001]);
    rig.up(1, 65001);
    rig.announce(1, "10.1.0.0/16", {});
    rig.bytes(1, encodeNotification(said));
    assert.deepEqual(table(rig), left);
  }
});

test("a peer that returns loses what it does not say again; one that says nothing of the family, all at once", () => {
  const rig = new Rig([65001]);
  rig.up(1, 65001);
  rig.announce(1, "10.1.0.0/16", {});
  rig.announce(1, "10.2.0.0/16", {});
  rig.lose(1);
  rig.pass(5000);
  rig.up(1, 65001);
  rig.announce(1, "10.1.0.0/16", {});
  assert.deepEqual(table(rig), ["10.1.0.0/16 p1*", "10.2.0.0/16 p1~*"]);
  rig.endOfRib(1);
  assert.deepEqual(table(rig), ["10.1.0.0/16 p1*"]);
  rig.lose(1);
  rig.pass(5000);
  rig.up(1, 65001, { restartTimeS: undefined });
  assert.deepEqual(table(rig), []);
});

test("a second restart before End-of-RIB takes what was stale already", () => {
  const rig = new Rig([65001]);
  rig.up(1, 65001);
  rig.announce(1, "10.1.0.0/16", {});
  rig.announce(1, "10.2.0.0/16", {});
  rig.lose(1);
  rig.pass(5000);
  rig.up(1, 65001);
  rig.announce(1, "10.1.0.0/16", {});
  rig.lose(1);
  assert.deepEqual(table(rig), ["10.1.0.0/16 p1~*"]);
});

test("after the restart time routes are the last choice, marked, and for the time that both ends agreed on", () => {
  const rig = longLivedRig({}, [{ asn: 65002 }]);
  rig.lose(1);
  rig.pass(99_999);
  assert.deepEqual(table(rig), ["10.1.0.0/16 p1~*", "10.2.0.0/16 p1~*"]);
  assert.deepEqual(rig.facts("longLivedRoutesKept"), []);
  rig.pass(1);
  assert.deepEqual(table(rig), ["10.1.0.0/16 p1~*"], "NO_LLGR is not kept");
  assert.deepEqual(rig.toldWith(2, "10.1.0.0/16")?.communities, [llgrStale]);
  assert.deepEqual(rig.told(2), ["10.1.0.0/16 via 10.0.0.100", "End-of-RIB"]);
  assert.deepEqual(
    rig.facts("longLivedRoutesKept").map(({ peer, family, count }) => ({ peer, family, count })),
    [{ peer: "p1", family: 4, count: 1 }],
  );
  rig.announce(2, "10.1.0.0/16", { path: [65002, 1, 2, 3] });
  assert.deepEqual(table(rig), ["10.1.0.0/16 p1~", "10.1.0.0/16 p2*"], "anything else is better");
  rig.withdraw(2, "10.1.0.0/16");
  rig.pass(999_999);
  assert.deepEqual(table(rig), ["10.1.0.0/16 p1~*"]);
  rig.pass(1);
  assert.deepEqual(table(rig), []);
});

test("a filter that changes meanwhile leaves the mark", () => {
  const rig = longLivedRig();
  rig.lose(1);
  rig.pass(100_000);
  const filter = { rules: [{ set: { med: 7 }, action: "accept" as const }], otherwise: "accept" as const };
  const policy = { name: "new", direction: "import", peerType: "eBGP", filters: [filter] } as const;
  rig.handle({ kind: "policies", policies: [policy] });
  const peers = rig.peers.map((peer) => ({ ...peer, importPolicy: "new" }));
  rig.handle({ kind: "peers", peers });
  const { med, communities } = rig.speaker.routes()[0]?.attributes ?? {};
  assert.deepEqual([med, communities], [7, [llgrStale]]);
});

test("an export filter that replaces communities leaves the mark", () => {
  const filter = {
    rules: [{ set: { communities: { set: ["1:1"] } }, action: "accept" as const }],
    otherwise: "accept" as const,
  };
  const policy = { name: "plain", direction: "export", peerType: "eBGP", filters: [filter] } as const;
  const rig = longLivedRig({ exportPolicy: "plain" }, [{ asn: 65002 }]);
  rig.handle({ kind: "policies", policies: [policy] });
  rig.lose(1);
  rig.pass(100_000);
  assert.deepEqual(rig.toldWith(2, "10.1.0.0/16")?.communities, [0x10001, llgrStale]);
});

test("without a restart time the long-lived one begins at once; without our own consent, not at all", () => {
  const rig = new Rig([65001], {}, longLived);
  rig.up(1, 65001, { restartTimeS: 0, longLivedTimeS: 50 });
  rig.announce(1, "10.1.0.0/16", {});
  rig.lose(1);
  assert.deepEqual(rig.speaker.routes()[0]?.attributes.communities, [llgrStale]);
  rig.pass(50_000);
  assert.deepEqual(table(rig), []);
  const aware = new Rig([65001]);
  aware.up(1, 65001, theirs);
  aware.announce(1, "10.1.0.0/16", {});
  aware.lose(1);
  aware.pass(100_000);
  assert.deepEqual(table(aware), []);
});

test("our own time bounds the peer's", () => {
  const rig = longLivedRig({ longLivedTimeS: 10 });
  rig.lose(1);
  rig.pass(109_999);
  assert.equal(table(rig).length, 1);
  rig.pass(1);
  assert.equal(table(rig).length, 0);
});

test("the long-lived time goes on over a return until End-of-RIB, and over a second loss before that", () => {
  const rig = longLivedRig();
  rig.lose(1);
  rig.pass(600_000);
  rig.up(1, 65001, theirs);
  rig.announce(1, "10.3.0.0/16", {});
  rig.lose(1);
  assert.deepEqual(
    rig.speaker.routes().map(({ attributes }) => attributes.communities),
    [[llgrStale], [llgrStale]],
    "what was said in between is as old as the rest",
  );
  rig.pass(499_999);
  assert.equal(table(rig).length, 2);
  rig.pass(1);
  assert.deepEqual(table(rig), []);
});

test("a time that ends between return and End-of-RIB takes what was not said again, and all at the next loss", () => {
  const rig = longLivedRig();
  rig.lose(1);
  rig.pass(1_000_000);
  rig.up(1, 65001, theirs);
  rig.announce(1, "10.3.0.0/16", {});
  rig.pass(100_000);
  assert.deepEqual(table(rig), ["10.3.0.0/16 p1*"]);
  rig.lose(1);
  assert.deepEqual(table(rig), []);
});

test("the same route said again loses the mark", () => {
  const rig = longLivedRig({}, [{ asn: 65002 }]);
  rig.lose(1);
  rig.pass(200_000);
  rig.up(1, 65001, theirs);
  rig.announce(1, "10.1.0.0/16", {});
  rig.endOfRib(1);
  assert.deepEqual(table(rig), ["10.1.0.0/16 p1*"]);
  assert.equal(rig.toldWith(2, "10.1.0.0/16")?.communities, undefined);
});

test("a peer that does not keep up the forwarding loses the rest when it returns", () => {
  const rig = longLivedRig();
  rig.lose(1);
  rig.pass(200_000);
  rig.up(1, 65001, { restartTimeS: 100 });
  assert.deepEqual(table(rig), []);
});

test("who knows nothing of LLGR_STALE is not told, or as the last choice inside the AS", () => {
  const old: Partial<SessionConfig> = { restartTimeS: undefined };
  const listeners = [{ asn: 65002, ...old }, { asn: 64512, ...old }, { asn: 64512 }];
  for (const longLivedPartial of [false, true]) {
    const rig = longLivedRig({ longLivedPartial }, listeners);
    rig.lose(1);
    rig.pass(100_000);
    assert.deepEqual(rig.told(2), ["End-of-RIB"]);
    assert.equal(rig.told(3).length, longLivedPartial ? 2 : 1);
    if (longLivedPartial) {
      const { localPref, communities } = rig.toldWith(3, "10.1.0.0/16") ?? {};
      assert.deepEqual([localPref, communities], [0, [llgrStale, noExport]]);
    }
    assert.equal(rig.toldWith(4, "10.1.0.0/16")?.localPref, 100);
  }
});

const limited = (more: object = {}): Partial<PeerInput> => ({
  maxPrefixes: { ...maxPrefixesDefaults, limit: 4, ...more },
});

function announceMany(rig: Rig, count: number): void {
  for (let index = 0; index < count; index += 1) rig.announce(1, `10.${index}.0.0/16`, {});
}

test("a limit warns at its share, and ends the session beyond it with Cease/1, for a time", () => {
  const rig = new Rig([65001], {}, { ...limited(), restartOnNotification: false });
  rig.up(1, 65001);
  announceMany(rig, 2);
  assert.deepEqual(rig.facts("prefixLimit"), []);
  announceMany(rig, 4);
  assert.deepEqual(rig.facts("prefixLimit"), [
    { kind: "prefixLimit", peer: "p1", family: 4, count: 3, limit: 4, stage: "near", action: "restart" },
  ]);
  const effects = rig.announce(1, "10.9.0.0/16", {});
  const sent = effects.flatMap((effect) => (effect.kind === "send" ? [effect.bytes.toHex().slice(36)] : []));
  assert.deepEqual(sent, ["030601" + "000101" + "00000004"], "RFC 4486 §4: family and limit");
  assert.deepEqual(table(rig), []);
  assert.equal(rig.facts("prefixLimit").at(-1)?.stage, "reached");
  const [peer] = rig.speaker.peers(rig.now);
  assert.deepEqual([peer?.state, peer?.lastError], ["Idle", "BGP Error: Maximum number of prefixes reached"]);
  rig.pass(299_999);
  assert.equal(rig.speaker.peers(rig.now)[0]?.state, "Idle");
  rig.pass(1);
  rig.up(1, 65001);
  assert.equal(rig.speaker.peers(rig.now)[0]?.state, "Established");
});

test("a disabled peer stays away until it is reset", () => {
  const rig = new Rig([65001], {}, limited({ action: "disable" }));
  rig.up(1, 65001);
  announceMany(rig, 5);
  rig.pass(86_400_000);
  rig.up(1, 65001);
  assert.equal(rig.speaker.peers(rig.now)[0]?.state, "Idle");
  rig.handle({ kind: "reset", peer: "p1" });
  rig.up(1, 65001);
  assert.equal(rig.speaker.peers(rig.now)[0]?.state, "Established");
});

test("a warning alone leaves session and routes; it is not said again for every route", () => {
  const rig = new Rig([65001], {}, limited({ action: "warn" }));
  rig.up(1, 65001);
  announceMany(rig, 9);
  for (let round = 0; round < 10; round += 1) {
    rig.withdraw(1, "10.8.0.0/16");
    rig.announce(1, "10.8.0.0/16", { med: round });
  }
  assert.equal(table(rig).length, 9);
  assert.deepEqual(
    rig.facts("prefixLimit").map(({ stage }) => stage),
    ["near", "reached"],
  );
  for (let index = 0; index < 9; index += 1) rig.withdraw(1, `10.${index}.0.0/16`);
  announceMany(rig, 3);
  assert.equal(rig.facts("prefixLimit").at(-1)?.stage, "near", "again after it was far below");
});

test("a blocked peer keeps what came first, changes it and makes room by withdrawing", () => {
  const rig = new Rig([65001], {}, limited({ action: "block" }));
  rig.up(1, 65001);
  announceMany(rig, 9);
  assert.deepEqual(
    table(rig),
    [0, 1, 2, 3].map((index) => `10.${index}.0.0/16 p1*`),
  );
  rig.announce(1, "10.0.0.0/16", { med: 7 });
  assert.equal(rig.speaker.routes()[0]?.attributes.med, 7);
  rig.withdraw(1, "10.0.0.0/16");
  rig.announce(1, "10.8.0.0/16", {});
  assert.equal(table(rig).length, 4);
  assert.equal(rig.facts("prefixLimit").at(-1)?.stage, "reached");
});

test("what is stale does not count, so a peer may come back with other routes", () => {
  const rig = new Rig([65001], {}, limited());
  rig.up(1, 65001);
  announceMany(rig, 4);
  rig.lose(1);
  rig.pass(5000);
  rig.up(1, 65001);
  for (let index = 4; index < 8; index += 1) rig.announce(1, `10.${index}.0.0/16`, {});
  assert.equal(table(rig).length, 8);
  rig.endOfRib(1);
  assert.equal(table(rig).length, 4);
  assert.equal(rig.speaker.peers(rig.now)[0]?.state, "Established");
});

test("a limit that is lowered under a running session is kept from then on", () => {
  const rig = new Rig([65001]);
  rig.up(1, 65001);
  announceMany(rig, 9);
  rig.handle({ kind: "peers", peers: rig.peers.map((peer) => ({ ...peer, ...limited() })) });
  assert.equal(rig.speaker.peers(rig.now)[0]?.state, "Idle");
  assert.deepEqual(table(rig), []);
});

test("a flood of 1,000,000 prefixes past a limit ends early, with little in the tables", () => {
  const rig = new Rig([65001], {}, { maxPrefixes: { ...maxPrefixesDefaults, limit: 1000 } });
  rig.up(1, 65001);
  const writer = new UpdateWriter({ family: 4, addPath: false, as4: true });
  const attributes = {
    origin: 0,
    asPath: [{ kind: "sequence", asns: [65001] }],
    nextHop: addressOf("10.0.0.1"),
  } as const;
  const perSet = 100;
  let most = 0;
  for (let first = 0; first < 1_000_000; first += perSet) {
    writer.announce({ ...attributes, med: first }, perSet, (out, index) => {
      encodeNlri(
        out,
        { prefix: Prefix.of(Ipv4.of((0x0b00_0000 + (first + index) * 16) >>> 0), 28), pathId: 0 },
        false,
      );
    });
    if (writer.length < 65_536) continue;
    rig.bytes(1, writer.take());
    const { routes4, attributeSets } = rig.speaker.sizes;
    most = Math.max(most, routes4 + attributeSets);
  }
  assert.equal(rig.speaker.peers(rig.now)[0]?.state, "Idle");
  assert.equal(rig.speaker.sizes.routes4, 0);
  assert.ok(most < 2200, `${most} routes and attribute sets at once`);
  assert.ok(rig.facts("prefixLimit").every(({ count }) => count <= 1100));
});
