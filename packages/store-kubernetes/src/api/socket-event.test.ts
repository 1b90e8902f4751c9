/**
 * Aim: waiting for a socket's events many times leaves nothing behind, and a failure between two waits is no crash.
 * Method: a TCP server on loopback that speaks byte by byte, then resets the connection.
 */
import assert from "node:assert/strict";
import { connect, createServer, type Socket } from "node:net";
import { test } from "node:test";
import { untilEvent } from "./socket-event.ts";

test("many waits on one socket leave one listener for what fails while nobody waits", async (t) => {
  const peers: Socket[] = [];
  const server = createServer((peer) => void peers.push(peer.on("error", () => undefined)));
  t.after(() => {
    server.close();
    for (const peer of peers) peer.destroy();
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const address = server.address();
  assert.ok(typeof address === "object" && address !== null);
  const socket = connect(address.port, "127.0.0.1");
  t.after(() => socket.destroy());
  await untilEvent(socket, "connect");
  while (peers.length === 0) await new Promise((resolve) => setImmediate(resolve));
  for (let count = 0; count < 20; count += 1) {
    peers[0]?.write("x");
    await untilEvent(socket, "readable");
    assert.equal(String(socket.read(1)), "x");
  }
  for (const [event, most] of [
    ["error", 1],
    ["close", 0],
    ["readable", 0],
  ] as const) {
    assert.ok(socket.listenerCount(event) <= most, `${event}: ${socket.listenerCount(event)} listeners`);
  }
  const closed = new Promise<void>((resolve) => void socket.once("close", () => resolve()));
  peers[0]?.resetAndDestroy();
  await closed;
  await assert.rejects(untilEvent(socket, "readable"), { code: "ECONNRESET" });
});
