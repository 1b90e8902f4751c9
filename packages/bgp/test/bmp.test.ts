/**
 * What a monitoring station hears (RFC 7854). Single messages are compared byte for byte with the RFC's drawings; then a
 * speaker is played with, its events and effects go through the monitor, and the station's side is read back.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import { type IpAddress, Ipv4, Reader } from "@caracal/net";
import {
  BmpMonitor,
  type Policies,
  Speaker,
  type SpeakerEvent,
  TerminationReason,
  encodeInitiation,
  encodeTermination,
  everythingReachable,
  formatEvent,
  parseEvent,
  peerConfig,
  speakerDefaults,
} from "../src/index.ts";
import {
  encodePeerDown,
  encodePeerUp,
  encodeRouteMonitoring,
  encodeStatistics,
} from "../src/bmp/bmp-messages.ts";
import { buildOpen } from "../src/session/negotiated.ts";
import { keepaliveBytes } from "../src/wire/message.ts";
import { encodeNlri } from "../src/wire/nlri.ts";
import { encodeNotification } from "../src/wire/notification.ts";
import { encodeOpen } from "../src/wire/open.ts";
import { UpdateWriter } from "../src/wire/update-writer.ts";
import { quickTimers } from "./simulation.ts";
import { addressOf, routeSnapshot } from "./snapshots.ts";

const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString("hex");
const message = (type: string, ...parts: readonly string[]): string => {
  const body = parts.join("");
  return `03${(6 + body.length / 2).toString(16).padStart(8, "0")}${type}${body}`;
};

const four = { address: addressOf("192.0.2.1"), asn: 65001, bgpId: Ipv4.of(0x0a000001), as4: true };
const six = { ...four, address: addressOf("2001:db8::1"), as4: false };
/** Peer type, flags, distinguisher, address, AS, identifier, time. */
const fourHeader = `0000${"0".repeat(16)}${"0".repeat(24)}c00002010000fde90a000001000000020007a120`;
const sixHeader = `00a0${"0".repeat(16)}20010db80000000000000000000000010000fde90a000001000000020007a120`;
const now = 2500;

test("initiation and termination are information by type and length", () => {
  assert.equal(
    hex(encodeInitiation({ name: "r1", description: "C" })),
    message("04", "0001000143", "000200027231"),
  );
  assert.equal(hex(encodeTermination(TerminationReason.outOfResources)), message("05", "000100020002"));
});

test("the header of a peer, IPv4 and IPv6 with two-octet AS paths", () => {
  const update = Uint8Array.of(1, 2, 3);
  assert.equal(hex(encodeRouteMonitoring(four, update, now)), message("00", fourHeader, "010203"));
  assert.equal(hex(encodeRouteMonitoring(six, update, now)), message("00", sixHeader, "010203"));
});

test("a peer comes up with both ends and both OPENs", () => {
  const up = {
    localAddress: addressOf("192.0.2.9"),
    localPort: 179,
    remotePort: 40000,
    sentOpen: Uint8Array.of(1),
    receivedOpen: Uint8Array.of(2),
  };
  assert.equal(
    hex(encodePeerUp(four, up, now)),
    message("03", fourHeader, "0".repeat(24), "c0000209", "00b3", "9c40", "01", "02"),
  );
});

test("a peer goes down for one of four reasons", () => {
  const notification = Uint8Array.of(9);
  const down = (how: Parameters<typeof encodePeerDown>[1]): string => hex(encodePeerDown(four, how, now));
  assert.equal(down({ kind: "localNotification", message: notification }), message("02", fourHeader, "0109"));
  assert.equal(down({ kind: "localEvent", event: 2 }), message("02", fourHeader, "020002"));
  assert.equal(
    down({ kind: "remoteNotification", message: notification }),
    message("02", fourHeader, "0309"),
  );
  assert.equal(down({ kind: "remoteClosed" }), message("02", fourHeader, "04"));
});

test("counters have four octets and gauges eight", () => {
  assert.equal(
    hex(
      encodeStatistics(
        four,
        new Map([
          [0, 1],
          [7, 2],
        ]),
        now,
      ),
    ),
    message("01", fourHeader, "00000002", "0000000400000001", "000700080000000000000002"),
  );
});

/** A message as a station reads it, in words. */
function read(bytes: Uint8Array): string {
  const reader = new Reader(bytes);
  assert.equal(reader.u8(), 3);
  assert.equal(reader.u32(), bytes.length);
  const type = reader.u8();
  reader.skip(1);
  const isLegacy = (reader.u8() & 0x20) !== 0;
  reader.skip(8 + 12);
  const peer = Ipv4.format(Ipv4.of(reader.u32()));
  const asn = reader.u32();
  reader.skip(12);
  const who = `${peer} AS${asn}${isLegacy ? " legacy" : ""}`;
  if (type === 2) return `down ${who} ${hex(reader.rest())}`;
  if (type === 3) return `up ${who}`;
  assert.equal(type, 0);
  return `update ${who} ${hex(reader.rest().subarray(19))}`;
}

