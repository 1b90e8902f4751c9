// A wire that a program carries frames over, as some virtual machines have it: argv names the two interfaces, from and to. What
// a sender left to its interface to fill in never is.
import assert from "node:assert/strict";
import { libc } from "../src/libc.ts";
import { Rtnetlink } from "../src/index.ts";

const AF_PACKET = 17;
const SOCK_RAW = 3;
const ETH_P_ALL_NETWORK_ORDER = 0x0300;
const SOL_PACKET = 263;
const PACKET_IGNORE_OUTGOING = 23;
const frameBytes = 65536;

/** A socket of one interface. struct sockaddr_ll: | family u16 | protocol u16 | index i32 | zeros | */
function open(name: string | undefined, protocol: number): number {
  using ip = Rtnetlink.open();
  const index = ip.link(name ?? "")?.index ?? assert.fail(`no interface ${name}`);
  const fd = libc.socket(AF_PACKET, SOCK_RAW, protocol);
  const address = new DataView(new ArrayBuffer(20));
  address.setUint16(0, AF_PACKET, true);
  address.setUint16(2, protocol, true);
  address.setInt32(4, index, true);
  assert.equal(libc.bind(fd, new Uint8Array(address.buffer), 20), 0);
  return fd;
}

const [from, to] = process.argv.slice(2);
const source = open(from, ETH_P_ALL_NETWORK_ORDER);
const sink = open(to, 0);
const one = new Uint8Array(Int32Array.of(1).buffer);
assert.equal(libc.setsockopt(source, SOL_PACKET, PACKET_IGNORE_OUTGOING, one, 4), 0);
process.stdout.write("ready\n");
const frame = new Uint8Array(frameBytes);
for (;;) {
  const length = libc.recv(source, frame, frameBytes, 0);
  if (length > 0) libc.send(sink, frame, length, 0);
}
