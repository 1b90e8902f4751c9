/**
 * Aim: any client of BIRD's control socket can read the daemon. Method: a real socket, read raw line by line, then by
 * Debian's own birdc; the bounds are reached on purpose.
 */
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { existsSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { connect, createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test, type TestContext } from "node:test";
import { promisify } from "node:util";
import { route, sample } from "../test/bird-snapshot-sample.ts";
import { birdCommandLimitBytes, birdQueueLimit, BirdSocket } from "./bird-socket.ts";

const birdc = "/usr/sbin/birdc";

async function directory(t: TestContext): Promise<string> {
  const path = await mkdtemp(join(tmpdir(), "caracal-bird-"));
  t.after(() => rm(path, { recursive: true, force: true }));
  return path;
}

async function serve(t: TestContext, snapshot = sample): Promise<string> {
  const path = join(await directory(t), "bird.ctl");
  const socket = await BirdSocket.open({ path, version: snapshot.version, snapshot: () => snapshot });
  t.after(() => socket.close());
  return path;
}

/** Sends `text`, closes, and gives all that came back. */
async function exchange(path: string, text: string): Promise<string> {
  const client = connect({ path, allowHalfOpen: true });
  client.end(text);
  let received = "";
  for await (const chunk of client.setEncoding("utf8")) received += String(chunk);
  return received;
}

test("replies carry BIRD's codes, and a blank for a code that goes on", async (t) => {
  const path = await serve(t);
  assert.equal(
    await exchange(path, "show status\nnonsense\nshow protocols static1\n"),
    [
      "0001 BIRD v0.3.3+birdv1.6.8 ready.",
      "1000-BIRD v0.3.3+birdv1.6.8",
      "1011-Router ID is 192.168.0.81",
      " Current server time is 2023-05-16 13:45:00",
      " Last reboot on 2023-05-16 07:27:40",
      " Last reconfiguration on 2023-05-16 13:34:33",
      "0013 Daemon is up and running",
      "9001 syntax error",
      "2002-name     proto    table    state  since       info",
      "1002-static1  Static   master   up     07:27:40    ",
      "0000 ",
      "",
    ].join("\n"),
  );
});

test("Debian's birdc reads it", { skip: existsSync(birdc) ? false : `${birdc} is missing` }, async (t) => {
  const path = await serve(t);
  const { stdout } = await promisify(execFile)(birdc, ["-s", path, "show", "protocols"]);
  assert.match(stdout, /^BIRD v0\.3\.3\+birdv1\.6\.8 ready\.\nname {5}proto/);
  assert.match(stdout, /^Mesh_192_168_49_2 BGP {6}master {3}up {5}07:27:53 {4}Established {3}$/m);
  const routes = await promisify(execFile)(birdc, ["-s", path, "show", "route", "all"]);
  assert.match(routes.stdout, /^\tBGP\.next_hop: 192\.168\.0\.82$/m);
});

test("a large table arrives whole", async (t) => {
  const routes = Array.from({ length: 20_000 }, (_, index) =>
    route(`10.${index >> 8}.${index & 255}.0/24`, { kind: "blackhole" }, "static1"),
  );
  const path = await serve(t, { ...sample, routes });
  const lines = (await exchange(path, "show route\n")).split("\n");
  assert.equal(lines.length, 20_000 + 3);
  assert.equal(lines.at(-2), "0000 ");
});

test("a socket that a killed daemon left is replaced, one that answers is not", async (t) => {
  const path = await serve(t);
  await assert.rejects(BirdSocket.open({ path, version: "x", snapshot: () => sample }), {
    code: "EADDRINUSE",
  });

  const stale = join(await directory(t), "bird.ctl");
  const program = `require("node:net").createServer().listen(${JSON.stringify(stale)}, () => process.kill(process.pid, "SIGKILL"))`;
  await assert.rejects(promisify(execFile)(process.execPath, ["-e", program]));
  assert.equal(existsSync(stale), true);
  await using socket = await BirdSocket.open({ path: stale, version: "x", snapshot: () => sample });
  assert.match(await exchange(stale, ""), /^0001 BIRD x ready\.\n$/);
  await socket.close();
  assert.equal(existsSync(stale), false);
});

test("a directory that is missing is an error of the caller's", async (t) => {
  const path = join(await directory(t), "missing", "bird.ctl");
  await assert.rejects(BirdSocket.open({ path, version: "x", snapshot: () => sample }));
});

test("a command or a queue past its bound ends the connection", async (t) => {
  const path = await serve(t);
  const greeting = "0001 BIRD v0.3.3+birdv1.6.8 ready.\n";
  assert.equal(await exchange(path, "x".repeat(birdCommandLimitBytes + 1)), greeting);
  assert.equal(await exchange(path, "\n".repeat(birdQueueLimit + 1)), greeting);
});

test("closing ends the clients that are connected", async (t) => {
  const path = join(await directory(t), "bird.ctl");
  const socket = await BirdSocket.open({ path, version: "x", snapshot: () => sample });
  const client = connect(path);
  await new Promise((resolve) => client.once("data", resolve));
  const closed = new Promise((resolve) => client.once("close", resolve));
  await socket.close();
  await closed;
  // The path is free again.
  const other = createServer().listen(path);
  await new Promise((resolve) => other.once("listening", resolve));
  other.close();
});
