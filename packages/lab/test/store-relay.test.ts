/**
 * Aim: the relay carries a client's bytes to the first server that answers, ends with either side, and stops when told.
 * Method: an echo server on loopback behind a port that nobody listens on.
 */
import assert from "node:assert/strict";
import { once } from "node:events";
import { connect, createServer } from "node:net";
import { join } from "node:path";
import { test } from "node:test";
import { eventually, freePorts, Testbed } from "@caracal/testbed";
import { accepts } from "../src/lab-store.ts";
import { relayStore } from "../src/store-relay.ts";
import { labContext } from "./lab-scope.ts";

test("bytes go through, to the first endpoint that answers", async (t) => {
  const path = join(Testbed.create(t).directory(), "store.sock");
  const [dead = 0, alive = 0] = await freePorts(2);
  const echo = createServer((socket) => socket.on("error", () => undefined).pipe(socket));
  echo.listen(alive, "127.0.0.1");
  t.after(() => echo.close());
  const stop = new AbortController();
  const ended = relayStore(
    path,
    [`127.0.0.1:${dead}`, `127.0.0.1:${alive}`],
    labContext({ signal: stop.signal }),
  );
  await eventually(() => accepts(path));
  const client = connect(path);
  let text = "";
  client.setEncoding("utf8").on("data", (chunk: string) => (text += chunk));
  client.end("hello ".repeat(100_000));
  await once(client, "end");
  assert.equal(text.length, 600_000);
  stop.abort();
  assert.equal(await ended, 0);
});

test("with nobody there at the start it ends with a line, later a client is turned away", async (t) => {
  const path = join(Testbed.create(t).directory(), "store.sock");
  const [port = 0] = await freePorts(1);
  const stop = new AbortController();
  let said = "";
  const stderr = { write: (line: string): void => void (said += line) };
  const relay = (): Promise<number> =>
    relayStore(path, [`127.0.0.1:${port}`], labContext({ signal: stop.signal, stderr }));
  assert.equal(await relay(), 1);
  assert.equal(said, `no answer from 127.0.0.1:${port}\n`);

  said = "";
  const server = createServer((socket) => socket.destroy()).listen(port, "127.0.0.1");
  await once(server, "listening");
  const ended = relay();
  await eventually(() => accepts(path));
  server.close();
  await once(server, "close");
  await once(connect(path).resume(), "close");
  assert.match(said, /no answer from 127\.0\.0\.1:/);
  stop.abort();
  assert.equal(await ended, 0);
});
