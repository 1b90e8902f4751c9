// Aim: the TCP options that Node lacks do on the wire what they say, for both families. Method: connections over the
// loopback of a fresh namespace, opened with Node's own bound sockets, with right, wrong, missing and removed options.
import assert from "node:assert/strict";
import { once } from "node:events";
import { BoundSocket, createServer, type Server, Socket } from "node:net";
import { type TestContext, test } from "node:test";
import { Prefix, Utf8 } from "@caracal/net";
import { namespacePath, tcpOptions, withNamespace } from "../src/index.ts";
import { freshNamespace, kernelSkip, run } from "./fresh-namespace.ts";

const skip = kernelSkip(["ip"]);
/** How long a greeting that must come is waited for, on a machine that is busy with other things. */
const patienceMs = 20_000;
/** For one that must not come: far longer than a handshake on loopback takes. */
const silenceMs = 300;

interface Ends {
  readonly namespace: string;
  readonly host: string;
  readonly peers: Prefix;
}

const families = [
  { family: 4, host: "127.0.0.1", peers: prefix("127.0.0.1/32"), net: prefix("127.0.0.0/8") },
  { family: 6, host: "::1", peers: prefix("::1/128"), net: prefix("::/64") },
] as const;

function prefix(text: string): Prefix {
  const found = Prefix.parse(text);
  assert.ok(found !== undefined);
  return found;
}

function loopback(t: TestContext): string {
  const namespace = freshNamespace(t);
  run(namespace, "ip", "link", "set", "lo", "up");
  return namespace;
}

/** A listening socket with the options that `prepare` sets. */
async function listen(
  t: TestContext,
  { namespace, host }: Ends,
  prepare: (fd: number) => void,
): Promise<{ server: Server; fd: number; port: number }> {
  const server = createServer((socket) => socket.on("error", () => undefined).end("hello"));
  t.after(() => server.close());
  const bound = withNamespace(namespacePath(namespace), () => new BoundSocket({ host }));
  const [fd, { port }] = [bound.fd(), bound.address()];
  prepare(fd);
  server.listen({ handle: bound });
  await once(server, "listening");
  return { server, fd, port };
}

/** Whether a connection with these options brings what the server says within this time. */
async function greets(
  { namespace, host }: Ends,
  port: number,
  prepare: (fd: number) => void,
  waitMs = patienceMs,
): Promise<boolean> {
  const bound = withNamespace(namespacePath(namespace), () => new BoundSocket({ host }));
  prepare(bound.fd());
  const socket = new Socket({ handle: bound });
  socket.connect({ host, port });
  socket.on("error", () => undefined);
  try {
    await once(socket, "data", { signal: AbortSignal.timeout(waitMs) });
    return true;
  } catch {
    return false;
  } finally {
    socket.destroy();
  }
}

for (const { family, host, peers, net } of families) {
  test(`IPv${family}: only the same TCP-MD5 key on both ends connects`, { skip }, async (t) => {
    const ends = { namespace: loopback(t), host, peers };
    const key =
      (text: string | undefined, to = peers) =>
      (fd: number): void =>
        tcpOptions.setMd5Key(fd, to, text === undefined ? undefined : Utf8.encode(text));
    const { fd, port } = await listen(t, ends, key("secret"));
    assert.equal(await greets(ends, port, key("secret")), true);
    assert.equal(await greets(ends, port, key("Secret"), silenceMs), false);
    assert.equal(await greets(ends, port, () => undefined, silenceMs), false);
    key("another")(fd);
    assert.equal(await greets(ends, port, key("another")), true, "a key may change while the socket listens");
    key(undefined)(fd);
    key(undefined)(fd);
    assert.equal(await greets(ends, port, () => undefined), true);
    key("of all", net)(fd);
    assert.equal(await greets(ends, port, key("of all")), true);
    assert.equal(await greets(ends, port, () => undefined, silenceMs), false);
  });

  test(`IPv${family}: a packet with too low a TTL is not heard`, { skip }, async (t) => {
    const ends = { namespace: loopback(t), host, peers };
    const { port } = await listen(t, ends, (fd) => tcpOptions.setMinTtl(fd, family, 255));
    assert.equal(await greets(ends, port, (fd) => tcpOptions.setTtl(fd, family, 255)), true);
    assert.equal(await greets(ends, port, (fd) => tcpOptions.setTtl(fd, family, 254), silenceMs), false);
    assert.equal(
      await greets(
        ends,
        port,
        (fd) => {
          tcpOptions.setTtl(fd, family, 255);
          tcpOptions.setTtl(fd, family, undefined);
        },
        silenceMs,
      ),
      false,
    );
  });
}

test("what the kernel would misread is refused before it is asked", { skip }, (t) => {
  const namespace = loopback(t);
  using bound = withNamespace(namespacePath(namespace), () => new BoundSocket({ host: "127.0.0.1" }));
  const peers = prefix("127.0.0.1/32");
  for (const bytes of [0, 81]) {
    assert.throws(() => tcpOptions.setMd5Key(bound.fd(), peers, new Uint8Array(bytes)), { errno: "EINVAL" });
  }
  assert.throws(() => tcpOptions.setTtl(bound.fd(), 4, 256), { op: "tcp.ttl", errno: "EINVAL" });
  assert.throws(() => tcpOptions.setMinTtl(bound.fd(), 4, 256), { op: "tcp.minttl", errno: "EINVAL" });

  assert.throws(() => tcpOptions.setTtl(1 << 20, 4, 1), { errno: "EBADF" });
});
