/**
 * Aim: client and server agree, bad input harms nobody else, and a socket's path has one owner.
 * Method: real Unix sockets in a temporary directory; raw connections for what a client would never send.
 */
import assert from "node:assert/strict";
import { once } from "node:events";
import { existsSync, readdirSync, statSync, writeFileSync } from "node:fs";
import { connect, type Socket } from "node:net";
import { join } from "node:path";
import { test, type TestContext } from "node:test";
import { eventually, Program, Testbed } from "@caracal/testbed";
import {
  ControlClient,
  ControlError,
  type ControlMethod,
  controlRequest,
  ControlServer,
} from "../src/index.ts";

const MIB = 1024 * 1024;

async function serve(
  t: TestContext,
  methods: Record<string, ControlMethod>,
  path: string = join(Testbed.create(t).directory(), "control.sock"),
): Promise<{ server: ControlServer; path: string; errors: Error[] }> {
  const errors: Error[] = [];
  const server = await ControlServer.listen({ path, methods, onError: (error) => errors.push(error) });
  t.after(() => server.close());
  return { server, path, errors };
}

function code(expected: string): (error: unknown) => boolean {
  return (error) => {
    assert.ok(error instanceof ControlError, String(error));
    assert.equal(error.code, expected, error.message);
    return true;
  };
}

/** A bare connection that collects what it is sent. */
async function raw(path: string): Promise<{ socket: Socket; text: () => string }> {
  const socket = connect(path);
  await once(socket, "connect");
  let text = "";
  socket.setEncoding("utf8");
  socket.on("data", (chunk: string) => (text += chunk));
  socket.on("error", () => undefined);
  return { socket, text: () => text };
}

test("a request is answered with what its method returns, and the socket is the owner's alone", async (t) => {
  const { path } = await serve(t, { echo: (params) => params, nothing: () => undefined });
  assert.deepEqual(await controlRequest(path, "echo", { text: "größer\n", list: [1, null] }), {
    text: "größer\n",
    list: [1, null],
  });
  assert.equal(await controlRequest(path, "nothing"), null);
  assert.equal(statSync(path).mode & 0o777, 0o600);
});

test("failures carry the method's code, and the unforeseen is internal and reported", async (t) => {
  const { path, errors } = await serve(t, {
    refuse: () => Promise.reject(new ControlError("no-pool", "there is no pool")),
    crash: () => Promise.reject(new TypeError("oops")),
    cycle: () => {
      const value: Record<string, unknown> = {};
      value["self"] = value;
      return value;
    },
    huge: () => "x".repeat(5 * MIB),
  });
  using client = await ControlClient.connect(path);
  await assert.rejects(client.request("refuse"), {
    name: "ControlError",
    code: "no-pool",
    message: "there is no pool",
  });
  await assert.rejects(client.request("crash"), code("internal"));
  assert.deepEqual(
    errors.map((error) => error.message),
    ["control method crash failed: oops"],
  );
  await assert.rejects(client.request("cycle"), code("internal"));
  await assert.rejects(client.request("huge"), code("too-large"));
  await assert.rejects(client.request("toString"), code("unknown-method"));
});

test("a thousand requests run at once on one connection, never more than the bound in the server", async (t) => {
  let running = 0;
  let most = 0;
  const { path } = await serve(t, {
    double: async (params) => {
      most = Math.max(most, ++running);
      await new Promise(setImmediate);
      running--;
      return Number(params) * 2;
    },
  });
  using client = await ControlClient.connect(path);
  const numbers = Array.from({ length: 1000 }, (_, index) => index);
  const doubled = await Promise.all(numbers.map((number) => client.request("double", number)));
  assert.deepEqual(
    doubled,
    numbers.map((number) => number * 2),
  );
  assert.equal(most, 64);
});

test("a client refuses to hold more than its bound of requests", async (t) => {
  const { path } = await serve(t, { wait: () => new Promise(() => undefined) });
  const client = await ControlClient.connect(path);
  const waiting = Array.from({ length: 1024 }, () => client.request("wait"));
  await assert.rejects(client.request("wait"), code("busy"));
  client.close();
  for (const outcome of await Promise.allSettled(waiting)) assert.equal(outcome.status, "rejected");
});

test("a slow method delays no other", async (t) => {
  const gate = Promise.withResolvers<string>();
  const { path } = await serve(t, { slow: () => gate.promise, fast: () => "now" });
  using client = await ControlClient.connect(path);
  const slow = client.request("slow");
  assert.equal(await client.request("fast"), "now");
  gate.resolve("late");
  assert.equal(await slow, "late");
});

test("lines that are no request are answered each, and the connection goes on", async (t) => {
  const { path } = await serve(t, { echo: (params) => params });
  const { socket, text } = await raw(path);
  const lines = [
    "nonsense",
    "[]",
    '{"method":"echo"}',
    '{"id":5}',
    '{"id":"six","method":"echo","params":6}',
    '{"id":7,',
  ];
  socket.write(lines.join("\n"));
  await eventually(() => text().includes("six"));
  socket.destroy();
  const answers = text()
    .trimEnd()
    .split("\n")
    .map((line): unknown => JSON.parse(line));
  const malformed = (id: number | null, message: string): unknown => ({
    id,
    error: { code: "malformed", message },
  });
  assert.deepEqual(answers, [
    malformed(null, "the line is no JSON object"),
    malformed(null, "the line is no JSON object"),
    malformed(null, "the request has no id: a number or a string"),
    malformed(5, "the request has no method: a string"),
    { id: "six", result: 6 },
  ]);
});

