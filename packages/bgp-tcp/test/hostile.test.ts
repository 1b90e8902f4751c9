/**
 * Peers and strangers that mean no good, on real sockets over loopback: they drip, stall, stay silent, flood, knock, reset.
 * Each time another peer must not notice, and nothing may stay behind. Hold times pass thirty times as fast.
 */
import assert from "node:assert/strict";
import { readdirSync } from "node:fs";
import { connect } from "node:net";
import { type TestContext, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { type PeerInput, type SpeakerFact, defaultTimers } from "@caracal/bgp";
import { IpAddress, Ipv4, Prefix } from "@caracal/net";
import { eventually, freePorts } from "@caracal/testbed";
import { hex, message, rawKeepalive, rawOpen, rawUpdate } from "../../bgp/test/raw-message.ts";
import { BgpServer } from "../src/index.ts";
import { RawPeer, fastClock } from "./raw-peer.ts";

const quick = {
  connectDelayMs: 0,
  connectRetryMinMs: 2000,
  connectRetryMs: 20_000,
  errorWaitMinMs: 500,
  errorWaitMaxMs: 2000,
};
const timers = { ...defaultTimers, ...quick };
/** A peer gets 30 s, of which thirty go by in one. */
const strict = { ...timers, openWaitMs: 30_000, holdTimeMs: 30_000, keepaliveMs: 10_000 };
/** Where time is not the matter: a busy machine must not make a session look late. */
const calm = { ...timers, openWaitMs: 1e7, holdTimeMs: 0, keepaliveMs: 0 };
const good = ["40010100", "40020602010000fde9", "4003047f000002"];

function ip(number: number): IpAddress {
  const address = IpAddress.parse(`127.0.0.${number}`);
  assert.ok(address !== undefined);
  return address;
}

interface Scene {
  readonly server: BgpServer;
  readonly port: number;
  readonly facts: SpeakerFact[];
  /** Another peer, of another speaker of ours: it must stay up and hear all. */
  readonly friend: BgpServer;
}

/**
 * A server of AS 64512 at 127.0.0.1 with a peer of AS 65001 at 127.0.0.2, which a test plays, another at 127.0.0.3, and an
 * honest one of AS 65009 at 127.0.0.9, all Established or waiting.
 */
async function scene(t: TestContext, peer: Partial<PeerInput> = {}, clockFactor = 30): Promise<Scene> {
  const [port = 0] = await freePorts(1);
  const facts: SpeakerFact[] = [];
  const clock = fastClock(clockFactor);
  const options = {
    clock,
    routerId: Ipv4.of(0x7f000001),
    asn: 64512,
    onFact: (fact: SpeakerFact) => facts.push(fact),
  };
  const server = new BgpServer({ ...options, listen: [{ address: ip(1), port }] });
  const friend = new BgpServer({ clock, routerId: Ipv4.of(0x7f000009), asn: 65009, listen: [] });
  t.after(() => Promise.all([friend.stop({ graceful: true }), server.stop({ graceful: true })]));
  await server.start();
  await friend.start();
  const bad = { timers: strict, passive: true, families: [4] as const, addPathReceive: false, ...peer };
  server.setPeers([
    { name: "bad", address: ip(2), asn: 65001, ...bad },
    { name: "worse", address: ip(3), asn: 65001, ...bad },
    { name: "friend", address: ip(9), asn: 65009, timers: calm, passive: true },
  ]);
  server.setOrigins([{ prefix: prefixOf("10.1.0.0/16") }]);
  friend.setPeers([{ name: "s", address: ip(1), port, asn: 64512, timers: calm, sourceAddress: ip(9) }]);
  await eventually(() => stateOf(server, "friend") === "Established" && friend.routes().length === 1);
  return { server, port, facts, friend };
}

function prefixOf(text: string): Prefix {
  const prefix = Prefix.parse(text);
  assert.ok(prefix !== undefined);
  return prefix;
}

function stateOf(server: BgpServer, name: string): string | undefined {
  return server.peers().find((one) => one.name === name)?.state;
}

/** The friend's session never went down, and news still reach it. */
async function assertUnaffected({ server, friend, facts }: Scene, round = 0): Promise<void> {
  const lost = facts.filter(
    (fact) => fact.kind === "sessionState" && fact.peer === "friend" && fact.from === "Established",
  );
  assert.deepEqual(lost, []);
  server.setOrigins([{ prefix: prefixOf(`10.2.${round}.0/24`) }]);
  await eventually(() => friend.routes(prefixOf(`10.2.${round}.0/24`)).length === 1);
}

async function establish(
  t: TestContext,
  { facts, port }: Scene,
  holdTimeS = 30,
  number = 2,
): Promise<RawPeer> {
  const before = facts.length;
  const peer = await RawPeer.connect(t, port, number);
  peer.write(rawOpen({ holdTimeS }), rawKeepalive);
  const name = number === 2 ? "bad" : "worse";
  const isUp = (fact: SpeakerFact): boolean =>
    fact.kind === "sessionState" && fact.peer === name && fact.to === "Established";
  await eventually(() => facts.slice(before).some(isUp));
  return peer;
}

test("a connection that never sends OPEN is told so and closed (RFC 4271 §8.2.2)", async (t) => {
  const all = await scene(t);
  const peer = await RawPeer.connect(t, all.port, 2);
  await eventually(() => peer.isClosed);
  assert.equal(peer.notification, "4.0");
  await assertUnaffected(all);
});

test("of connections of one peer that never send OPEN only the last one is kept open", async (t) => {
  const all = await scene(t, { timers: calm });
  const peers: RawPeer[] = [];
  for (let count = 0; count < 20; count += 1) peers.push(await RawPeer.connect(t, all.port, 2));
  await eventually(() => peers.filter((one) => !one.isClosed).length === 1);
  peers.at(-1)?.write(rawOpen(), rawKeepalive);
  await eventually(() => stateOf(all.server, "bad") === "Established");
  await assertUnaffected(all);
});

test("bytes that drip in do not count as life: OPEN and UPDATE must be whole in time", async (t) => {
  const all = await scene(t);
  const open = await RawPeer.connect(t, all.port, 2);
  const update = await establish(t, all, 30, 3);
  const stop = new AbortController();
  const drips = [
    drip(open, message(1, "04".padEnd(8000, "0")), stop.signal),
    drip(update, message(2, "0000".padEnd(8000, "0")), stop.signal),
  ];
  await eventually(() => open.isClosed && update.isClosed);
  stop.abort();
  await Promise.all(drips);
  assert.equal(open.notification, "4.0");
  assert.equal(update.notification, "4.0");
  await assertUnaffected(all);
});

/** One byte every few milliseconds. */
async function drip(peer: RawPeer, bytes: Uint8Array, signal: AbortSignal): Promise<void> {
  for (let at = 0; at < bytes.length && !signal.aborted && !peer.isClosed; at += 1) {
    peer.write(bytes.subarray(at, at + 1));
    await sleep(3);
  }
}

test("a peer that falls silent is given up when the hold time is over, and its routes go", async (t) => {
  const all = await scene(t);
  const peer = await establish(t, all);
  peer.write(rawUpdate(good));
  await eventually(() => {
    peer.write(rawKeepalive);
    return all.friend.routes(prefixOf("10.0.0.0/8")).length === 1;
  });
  await eventually(() => peer.isClosed);
  assert.equal(peer.notification, "4.0");
  await eventually(() => all.friend.routes(prefixOf("10.0.0.0/8")).length === 0);
  await assertUnaffected(all);
});

/** Has so many bytes told that a peer who does not read fills its window and our queue; the friend takes all of it. */
async function tellMuch({ server, friend }: Scene, rounds: number): Promise<void> {
  const communities = Array.from({ length: 200 }, (_, index) => index);
  for (let round = 1; round <= rounds; round += 1) {
    const routes = Array.from({ length: 3000 }, (_, index) => ({
      prefix: Prefix.of(Ipv4.of(0x0b000000 + index * 256), 24),
      communities: [...communities, index],
      med: round,
    }));
    server.setOrigins(routes);
    const [first] = routes;
    assert.ok(first !== undefined);
    const isTold = (): boolean => friend.routes(first.prefix)[0]?.attributes.med === round;
    await eventually(isTold);
  }
}

test("a peer whose window is shut costs a bounded queue and delays nobody", async (t) => {
  const all = await scene(t, { timers: { ...calm, sendHoldMs: 0 } });
  const peer = await establish(t, all, 0);
  peer.socket.pause();
  await tellMuch(all, 7);
  assert.ok(all.server.queuedBytes < 64 << 20, `${all.server.queuedBytes} bytes wait`);
  peer.socket.resume();
  await eventually(() => all.server.queuedBytes === 0);
  assert.equal(stateOf(all.server, "bad"), "Established");
  await assertUnaffected(all);
});

test("a peer whose window stays shut is given up when the send hold time is over (RFC 9687)", async (t) => {
  const all = await scene(t, { timers: { ...calm, sendHoldMs: 50_000 } });
  const peer = await establish(t, all, 0);
  peer.write(rawUpdate(good));
  await eventually(() => all.friend.routes(prefixOf("10.0.0.0/8")).length === 1);
  peer.socket.pause();
  await tellMuch(all, 4);
  await eventually(() => stateOf(all.server, "bad") !== "Established");
  await eventually(() => all.friend.routes(prefixOf("10.0.0.0/8")).length === 0);
  await eventually(() => all.server.queuedBytes === 0);
  await assertUnaffected(all);
});

/** UPDATEs that announce `count` /24s from `first` on, as full as they may be. */
function flood(first: number, count: number, med: number): Uint8Array {
  const attributes = [...good, `800404${hex(med, 4)}`];
  const parts: string[] = [];
  for (let from = 0; from < count; from += 900) {
    const prefixes: string[] = [];
    for (let index = from; index < Math.min(count, from + 900); index += 1) {
      prefixes.push(`18${hex(first + index, 3)}`);
    }
    parts.push(Buffer.from(rawUpdate(attributes, prefixes.join(""))).toString("hex"));
  }
  return Buffer.from(parts.join(""), "hex");
}

test("a flood of a million routes past the maximum ends that session, with no more kept than the maximum", async (t) => {
  const limit = 100_000;
  const maxPrefixes = { limit, warnPercent: 75, action: "restart", restartAfterMs: 1e9 } as const;
  const all = await scene(t, { maxPrefixes, timers: calm });
  const peer = await establish(t, all, 0);
  let most = 0;
  const watch = setInterval(() => (most = Math.max(most, all.server.sizes.routes4)), 1);
  t.after(() => clearInterval(watch));
  peer.write(flood(0x0b0000, 1_000_000, 1));
  await eventually(() => peer.isClosed);
  assert.match(peer.notification ?? peer.error ?? "", /^6\.1|ECONNRESET|EPIPE/);
  // What stands in one read is taken or left as a whole.
  assert.ok(most <= limit + 100_000, `${most} routes`);
  await eventually(() => all.server.sizes.routes4 === 1);
  await assertUnaffected(all);
});

test("a flood of the same prefixes with ever other attributes takes the memory of one table", async (t) => {
  const all = await scene(t, { timers: calm });
  const peer = await establish(t, all, 0);
  const [count, rounds] = [50_000, 20];
  for (let round = 1; round <= rounds; round += 1) peer.write(flood(0x0b0000, count, round));
  const last = prefixOf("11.0.0.0/24");
  await eventually(() => all.friend.routes().length === count + 1);
  await eventually(() => all.server.routes(last)[0]?.attributes.med === rounds);
  const { routes4, attributeSets } = all.server.sizes;
  assert.equal(routes4, count + 1);
  assert.ok(attributeSets < 50, `${attributeSets} attribute sets`);
  peer.socket.resetAndDestroy();
  all.server.setPeers([]);
  assert.equal(all.server.sizes.routes4, 1);
});

/** Open descriptors of this process, which is both ends. */
function descriptors(): number {
  return readdirSync("/proc/self/fd").length;
}

test("ten thousand strangers knock: each is refused, none leaves a socket or memory behind", async (t) => {
  // In true time: how much is told depends on how long it takes.
  const all = await scene(t, {}, 1);
  const before = descriptors();
  const knock = async (): Promise<void> => {
    const socket = connect({ host: "127.0.0.1", port: all.port, localAddress: "127.0.0.66" });
    socket.on("error", () => undefined);
    socket.on("connect", () => socket.write(rawOpen()));
    socket.resume();
    await new Promise<void>((resolve) => socket.once("close", () => resolve()));
  };
  let heapAfterFirst = 0;
  for (let round = 0; round < 50; round += 1) {
    await Promise.all(Array.from({ length: 200 }, knock));
    if (round === 9) heapAfterFirst = process.memoryUsage().heapUsed;
  }
  assert.equal(all.server.refusedCount, 10_000);
  const told = all.facts.filter((fact) => fact.kind === "refused");
  assert.ok(told.length < 100, `${told.length} lines for a log`);
  await eventually(() => descriptors() <= before + 10);
  const grown = process.memoryUsage().heapUsed - heapAfterFirst;
  assert.ok(grown < 64 << 20, `${grown} bytes more after 8,000 further knocks`);
  await assertUnaffected(all);
});

test("a range of peers is filled by strangers up to its bound, and has room again when they are gone", async (t) => {
  const all = await scene(t);
  const template = { asn: 65001, timers: strict };
  const maxPeers = 10;
  const range = { name: "r", prefix: prefixOf("127.2.0.0/16"), template, maxPeers, forgetAfterMs: 1000 };
  const configured = all.server.peers().length;
  const friend = { name: "friend", address: ip(9), asn: 65009, timers: calm, passive: true };
  all.server.setPeers([friend], new Map(), [range]);
  const strangers = await Promise.all(
    Array.from({ length: 60 }, (_, index) => RawPeer.connect(t, all.port, `127.2.1.${index + 1}`)),
  );
  await eventually(() => strangers.filter((one) => one.isClosed).length >= 60 - maxPeers);
  assert.ok(all.server.peers().length <= configured + maxPeers);
  // Those who got in never say who they are, which costs them their place.
  await eventually(() => strangers.every((one) => one.isClosed));
  await eventually(async () => {
    const honest = await RawPeer.connect(t, all.port, "127.2.9.9");
    honest.write(rawOpen({ holdTimeS: 30 }), rawKeepalive);
    await eventually(() => honest.isClosed || stateOf(all.server, "r@127.2.9.9") === "Established");
    return !honest.isClosed;
  });
  await assertUnaffected(all);
});

test("a reset in the middle of a message costs that session alone, and the peer may return at once", async (t) => {
  const all = await scene(t, { timers: calm });
  const whole = [rawOpen({ holdTimeS: 0 }), rawKeepalive, rawUpdate(good)];
  const bytes = Uint8Array.from(whole.flatMap((one) => [...one]));
  for (let round = 0; round < 25; round += 1) {
    const peer = await RawPeer.connect(t, all.port, 2);
    peer.write(bytes.subarray(0, 1 + Math.floor((round * bytes.length) / 25)));
    await eventually(() => peer.heard.length > 0 || peer.isClosed);
    peer.socket.resetAndDestroy();
    await eventually(() => ["Active", "Idle"].includes(stateOf(all.server, "bad") ?? ""));
    // After an error it waits; the next knock is heard when it waits no more.
    await eventually(() => stateOf(all.server, "bad") === "Active");
  }
  const peer = await establish(t, all, 0);
  peer.write(rawUpdate(good));
  await eventually(() => all.friend.routes(prefixOf("10.0.0.0/8")).length === 1);
  await assertUnaffected(all);
});

test("malformed messages of every class over sockets end sessions, never the server", async (t) => {
  const all = await scene(t, { timers: calm });
  const rows: readonly (readonly [Uint8Array, string])[] = [
    [new Uint8Array(19), "1.1"],
    [message(9, ""), "1.3 09"],
    [message(2, "ffff0000"), "3.1"],
    [rawUpdate([...good, "40ee0101"]), "3.2 40ee0101"],
    [rawUpdate(good, "21"), "3.10"],
    [message(5, "00"), `7.1 ${"ff".repeat(16)}00140500`],
    [rawOpen(), "5.3"],
  ];
  for (const [round, [bytes, expected]] of rows.entries()) {
    await eventually(() => stateOf(all.server, "bad") === "Active");
    const peer = await establish(t, all, 0);
    peer.write(bytes);
    await eventually(() => peer.isClosed);
    assert.equal(peer.notification, expected);
    await assertUnaffected(all, round);
  }
});

test("an unknown transitive attribute goes from one peer to another byte for byte, with the partial bit", async (t) => {
  const all = await scene(t, { timers: calm });
  const value = "00ff".repeat(60);
  const from = await establish(t, all, 0, 2);
  const to = await RawPeer.connect(t, all.port, 3);
  // The receiver's AS is another one here, or the path would be its own.
  to.write(rawOpen({ holdTimeS: 0 }), rawKeepalive);
  from.write(rawUpdate([...good, `c0ee78${value}`]));
  await eventually(() => to.updates.includes(`e0ee78${value}`));
  await assertUnaffected(all);
});
