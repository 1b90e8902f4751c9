/** Servers on loopback addresses: what sockets add to the speaker, and what goes wrong with them. */
import assert from "node:assert/strict";
import { once } from "node:events";
import { type Socket, connect, createServer } from "node:net";
import { type TestContext, test } from "node:test";
import { type PeerInput, defaultTimers, replay } from "@caracal/bgp";
import { IpAddress, Ipv4, Prefix } from "@caracal/net";
import { eventually, freePorts } from "@caracal/testbed";
import { BgpListenError } from "./bgp-listener.ts";
import { BgpServer } from "./bgp-server.ts";
import { congestedBytes, maxQueuedBytes } from "./peer-socket.ts";

const timers = {
  ...defaultTimers,
  connectDelayMs: 0,
  connectRetryMinMs: 20,
  connectRetryMs: 200,
  errorWaitMinMs: 50,
  errorWaitMaxMs: 200,
};

function ip(text: string): IpAddress {
  const address = IpAddress.parse(text);
  assert.ok(address !== undefined);
  return address;
}

function prefix(text: string): Prefix {
  const found = Prefix.parse(text);
  assert.ok(found !== undefined);
  return found;
}

/** A server at 127.0.0.`number`, stopped at the test's end. */
async function server(
  t: TestContext,
  number: number,
  port: number,
  onRecord?: (line: string) => void,
): Promise<BgpServer> {
  const one = new BgpServer({
    routerId: Ipv4.of(number),
    asn: 64512,
    listen: [{ address: ip(`127.0.0.${number}`), port }],
    ...(onRecord === undefined ? {} : { onRecord }),
  });
  t.after(() => one.stop({ graceful: true }));
  await one.start();
  return one;
}

function peer(number: number, port: number, self: number): PeerInput {
  const address = ip(`127.0.0.${number}`);
  return { name: `p${number}`, address, port, asn: 64512, sourceAddress: ip(`127.0.0.${self}`), timers };
}

async function freePort(): Promise<number> {
  const [port] = await freePorts(1);
  assert.ok(port !== undefined);
  return port;
}

function table(one: BgpServer): string[] {
  return one
    .routes()
    .filter((route) => route.best)
    .map((route) => Prefix.format(route.prefix))
    .toSorted();
}

test("two servers that connect to each other exchange routes and say when they are in sync", async (t) => {
  const port = await freePort();
  const [a, b] = [await server(t, 1, port), await server(t, 2, port)];
  const batches: string[] = [];
  b.onBestRoutes((changes) =>
    batches.push(...changes.map((one) => `${one.kind} ${Prefix.format(one.prefix)}`)),
  );
  a.setOrigins([{ prefix: prefix("10.1.0.0/26") }]);
  b.setOrigins([{ prefix: prefix("10.2.0.0/26") }]);
  a.setPeers([peer(2, port, 1)]);
  b.setPeers([peer(1, port, 2)]);
  await eventually(() => table(a).length === 2 && table(b).length === 2);
  await new Promise<void>((resolve) => b.onInitialSync(resolve));
  a.setOrigins([]);
  await eventually(() => table(b).length === 1);
  assert.deepEqual(batches, ["reach 10.2.0.0/26", "reach 10.1.0.0/26", "unreach 10.1.0.0/26"]);
});

test("what was recorded of a server, replayed, ends with the same routes", async (t) => {
  const port = await freePort();
  const lines: string[] = [];
  const a = await server(t, 1, port);
  const b = await server(t, 2, port, (line) => lines.push(line));
  const filter = {
    rules: [{ set: { localPref: 300 }, action: "accept" as const }],
    otherwise: "accept" as const,
  };
  b.setPolicies([{ name: "in", direction: "import", peerType: "iBGP", filters: [filter] }]);
  a.setOrigins([{ prefix: prefix("10.1.0.0/26") }]);
  b.setOrigins([{ prefix: prefix("10.2.0.0/26") }]);
  a.setPeers([peer(2, port, 1)]);
  b.setPeers([{ ...peer(1, port, 2), importPolicy: "in" }]);
  await eventually(() => table(a).length === 2 && table(b).length === 2);
  const routes = b.routes();
  const last = [...replay(lines)].at(-1);
  assert.deepEqual(last?.speaker.routes(), routes);
  assert.equal(routes.find(({ source }) => source.kind === "peer")?.attributes.localPref, 300);
});