test("a request in halves is one request", async (t) => {
  const { path } = await serve(t, { echo: (params) => params });
  const { socket, text } = await raw(path);
  const [first, second] = ['{"id":1,"method":"ec', 'ho","params":"ä"}\n'];
  socket.write(first);
  await new Promise(setImmediate);
  socket.write(second);
  await eventually(() => text() === '{"id":1,"result":"ä"}\n');
  socket.destroy();
});

test("a line over the bound ends that connection and no other", async (t) => {
  const { path } = await serve(t, { echo: (params) => params });
  using other = await ControlClient.connect(path);
  const { socket, text } = await raw(path);
  socket.write("x".repeat(4 * MIB + 1));
  await eventually(() => text().includes('"too-large"') && socket.closed);
  assert.equal(await other.request("echo", 1), 1);
  await assert.rejects(other.request("echo", "x".repeat(4 * MIB)), code("too-large"));
  assert.equal(await other.request("echo", 2), 2);
});

test("a client that reads nothing is dropped at the bound; the others are served", async (t) => {
  const answer = "x".repeat(3 * MIB);
  const { path, errors } = await serve(t, {
    big: async () => {
      await new Promise(setImmediate);
      return answer;
    },
  });
  const { socket } = await raw(path);
  socket.pause();
  for (let id = 0; id < 20; id++) socket.write(`{"id":${id},"method":"big"}\n`);
  await eventually(() => errors.length > 0, { what: "the drop" });
  assert.match(errors[0]?.message ?? "", /left [0-9]+ bytes unread was dropped/);
  assert.equal(await controlRequest(path, "big"), answer);
  socket.destroy();
});

test("a client's time-out and signal end its request and leave the connection usable", async (t) => {
  const gate = Promise.withResolvers<string>();
  const { path } = await serve(t, { slow: () => gate.promise, fast: () => "now" });
  using client = await ControlClient.connect(path);
  await assert.rejects(client.request("slow", {}, { timeoutMs: 5 }), code("timeout"));
  const controller = new AbortController();
  const given = client.request("slow", {}, { signal: controller.signal });
  controller.abort();
  await assert.rejects(given, code("aborted"));
  await assert.rejects(client.request("fast", {}, { signal: controller.signal }), code("aborted"));
  gate.resolve("too late for anyone");
  assert.equal(await client.request("fast"), "now");
});

test("a client that leaves aborts its requests in the server", async (t) => {
  const seen = Promise.withResolvers<void>();
  const { path } = await serve(t, {
    wait: (_, signal) => new Promise(() => signal.addEventListener("abort", () => seen.resolve())),
    ping: () => "pong",
  });
  const client = await ControlClient.connect(path);
  const waiting = assert.rejects(client.request("wait"), code("unavailable"));
  await client.request("ping");
  client.close();
  await waiting;
  await seen.promise;
});

test("a server that closes in the middle fails the request, and its socket file is gone", async (t) => {
  const { server, path } = await serve(t, { wait: () => new Promise(() => undefined), ping: () => "pong" });
  const client = await ControlClient.connect(path);
  const waiting = client.request("wait");
  await client.request("ping");
  await Promise.all([assert.rejects(waiting, code("unavailable")), server.close()]);
  await assert.rejects(client.request("ping"), code("unavailable"));
  assert.equal(existsSync(path), false);
  await assert.rejects(ControlClient.connect(path), code("unavailable"));
});

test("a path with a live server is refused, and that server goes on", async (t) => {
  const { path } = await serve(t, { who: () => "first" });
  await assert.rejects(ControlServer.listen({ path, methods: {} }), code("in-use"));
  assert.equal(await controlRequest(path, "who"), "first");
  assert.deepEqual(readdirSync(join(path, "..")), ["control.sock"]);
});

test("the socket file of a killed process is replaced", async (t) => {
  const path = join(Testbed.create(t).directory(), "control.sock");
  const script = `require("node:net").createServer().listen(process.argv[1], () => console.log("up"))`;
  const program = await Program.start([process.execPath, "-e", script, path]);
  await program.waitForOutput(/up/);
  program.signal("SIGKILL");
  await program.exited;
  await assert.rejects(ControlClient.connect(path), code("unavailable"));
  await serve(t, { who: () => "second" }, path);
  assert.equal(await controlRequest(path, "who"), "second");
});

test("of many that start at once on one path, exactly one serves it", async (t) => {
  const path = join(Testbed.create(t).directory(), "control.sock");
  const starts = Array.from({ length: 8 }, (_, index) =>
    ControlServer.listen({ path, methods: { who: () => index } }).then((server) => ({ server, index })),
  );
  const outcomes = await Promise.allSettled(starts);
  const winners = outcomes
    .filter((outcome) => outcome.status === "fulfilled")
    .map((outcome) => outcome.value);
  t.after(() => Promise.all(winners.map(({ server }) => server.close())));
  assert.equal(winners.length, 1);
  assert.equal(await controlRequest(path, "who"), winners[0]?.index);
  assert.deepEqual(readdirSync(join(path, "..")), ["control.sock"]);
});

test("a file that is no socket, a long path and a missing right are one clear error each", async (t) => {
  const directory = Testbed.create(t).directory();
  const file = join(directory, "file");
  writeFileSync(file, "precious");
  await assert.rejects(ControlServer.listen({ path: file, methods: {} }), code("in-use"));
  const long = join(directory, "x".repeat(120));
  await assert.rejects(ControlServer.listen({ path: long, methods: {} }), code("invalid-path"));
  await assert.rejects(ControlServer.listen({ path: join(file, "x"), methods: {} }), code("invalid-path"));
  assert.deepEqual(readdirSync(directory), ["file"]);
});
