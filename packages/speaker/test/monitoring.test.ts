/**
 * Aim: what others' tools see of a standalone speaker: a BMP station is told sessions and routes, and a dump of the table is
 * read by Debian's `bgpdump`. Method: two speakers in this process with a session on loopback, and a station that writes down
 * the types of the messages it hears.
 */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { createServer, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test, type TestContext } from "node:test";
import { controlRequest } from "@caracal/control";
import { eventually, freePorts, requireTool } from "@caracal/testbed";
import { SpeakerDaemon } from "../src/speaker-daemon.ts";

const typeNames = ["route", "statistics", "down", "up", "initiation", "termination"];

/** A station on loopback; `heard` are the types of the messages, of all connections. */
async function station(t: TestContext): Promise<{ readonly port: number; readonly heard: string[] }> {
  const heard: string[] = [];
  const sockets: Socket[] = [];
  const server = createServer((socket) => {
    sockets.push(socket);
    let bytes = Buffer.alloc(0);
    socket.on("error", () => undefined);
    socket.on("data", (chunk: Buffer) => {
      bytes = Buffer.concat([bytes, chunk]);
      while (bytes.length >= 6 && bytes.length >= bytes.readUInt32BE(1)) {
        heard.push(typeNames[bytes[5] ?? 99] ?? "unknown");
        bytes = bytes.subarray(bytes.readUInt32BE(1));
      }
    });
  }).listen(0, "127.0.0.1");
  await once(server, "listening");
  t.after(() => {
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  const at = server.address();
  assert.ok(typeof at === "object" && at !== null);
  return { port: at.port, heard };
}

interface Running {
  readonly daemon: SpeakerDaemon;
  readonly control: string;
  readonly write: (config: string) => Promise<void>;
}

async function start(t: TestContext, config: string): Promise<Running> {
  const directory = await mkdtemp(join(tmpdir(), "caracal-speaker-"));
  t.after(() => rm(directory, { recursive: true }));
  const file = join(directory, "bgp.yaml");
  const control = `${file}.sock`;
  const write = (text: string): Promise<void> => writeFile(file, `control: ${control}\n${text}`);
  await write(config);
  const daemon = await SpeakerDaemon.start({ file, log: () => undefined });
  t.after(() => daemon.stop());
  return { daemon, control, write };
}

/** Two speakers: `us` at 127.0.0.1 and one at 127.0.0.2 that announces two prefixes, one of IPv6. */
async function pair(
  t: TestContext,
  more: string,
): Promise<{ readonly us: Running; readonly config: string }> {
  const [ours = 0, theirs = 0] = await freePorts(2);
  const config = `
routerId: 10.0.0.1
asn: 65001
listen: [{address: 127.0.0.1, port: ${ours}}]
neighbors: [{name: them, address: 127.0.0.2, port: ${theirs}, asn: 65002, families: [ipv4, ipv6]}]
static: [{prefix: 10.1.0.0/16, blackhole: true, communities: [65001:7]}]
`;
  await start(
    t,
    `
routerId: 10.0.0.2
asn: 65002
listen: [{address: 127.0.0.2, port: ${theirs}}]
neighbors: [{address: 127.0.0.1, port: ${ours}, asn: 65001, families: [ipv4, ipv6]}]
static: [{prefix: 10.2.0.0/16, blackhole: true}, {prefix: "2001:db8:2::/48", nextHop: "2001:db8::9"}]
`,
  );
  const us = await start(t, `${config}${more}`);
  await eventually(() => us.daemon.peers()[0]?.state === "Established" && us.daemon.sizes.routes4 === 2, {
    what: "a session and its route",
  });
  return { us, config };
}

test("stations are told what neighbors say, and another one may come while the session goes on", async (t) => {
  const [first, second] = [await station(t), await station(t)];
  const bmp = (...ports: readonly number[]): string =>
    `bmp: [${ports.map((port) => `{address: 127.0.0.1, port: ${port}}`).join(", ")}]\n`;
  const { us, config } = await pair(t, bmp(first.port));
  await eventually(() => first.heard.includes("route"), { what: "a route at the station" });
  assert.deepEqual(first.heard.slice(0, 2), ["initiation", "up"]);
  const since = us.daemon.peers()[0]?.since;

  await us.write(`${config}${bmp(first.port, second.port)}`);
  assert.partialDeepStrictEqual(await us.daemon.reload(), {
    kind: "applied",
    difference: { isBmpChanged: true, restartsBecause: [] },
  });
  await eventually(() => second.heard.includes("route"), { what: "a route at the second station" });
  assert.deepEqual(second.heard.slice(0, 2), ["initiation", "up"]);
  await us.write(`${config}${bmp(second.port)}`);
  await us.daemon.reload();
  await eventually(() => first.heard.includes("termination"), { what: "a goodbye to the first station" });
  assert.equal(us.daemon.peers()[0]?.since, since, "the session went on");
  assert.ok(!second.heard.includes("termination"));
});

test("bgpdump reads a dump of the table", { skip: requireTool("bgpdump") }, async (t) => {
  const { us } = await pair(t, "");
  const page = await controlRequest(us.control, "bgp.dump", {});
  assert.ok(typeof page === "object" && page !== null && "pieces" in page && Array.isArray(page.pieces));
  const bytes = Buffer.concat(page.pieces.map((piece) => Buffer.from(String(piece), "base64")));
  const { stdout, stderr } = spawnSync("bgpdump", ["-m", "-"], { input: bytes, encoding: "utf8" });
  assert.doesNotMatch(stderr, /\[(warn|error)\]/i);
  const lines = stdout
    .split("\n")
    .slice(0, -1)
    .map((line) => line.split("|").slice(3, 7).join(" "));
  assert.deepEqual(lines, ["0.0.0.0 65001 10.1.0.0/16 ", "127.0.0.2 65002 10.2.0.0/16 65002"]);
});

test("routes are asked for by prefix, or by an address in one", async (t) => {
  const { us } = await pair(t, "");
  for (const [prefix, found] of [
    ["10.2.0.0/16", "10.2.0.0/16"],
    ["10.2.3.4", "10.2.0.0/16"],
    ["10.9.0.1", undefined],
  ] as const) {
    const page = await controlRequest(us.control, "bgp.routes", { prefix });
    assert.partialDeepStrictEqual(page, {
      routes: found === undefined ? [] : [{ prefix: found, best: true }],
    });
  }
  await assert.rejects(controlRequest(us.control, "bgp.routes", { prefix: "10.2.0.0/33" }), {
    message: '"10.2.0.0/33" is not a prefix such as 10.1.0.0/16, nor an address',
  });
});
