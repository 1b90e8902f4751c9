/**
 * Monitoring stations on loopback: two servers have a session, one of them tells stations that come early, late, again,
 * and one that does not read. Messages are cut by their lengths and counted by type.
 */
import assert from "node:assert/strict";
import { once } from "node:events";
import { type Socket, createServer } from "node:net";
import { type TestContext, test } from "node:test";
import { type PeerInput, defaultTimers } from "@caracal/bgp";
import { IpAddress, Ipv4, Prefix } from "@caracal/net";
import { eventually, freePorts } from "@caracal/testbed";
import { BgpServer } from "./bgp-server.ts";
import { type BmpStationFact, BmpStation, maxStationBytes } from "./bmp-station.ts";
import { systemClock } from "./clock.ts";

const timers = { ...defaultTimers, connectDelayMs: 0, connectRetryMinMs: 20, connectRetryMs: 200 };
const names = ["route", "statistics", "down", "up", "initiation", "termination"];

function ip(text: string): IpAddress {
  const address = IpAddress.parse(text);
  assert.ok(address !== undefined);
  return address;
}

/** A station that writes down the types of the messages that it hears, one list for each connection. */
async function station(
  t: TestContext,
  port: number,
): Promise<{ port: number; heard: string[][]; sockets: Socket[]; close: () => Promise<void> }> {
  const heard: string[][] = [];
  const sockets: Socket[] = [];
  const server = createServer((socket) => {
    const types: string[] = [];
    heard.push(types);
    sockets.push(socket);
    let bytes = Buffer.alloc(0);
    socket.on("error", () => undefined);
    socket.on("data", (chunk: Buffer) => {
      bytes = Buffer.concat([bytes, chunk]);
      while (bytes.length >= 6 && bytes.length >= bytes.readUInt32BE(1)) {
        assert.equal(bytes[0], 3);
        types.push(names[bytes[5] ?? 99] ?? "unknown");
        bytes = bytes.subarray(bytes.readUInt32BE(1));
      }
    });
  }).listen(port, "127.0.0.1");
  await once(server, "listening");
  const close = async (): Promise<void> => {
    for (const socket of sockets) socket.destroy();
    if (!server.listening) return;
    server.close();
    await once(server, "close");
  };
  t.after(close);
  const at = server.address();
  assert.ok(typeof at === "object" && at !== null);
  return { port: at.port, heard, sockets, close };
}

interface Pair {
  readonly monitored: BgpServer;
  readonly other: BgpServer;
  readonly facts: BmpStationFact[];
}

/** Two servers; the first one tells a station at `stationPort`. */
async function pair(t: TestContext, stationPort: number, statisticsMs?: number): Promise<Pair> {
  const [port] = await freePorts(1);
  assert.ok(port !== undefined);
  const facts: BmpStationFact[] = [];
  const options = (number: number): ConstructorParameters<typeof BgpServer>[0] => ({
    routerId: Ipv4.of(number),
    asn: 64512,
    listen: [{ address: ip(`127.0.0.${number}`), port }],
  });
  const monitored = new BgpServer({
    ...options(1),
    bmp: {
      system: { name: "one", description: "test" },
      stations: [{ address: ip("127.0.0.1"), port: stationPort, retryMinMs: 20, retryMaxMs: 40 }],
      onFact: (fact) => facts.push(fact),
      ...(statisticsMs === undefined ? {} : { statisticsMs }),
    },
  });
  const other = new BgpServer(options(2));
  for (const one of [monitored, other]) {
    t.after(() => one.stop({ graceful: true }));
    await one.start();
  }
  const peer = (number: number, self: number): PeerInput => ({
    name: `p${number}`,
    address: ip(`127.0.0.${number}`),
    port,
    asn: 64512,
    sourceAddress: ip(`127.0.0.${self}`),
    timers,
  });
  other.setOrigins(["10.1.0.0/26", "10.2.0.0/26"].map((text) => ({ prefix: prefix(text) })));
  monitored.setPeers([peer(2, 1)]);
  other.setPeers([{ ...peer(1, 2), passive: true }]);
  return { monitored, other, facts };
}

function prefix(text: string): Prefix {
  const found = Prefix.parse(text);
  assert.ok(found !== undefined);
  return found;
}

test("a station that is there first hears the session come up, its routes and its end", async (t) => {
  const { port, heard } = await station(t, 0);
  const { monitored, other, facts } = await pair(t, port, 50);
  // An UPDATE with both prefixes, and End-of-RIB.
  await eventually(() => heard[0]?.filter((one) => one === "route").length === 2);
  assert.deepEqual(
    heard[0]?.filter((one) => one !== "statistics"),
    ["initiation", "up", "route", "route"],
  );
  await eventually(() => heard[0]?.includes("statistics"));
  await other.stop({ graceful: false });
  await eventually(() => heard[0]?.includes("down"));
  await monitored.stop({ graceful: true });
  await eventually(() => heard[0]?.at(-1) === "termination");
  assert.deepEqual(
    facts.map(({ state }) => state),
    ["up"],
  );
});

test("a station that comes late, and again, hears the whole table each time", async (t) => {
  const [port] = await freePorts(1);
  assert.ok(port !== undefined);
  const { monitored, facts } = await pair(t, port);
  await eventually(() => monitored.routes().length === 2);
  await eventually(() => facts[0]?.reason === "Connection refused");
  const { heard, sockets, close } = await station(t, port);
  const whole = ["initiation", "up", "route", "route", "route"];
  await eventually(() => heard[0]?.length === whole.length);
  sockets[0]?.destroy();
  await eventually(() => heard[1]?.length === whole.length);
  assert.deepEqual(heard, [whole, whole]);
  await close();
  await eventually(() => facts.at(-1)?.state === "down" && facts.at(-1)?.reason === "Connection refused");
});

test("a station that does not read is given up at a bound and told all again later", async (t) => {
  const { port, sockets } = await station(t, 0);
  const facts: BmpStationFact[] = [];
  const events = {
    firstMessages: () => [Uint8Array.of(3, 0, 0, 0, 6, 4)],
    onFact: (fact: BmpStationFact) => facts.push(fact),
  };
  const one = new BmpStation({ address: ip("127.0.0.1"), port, retryMinMs: 20 }, events, systemClock);
  t.after(() => one.stop(new Uint8Array(0)));
  one.start();
  await eventually(() => one.isUp && sockets.length === 1);
  sockets[0]?.pause();
  const message = new Uint8Array(1 << 20);
  // More than the bound, because the system takes some as well.
  for (let sent = 0; sent <= maxStationBytes + (16 << 20); sent += message.length) one.send([message]);
  await eventually(() => facts.some(({ reason }) => reason === "Send queue overflow"));
  await eventually(() => facts.at(-1)?.state === "up");
  assert.equal(sockets.length, 2);
});

test("live messages wait behind a table that the station takes slowly", async (t) => {
  const { port, heard, sockets } = await station(t, 0);
  const count = 20_000;
  const route = Buffer.concat([Uint8Array.of(3, 0, 0, 1, 0, 0), new Uint8Array(250)]);
  const events = {
    firstMessages: function* () {
      for (let index = 0; index < count; index += 1) yield route;
    },
    onFact: () => undefined,
  };
  const one = new BmpStation({ address: ip("127.0.0.1"), port }, events, systemClock);
  t.after(() => one.stop(new Uint8Array(0)));
  one.start();
  await eventually(() => one.isUp && sockets.length === 1);
  one.send([Uint8Array.of(3, 0, 0, 0, 6, 2)]);
  await eventually(() => heard[0]?.length === count + 1);
  assert.equal(heard[0]?.at(-1), "down");
});
