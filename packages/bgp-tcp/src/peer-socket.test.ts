/**
 * Aim: a connection with more queued than its bound says so once, and what is sent as its last word still arrives if the peer
 * reads again. Method: two ends on loopback, the reading one paused, and a small bound.
 */
import assert from "node:assert/strict";
import { once } from "node:events";
import { Socket, connect, createServer } from "node:net";
import { type TestContext, test } from "node:test";
import { eventually } from "@caracal/testbed";
import { PeerSocket } from "./peer-socket.ts";

const boundBytes = 1 << 20;
const chunk = new Uint8Array(1 << 20);

async function accepted(t: TestContext): Promise<{ readonly far: Socket; readonly near: Socket }> {
  const server = createServer();
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const address = server.address();
  assert.ok(typeof address === "object" && address !== null);
  const incoming = once(server, "connection");
  const far = connect(address.port, "127.0.0.1");
  far.pause();
  const near: unknown = (await incoming)[0];
  assert.ok(near instanceof Socket);
  t.after(() => {
    far.destroy();
    near.destroy();
    server.close();
  });
  return { far, near };
}

test("an overflow is told once, and the connection takes a last word", async (t) => {
  const { far, near } = await accepted(t);
  let overflows = 0;
  const events = {
    onConnected: () => undefined,
    onBytes: () => undefined,
    onCongested: () => undefined,
    onStalled: () => undefined,
    onOverflow: () => (overflows += 1),
    onClosed: () => assert.fail("closed by itself"),
  };
  const peer = PeerSocket.accepted(near, events, boundBytes);
  let sentBytes = 0;
  const send = (): void => {
    peer.send(chunk);
    peer.flush();
    sentBytes += chunk.length;
  };
  // The system's buffers take some first.
  while (overflows === 0 && sentBytes < 64 << 20) send();
  send();
  assert.equal(overflows, 1);
  peer.send(Uint8Array.of(7));
  const closed = peer.close();
  let receivedBytes = 0;
  let lastByte: number | undefined;
  far.on("data", (bytes) => {
    assert.ok(typeof bytes !== "string");
    receivedBytes += bytes.length;
    lastByte = bytes.at(-1);
  });
  far.resume();
  await eventually(() => receivedBytes === sentBytes + 1);
  assert.equal(lastByte, 7);
  await closed;
  assert.equal(overflows, 1);
});
