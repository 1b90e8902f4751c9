/** How transports reach sockets: a fake of the system's options writes down what is set, and refuses when told to. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { type PeerInput, defaultTimers } from "@caracal/bgp";
import { IpAddress, Ipv4, Prefix, Utf8 } from "@caracal/net";
import { eventually, freePorts } from "@caracal/testbed";
import { BgpServer } from "./bgp-server.ts";
import { type PeerTransport, type SocketOptions } from "./peer-transport.ts";
import { PeerTransports } from "./peer-transports.ts";

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

function fakeOptions(): { options: SocketOptions; take: () => string[] } {
  const calls: string[] = [];
  return {
    options: {
      setMd5Key: (fd, peers, key) =>
        calls.push(`${fd} key ${Prefix.format(peers)} ${key === undefined ? "none" : Utf8.decode(key)}`),
      setTtl: (fd, _family, ttl) => calls.push(`${fd} ttl ${ttl ?? "default"}`),
      setMinTtl: (fd, _family, least) => calls.push(`${fd} least ${least}`),
    },
    take: () => calls.splice(0),
  };
}

const [a, b, c] = [
  { name: "a", address: ip("10.0.0.1") },
  { name: "b", address: ip("10.0.0.2") },
  { name: "c", address: ip("fd00::3") },
];

function byName(entries: Record<string, PeerTransport>): Map<string, PeerTransport> {
  return new Map(Object.entries(entries));
}

test("a listening socket gets the keys of its family's peers, and only what changes later", () => {
  const { options, take } = fakeOptions();
  const transports = new PeerTransports(options);
  assert.deepEqual(transports.replace([a, b, c], byName({ a: { password: "A" }, c: { password: "C" } })), []);
  transports.addListening(4, 4);
  transports.addListening(6, 6);
  assert.deepEqual(take(), ["4 key 10.0.0.1/32 A", "6 key fd00::3/128 C"]);
  const next = byName({ a: { password: "A" }, b: { password: "B" }, c: { password: "D" } });
  assert.deepEqual(transports.replace([a, b, c], next), ["b", "c"]);
  assert.deepEqual(take(), ["4 key 10.0.0.2/32 B", "6 key fd00::3/128 D"]);
  assert.deepEqual(transports.replace([b, c], next), []);
  assert.deepEqual(take(), ["4 key 10.0.0.1/32 none"]);
  transports.forgetListening();
  assert.deepEqual(transports.replace([], new Map()), []);
  assert.deepEqual(take(), []);
});

test("a listening socket drops by TTL only what no peer may send", () => {
  const { options, take } = fakeOptions();
  const transports = new PeerTransports(options);
  transports.addListening(4, 4);
  transports.replace([a, b], byName({ a: { ttlSecurityHops: 1 }, b: { ttlSecurityHops: 3 } }));
  assert.deepEqual(take(), ["4 ttl 255", "4 least 253"]);
  transports.replace([a, b], byName({ a: { ttlSecurityHops: 1 } }));
  assert.deepEqual(take(), ["4 ttl 255", "4 least 0"]);
  transports.replace([a, b], new Map());
  assert.deepEqual(take(), ["4 ttl default", "4 least 0"]);
  transports.replace([a], byName({ a: { password: "A" } }));
  assert.deepEqual(take(), ["4 key 10.0.0.1/32 A"]);
});

test("a range's key stands for its prefix; a peer with an address of its own has its own, or none", () => {
  const { options, take } = fakeOptions();
  const transports = new PeerTransports(options);
  const near = { name: "near", prefix: prefix("10.0.0.0/24") };
  const far = { name: "far", prefix: prefix("10.0.0.0/8") };
  const byRange = byName({ near: { password: "N", ttlSecurityHops: 1 }, far: { password: "F" } });
  transports.addListening(4, 4);
  transports.replace([a], byRange, [far, near]);
  assert.deepEqual(take(), ["4 key 10.0.0.0/24 N", "4 key 10.0.0.0/8 F", "4 ttl 255", "4 least 0"]);
  assert.equal(transports.protection(a.address), undefined);
  transports.protection(b.address)?.(8);
  transports.protection(ip("10.9.9.9"))?.(9);
  assert.equal(transports.protection(ip("192.0.2.1")), undefined);
  assert.deepEqual(take(), ["8 key 10.0.0.2/32 N", "8 ttl 255", "8 least 255", "9 key 10.9.9.9/32 F"]);
  const changed = byName({ near: { password: "N" }, far: { password: "G" } });
  assert.deepEqual(transports.replace([a], changed, [far, near]), ["near", "far"]);
  assert.deepEqual(take(), ["4 key 10.0.0.0/8 G", "4 ttl default", "4 least 0"]);
  transports.replace([a], new Map(), []);
  assert.deepEqual(take().toSorted(), ["4 key 10.0.0.0/24 none", "4 key 10.0.0.0/8 none"]);
});

test("an outgoing socket is protected as its peer asks; one without wishes is left to Node", () => {
  const { options, take } = fakeOptions();
  const transports = new PeerTransports(options);
  transports.replace(
    [a, b, c],
    byName({ a: { password: "A", ttlSecurityHops: 2, ttl: 9 }, b: {}, c: { ttl: 7 } }),
  );
  assert.equal(transports.protection(b.address), undefined);
  transports.protection(a.address)?.(8);
  transports.protection(c.address)?.(9);
  assert.deepEqual(take(), ["8 key 10.0.0.1/32 A", "8 ttl 255", "8 least 254", "9 ttl 7"]);
});

const timers = {
  ...defaultTimers,
  connectDelayMs: 0,
  connectRetryMinMs: 20,
  connectRetryMs: 200,
};

test("without the system's options a peer with a password is never connected, and the reason is told", async (t) => {
  const [port] = await freePorts(1);
  assert.ok(port !== undefined);
  const recorded: string[] = [];
  const [one, two] = [1, 2].map((number) => {
    const server = new BgpServer({
      routerId: Ipv4.of(number),
      asn: 64512,
      listen: [{ address: ip(`127.0.0.${number}`), port }],
      onRecord: (line) => recorded.push(line),
    });
    t.after(() => server.stop({ graceful: true }));
    return server;
  });
  assert.ok(one !== undefined && two !== undefined);
  await Promise.all([one.start(), two.start()]);
  const peer = (number: number, self: number): PeerInput => ({
    name: `p${number}`,
    address: ip(`127.0.0.${number}`),
    port,
    asn: 64512,
    sourceAddress: ip(`127.0.0.${self}`),
    timers,
  });
  one.setPeers([peer(2, 1)], byName({ p2: { password: "hush, hush" } }));
  // The other end has no password: its connections arrive, and must be refused.
  two.setPeers([peer(1, 2)]);
  const reason = "Socket: TCP-MD5 and TTL security are not available to this speaker";
  await eventually(() => one.peers()[0]?.lastError === reason);
  await eventually(() => two.peers()[0]?.lastError === "Socket: Connection closed");
  assert.notEqual(one.peers()[0]?.state, "Established");
  assert.doesNotMatch(recorded.join("\n"), /hush/);
  one.setPeers([peer(2, 1)]);
  await eventually(() => one.peers()[0]?.state === "Established");
});