test("a port that is taken is one clear error, and nothing stays open", async (t) => {
  const port = await freePort();
  await server(t, 1, port);
  const second = new BgpServer({
    routerId: Ipv4.of(9),
    asn: 64512,
    listen: [
      { address: ip("127.0.0.2"), port },
      { address: ip("127.0.0.1"), port },
    ],
  });
  await assert.rejects(second.start(), (error) => {
    assert.ok(error instanceof BgpListenError);
    assert.equal(error.code, "EADDRINUSE");
    assert.equal(error.message, `cannot listen for BGP on 127.0.0.1 port ${port}: Address already in use`);
    return true;
  });
  const probe = createServer().listen(port, "127.0.0.2");
  await once(probe, "listening");
  probe.close();
  await second.stop({ graceful: true });
});

test("a peer that refuses is named as such and tried again until it listens", async (t) => {
  const port = await freePort();
  const a = await server(t, 1, port);
  a.setPeers([peer(2, port, 1)]);
  await eventually(() => a.peers()[0]?.lastError === "Socket: Connection refused");
  const b = await server(t, 2, port);
  b.setPeers([{ ...peer(1, port, 2), passive: true }]);
  await eventually(() => a.peers()[0]?.state === "Established");
  assert.equal(a.peers()[0]?.lastError, "");
});

test("strangers are refused and counted, many at once", async (t) => {
  const port = await freePort();
  const a = await server(t, 1, port);
  const sockets = Array.from({ length: 200 }, () =>
    connect({ host: "127.0.0.1", port, localAddress: "127.0.0.9" }),
  );
  await Promise.all(
    sockets.map(async (socket) => {
      socket.on("error", () => undefined);
      socket.resume();
      await once(socket, "close");
    }),
  );
  assert.equal(a.refusedCount, 200);
});

test("a peer that does not read is held back at a bound, while others hear everything", async (t) => {
  const port = await freePort();
  const [a, b] = [await server(t, 1, port), await server(t, 2, port)];
  const slow = connect({ host: "127.0.0.1", port, localAddress: "127.0.0.3" });
  t.after(() => slow.destroy());
  a.setPeers([
    { ...peer(2, port, 1), passive: true },
    { ...peer(3, port, 1), passive: true, addPathSend: false },
  ]);
  b.setPeers([peer(1, port, 2)]);
  await handshake(slow);
  slow.pause();
  await eventually(() => a.peers().every((one) => one.state === "Established"));
  // A round is some 3 MB of changes: more in all than the queue and the system's buffers take.
  const count = 16_000;
  const last = Prefix.of(Ipv4.of(0x0b000000 + (count - 1) * 256), 24);
  for (let round = 1; round <= 12 && a.queuedBytes <= congestedBytes; round += 1) {
    a.setOrigins(
      Array.from({ length: count }, (_, index) => ({
        prefix: Prefix.of(Ipv4.of(0x0b000000 + index * 256), 24),
        communities: Array.from({ length: 40 }, (_unused, place) => index * 64 + place),
        med: round,
      })),
    );
    await eventually(() => b.routes(last)[0]?.attributes.med === round);
  }
  assert.equal(b.peers()[0]?.importedCount, count);
  assert.ok(a.queuedBytes > congestedBytes, "the bound is reached");
  assert.ok(a.queuedBytes < maxQueuedBytes);
  assert.equal(a.peers()[1]?.state, "Established", "it is not given up, only held back");
});

test("a stop says goodbye unless it is graceful", async (t) => {
  for (const graceful of [false, true]) {
    const port = await freePort();
    const [a, b] = [await server(t, 1, port), await server(t, 2, port)];
    a.setOrigins([{ prefix: prefix("10.1.0.0/26") }]);
    a.setPeers([peer(2, port, 1)]);
    b.setPeers([{ ...peer(1, port, 2), passive: true }]);
    await eventually(() => table(b).length === 1);
    await a.stop({ graceful });
    await eventually(() => b.peers()[0]?.state !== "Established");
    assert.equal(
      b.peers()[0]?.lastError,
      graceful ? "Socket: Connection closed" : "Received: Hard reset: Administrative shutdown",
    );
    assert.equal(table(b).length, graceful ? 1 : 0);
  }
});

/** Plays a peer of AS 64512 with identifier 0.0.0.99 up to Established. */
async function handshake(socket: Socket): Promise<void> {
  await once(socket, "connect");
  const marker = "ff".repeat(16);
  socket.write(
    Uint8Array.fromHex(`${marker}002d0104fc0000f00000006310020601040001000102064104${"0000fc00"}`),
  );
  socket.write(Uint8Array.fromHex(`${marker}001304`));
  await once(socket, "data");
}
