/**
 * Aim: a socket whose peer does not read is told to stand still, and to move again once the peer reads, also in the midst
 * of one long write. Method: two ends on loopback, the reading one paused.
 */
import assert from "node:assert/strict";
import { once } from "node:events";
import { type Socket, connect, createServer } from "node:net";
import { type TestContext, test } from "node:test";
import { eventually } from "@caracal/testbed";
import { StallWatch } from "./stall-watch.ts";

/** More than both ends' buffers take. */
const muchBytes = 32 << 20;

async function pair(t: TestContext): Promise<{ readonly near: Socket; readonly far: Socket }> {
  const server = createServer({ pauseOnConnect: true });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const address = server.address();
  assert.ok(typeof address === "object" && address !== null);
  const accepted = once(server, "connection");
  const near = connect(address.port, "127.0.0.1");
  await once(near, "connect");
  const [far] = await accepted;
  assert.ok(far instanceof Object && "resume" in far);
  // oxlint-disable-next-line typescript/no-unsafe-assignment -- what a server hands out is a socket
  const socket: Socket = far;
  t.after(() => {
    near.destroy();
    socket.destroy();
    server.close();
  });
  return { near, far: socket };
}

test("a peer that does not read stalls the socket, and reading ends it though the write goes on", async (t) => {
  const { near, far } = await pair(t);
  const told: boolean[] = [];
  const watch = new StallWatch(near, (stalled) => told.push(stalled), 20);
  t.after(() => watch.end());
  near.write(new Uint8Array(muchBytes));
  watch.look();
  await eventually(() => told.at(-1) === true);
  // What waits behind it changes nothing.
  near.write(new Uint8Array(muchBytes));
  watch.look();
  // A part of the first write: Node counts none of it as sent yet.
  far.resume();
  await eventually(() => told.length > 1 || near.writableLength === 0);
  assert.equal(told[1] ?? false, false);
  await eventually(() => near.writableLength === 0 && told.at(-1) === false);
});

test("a socket whose peer reads does not end as stalled, and one that has nothing to send is not looked at", async (t) => {
  const { near, far } = await pair(t);
  far.resume();
  const told: boolean[] = [];
  const watch = new StallWatch(near, (stalled) => told.push(stalled), 20);
  t.after(() => watch.end());
  watch.look();
  near.write(new Uint8Array(muchBytes));
  watch.look();
  assert.deepEqual(told, []);
  // A machine that is busy elsewhere may make it look so for a moment.
  await eventually(() => near.writableLength === 0 && told.at(-1) !== true);
});
