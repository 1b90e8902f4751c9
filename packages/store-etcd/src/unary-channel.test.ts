/**
 * Aim: single calls survive what servers and networks do: a server that is none, is silent, hangs up, or says that it goes.
 * Method: Node's own HTTP/2 and TCP servers on loopback in the part of a bad etcd.
 */
import assert from "node:assert/strict";
import { createServer as createHttpServer } from "node:http";
import { createServer, type Http2Server, type ServerHttp2Session, type ServerHttp2Stream } from "node:http2";
import { connect, createServer as createTcpServer, type Server, type Socket } from "node:net";
import { test, type TestContext } from "node:test";
import { EtcdStore } from "./etcd-store.ts";
import { UnaryChannel, UnaryFailure } from "./unary-channel.ts";

const path = "/etcdserverpb.KV/Range";
const message = Buffer.concat([Buffer.from([0, 0, 0, 0, 8]), Buffer.from("question")]);
/** Longer than any answer here takes. */
const patienceMs = 20_000;

async function listen(t: TestContext, server: Server | Http2Server): Promise<number> {
  const sockets = new Set<Socket>();
  server.on("connection", (socket: Socket) => void sockets.add(socket));
  t.after(() => {
    server.close();
    for (const socket of sockets) socket.destroy();
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const address = server.address();
  assert.ok(typeof address === "object" && address !== null);
  return address.port;
}

function channelTo(t: TestContext, port: number, timeoutMs = patienceMs): UnaryChannel {
  const channel = new UnaryChannel(() => connect(port, "127.0.0.1"), timeoutMs);
  t.after(() => channel.close());
  return channel;
}

/** A gRPC server whose every call is answered by `answer`. */
async function serve(
  t: TestContext,
  answer: (stream: ServerHttp2Stream, callNumber: number) => void,
): Promise<{ readonly port: number; readonly sessions: ServerHttp2Session[] }> {
  const server = createServer();
  const sessions: ServerHttp2Session[] = [];
  let callCount = 0;
  server.on("session", (session) => void sessions.push(session));
  server.on("stream", (stream: ServerHttp2Stream) => {
    stream.on("error", () => undefined);
    answer(stream, (callCount += 1));
  });
  return { port: await listen(t, server), sessions };
}

function succeed(stream: ServerHttp2Stream, text: string): void {
  stream.respond({ ":status": 200, "content-type": "application/grpc" }, { waitForTrailers: true });
  stream.on("wantTrailers", () => stream.sendTrailers({ "grpc-status": "0" }));
  const body = Buffer.from(text);
  const prefix = Buffer.from([0, 0, 0, 0, body.length]);
  stream.end(Buffer.concat([prefix, body]));
}

test("an answer in pieces is one message, and a refusal has its code and words", async (t) => {
  const { port } = await serve(t, (stream, callNumber) => {
    if (callNumber > 1) {
      stream.respond(
        { ":status": 200, "grpc-status": "11", "grpc-message": "it%20is%20compacted" },
        { endStream: true },
      );
      return;
    }
    stream.respond({ ":status": 200 }, { waitForTrailers: true });
    stream.on("wantTrailers", () => stream.sendTrailers({ "grpc-status": "0" }));
    for (const byte of [0, 0, 0, 0, 2, 104, 105]) stream.write(Buffer.from([byte]));
    stream.end();
  });
  const channel = channelTo(t, port);
  assert.equal(Buffer.from(await channel.call(path, message, undefined)).toString(), "hi");
  await assert.rejects(channel.call(path, message, undefined), { code: 11, details: "it is compacted" });
});

test("a server that hangs up fails what is under way, and the next call connects again", async (t) => {
  const { port, sessions } = await serve(t, (stream, callNumber) => {
    if (callNumber === 1) sessions[0]?.destroy();
    else succeed(stream, "again");
  });
  const channel = channelTo(t, port);
  await assert.rejects(channel.call(path, message, undefined), { code: 14, details: "Connection dropped" });
  assert.equal(Buffer.from(await channel.call(path, message, undefined)).toString(), "again");
  assert.equal(sessions.length, 2);
});

test("after goaway the calls under way end, and the next one takes a new connection", async (t) => {
  const held: ServerHttp2Stream[] = [];
  const { port, sessions } = await serve(t, (stream, callNumber) => {
    if (callNumber === 1) {
      held.push(stream);
      sessions[0]?.close();
      sessions[0]?.goaway(0);
    } else succeed(stream, "new");
  });
  const channel = channelTo(t, port);
  const first = channel.call(path, message, undefined);
  while (held.length === 0) await new Promise((resolve) => setImmediate(resolve));
  for (let attempt = 0; sessions.length < 2 && attempt < 100; attempt += 1) {
    assert.equal(Buffer.from(await channel.call(path, message, undefined)).toString(), "new");
  }
  for (const stream of held) succeed(stream, "old");
  assert.equal(Buffer.from(await first).toString(), "old");
});

test("an answer without a status, or of HTTP alone, is unavailable", async (t) => {
  const { port } = await serve(t, (stream, callNumber) => {
    stream.respond({ ":status": callNumber === 1 ? 200 : 503 });
    stream.end("nonsense");
  });
  const channel = channelTo(t, port);
  await assert.rejects(channel.call(path, message, undefined), { code: 14, details: "Connection dropped" });
  await assert.rejects(channel.call(path, message, undefined), {
    code: 14,
    details: "it answers with HTTP status 503",
  });
});

test("an answer that is cut short is an error", async (t) => {
  const { port } = await serve(t, (stream) => {
    stream.respond({ ":status": 200 }, { waitForTrailers: true });
    stream.on("wantTrailers", () => stream.sendTrailers({ "grpc-status": "0" }));
    stream.end(Buffer.from([0, 0, 0, 0, 9, 1]));
  });
  await assert.rejects(channelTo(t, port).call(path, message, undefined), UnaryFailure);
});

test("what is no etcd, and what never answers, is told in a person's words", async (t) => {
  const web = await listen(
    t,
    createHttpServer((_request, response) => void response.end("hello")),
  );
  const silent = await listen(
    t,
    createTcpServer(() => undefined),
  );
  for (const [port, reason] of [
    [web, "it does not speak etcd's protocol"],
    [silent, "no answer in time"],
  ] as const) {
    const endpoint = `http://127.0.0.1:${port}`;
    const store = new EtcdStore({
      endpoints: [endpoint],
      requestTimeoutMs: port === silent ? 50 : patienceMs,
    });
    t.after(() => store.close());
    await assert.rejects(store.get("/a"), { code: "unavailable", message: `${endpoint}: ${reason}` });
  }
});

test("a connection that a silent server never finishes ends with the call that waited for it", async (t) => {
  const hungUp = Promise.withResolvers<void>();
  const server = createTcpServer((socket) => {
    socket.on("error", () => undefined);
    socket.once("close", () => hungUp.resolve());
    socket.resume();
  });
  const port = await listen(t, server);
  await assert.rejects(channelTo(t, port, 50).call(path, message, undefined), /Deadline exceeded/);
  await hungUp.promise;
});

test("a closed store fails the calls under way", async (t) => {
  const { port } = await serve(t, () => undefined);
  const store = new EtcdStore({ endpoints: [`http://127.0.0.1:${port}`] });
  const asked = assert.rejects(store.get("/a"), { code: "unavailable" });
  await new Promise((resolve) => setTimeout(resolve, 20));
  await store.close();
  await asked;
});