interface Peer {
  readonly number: number;
  readonly asn: number;
  readonly as4?: boolean;
  readonly addPath?: boolean;
}

/** A speaker of AS 64512 at 10.0.0.100 with a monitor. */
class Rig {
  readonly speaker: Speaker;
  readonly monitor = new BmpMonitor();
  readonly lines: string[] = [];
  heard: string[] = [];
  clock = now;

  constructor(peers: readonly Peer[], policies: Policies = new Map()) {
    this.speaker = new Speaker(
      { ...speakerDefaults, routerId: Ipv4.of(100), asn: 64512 },
      { resolver: everythingReachable, random: () => 0.5, policies },
    );
    this.peers(peers);
  }

  peers(peers: readonly Peer[]): void {
    this.handle({
      kind: "peers",
      peers: peers.map(({ number, asn, addPath = false }) =>
        peerConfig({
          name: `p${number}`,
          address: addressOf(`10.0.0.${number}`),
          asn,
          passive: true,
          timers: quickTimers,
          addPathReceive: addPath,
          importPolicy: "in",
        }),
      ),
    });
  }

  handle(event: SpeakerEvent): void {
    this.lines.push(formatEvent(event));
    const effects = this.speaker.handle(event, this.clock);
    this.heard.push(...this.monitor.observe(event, effects, now).map(read));
  }

  up(peer: Peer, connection = `c${peer.number}`): void {
    const remoteAddress = addressOf(`10.0.0.${peer.number}`);
    this.handle({ kind: "accepted", connection, localAddress: addressOf("10.0.0.100"), remoteAddress });
    this.handle({ kind: "received", connection, bytes: Buffer.concat([openOf(peer), keepaliveBytes]) });
  }

  take(): string[] {
    return this.heard.splice(0);
  }

  table(): string[] {
    return [...this.monitor.table(this.speaker.routes(), now)].map(read);
  }
}

function openOf({ number, asn, as4 = true, addPath = false }: Peer): Uint8Array {
  const open = buildOpen(
    {
      name: "",
      routerId: Ipv4.of(number),
      localAsn: asn,
      peerAsn: 64512,
      passive: false,
      timers: quickTimers,
      families: [4],
      addPathReceive: false,
      addPathSend: addPath,
      restartTimeS: 100,
    },
    { restarted: false, forwardingPreserved: true },
  );
  return encodeOpen({
    ...open,
    capabilities: open.capabilities.filter((one) => as4 || one.kind !== "fourOctetAs"),
  });
}

function updateOf(
  prefix: string,
  asn: number,
  nextHop: IpAddress,
  how = { as4: true, addPath: false },
): Uint8Array {
  const writer = new UpdateWriter({ family: 4, ...how });
  const route = routeSnapshot(prefix, undefined, {}, { pathId: 9 });
  writer.announce({ origin: 0, asPath: [{ kind: "sequence", asns: [asn] }], nextHop }, 1, (out) =>
    encodeNlri(out, route, how.addPath),
  );
  return writer.take();
}

const one = { number: 1, asn: 65001 };
const update = updateOf("10.8.0.0/16", 65001, addressOf("10.0.0.1"));
const updateBody = hex(update.subarray(19));
const endOfRib = "00000000";

test("a session comes up, says its routes and is closed by the peer", () => {
  const rig = new Rig([one]);
  rig.up(one);
  assert.deepEqual(rig.take(), ["up 10.0.0.1 AS65001"]);
  rig.handle({ kind: "received", connection: "c1", bytes: update.subarray(0, 30) });
  assert.deepEqual(rig.take(), []);
  rig.handle({ kind: "received", connection: "c1", bytes: Buffer.concat([update.subarray(30), update]) });
  assert.deepEqual(rig.take(), [
    `update 10.0.0.1 AS65001 ${updateBody}`,
    `update 10.0.0.1 AS65001 ${updateBody}`,
  ]);
  rig.handle({ kind: "failed", connection: "c1", reason: "Connection closed" });
  assert.deepEqual(rig.take(), ["down 10.0.0.1 AS65001 04"]);
});

test("UPDATEs right behind the handshake come after the peer-up, those before a NOTIFICATION before the peer-down", () => {
  const rig = new Rig([one]);
  rig.handle({
    kind: "accepted",
    connection: "c1",
    localAddress: addressOf("10.0.0.100"),
    remoteAddress: addressOf("10.0.0.1"),
  });
  const handshake = Buffer.concat([openOf(one), keepaliveBytes, update]);
  rig.handle({ kind: "received", connection: "c1", bytes: handshake });
  assert.deepEqual(rig.take(), ["up 10.0.0.1 AS65001", `update 10.0.0.1 AS65001 ${updateBody}`]);
  const cease = encodeNotification({ kind: "notification", code: 6, subcode: 2, data: new Uint8Array(0) });
  rig.handle({ kind: "received", connection: "c1", bytes: Buffer.concat([update, cease]) });
  assert.deepEqual(rig.take(), [
    `update 10.0.0.1 AS65001 ${updateBody}`,
    `down 10.0.0.1 AS65001 03${hex(cease)}`,
  ]);
});

test("our own NOTIFICATION, a peer taken out, and a quiet stop are told apart", () => {
  const rig = new Rig([one, { number: 2, asn: 65002 }, { number: 3, asn: 65003 }]);
  for (const peer of [one, { number: 2, asn: 65002 }, { number: 3, asn: 65003 }]) rig.up(peer);
  rig.take();
  rig.handle({ kind: "received", connection: "c1", bytes: new Uint8Array(19) });
  assert.match(rig.take().join(), /^down 10\.0\.0\.1 AS65001 01f{32}0015030101$/);
  rig.peers([one, { number: 3, asn: 65003 }]);
  assert.match(rig.take().join(), /^down 10\.0\.0\.2 AS65002 01f{32}00170306090603$/);
  rig.handle({ kind: "stop", graceful: true });
  assert.deepEqual(rig.take(), ["down 10.0.0.3 AS65003 020002"]);
});

test("a peer that comes back on a new connection goes down and up, once each", () => {
  const rig = new Rig([one]);
  rig.up(one);
  rig.take();
  // Later than what could be the tail of a collision.
  rig.clock += 10_000;
  rig.up(one, "again");
  assert.deepEqual(rig.take(), ["down 10.0.0.1 AS65001 020000", "up 10.0.0.1 AS65001"]);
});

test("a station that comes later hears of sessions and routes as the peers sent them, then the ends", () => {
  const two = { number: 2, asn: 65002, as4: false };
  const three = { number: 3, asn: 65003, addPath: true };
  const policies: Policies = new Map([
    ["in", ({ attributes }) => (attributes.med === undefined ? { ...attributes, med: 5 } : undefined)],
  ]);
  const rig = new Rig([one, two, three], policies);
  for (const peer of [one, two, three]) rig.up(peer);
  const old = updateOf("10.9.0.0/16", 65002, addressOf("10.0.0.2"), { as4: false, addPath: false });
  const numbered = updateOf("10.7.0.0/16", 65003, addressOf("10.0.0.3"), { as4: true, addPath: true });
  rig.handle({ kind: "received", connection: "c1", bytes: update });
  rig.handle({ kind: "received", connection: "c2", bytes: old });
  rig.handle({ kind: "received", connection: "c3", bytes: numbered });
  assert.deepEqual(rig.table().toSorted(), [
    "up 10.0.0.1 AS65001",
    "up 10.0.0.2 AS65002 legacy",
    "up 10.0.0.3 AS65003",
    `update 10.0.0.1 AS65001 ${endOfRib}`,
    `update 10.0.0.1 AS65001 ${updateBody}`,
    `update 10.0.0.2 AS65002 legacy ${endOfRib}`,
    `update 10.0.0.2 AS65002 legacy ${hex(old.subarray(19))}`,
    `update 10.0.0.3 AS65003 ${endOfRib}`,
    `update 10.0.0.3 AS65003 ${hex(numbered.subarray(19))}`,
  ]);
  const [first] = rig.monitor.statistics(rig.speaker.peers(now), now);
  assert.equal(first?.[5], 1);
});

test("a recording, of bytes in Node's buffers too, gives the same messages", () => {
  const rig = new Rig([one]);
  rig.up(one);
  rig.handle({ kind: "received", connection: "c1", bytes: update });
  const again = new Rig([]);
  again.take();
  for (const line of rig.lines) {
    const event = parseEvent(line);
    assert.ok(event !== undefined);
    again.handle(event);
  }
  assert.deepEqual(again.take(), rig.take());
});

test("nonsense of any kind neither throws nor makes a session", () => {
  const rig = new Rig([one]);
  const open = openOf(one);
  for (let place = 0; place < open.length; place += 1) {
    const connection = `x${place}`;
    rig.handle({
      kind: "accepted",
      connection,
      localAddress: addressOf("10.0.0.100"),
      remoteAddress: addressOf("10.0.0.1"),
    });
    const bytes = Buffer.concat([open, update]);
    bytes[place] = 0xee;
    rig.handle({ kind: "received", connection, bytes });
  }
  assert.deepEqual(rig.take(), []);
});
