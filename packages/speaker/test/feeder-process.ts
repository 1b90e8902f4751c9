/**
 * A BGP speaker that only speaks, for tests; it shares no code with the one under test.
 *
 *     node feeder-process.ts NEIGHBOUR LOCAL COUNT IS_LONG
 *
 * Connects until somebody is there, opens a session, says COUNT routes of `feederTable` and keeps the session up.
 */
import { connect } from "node:net";
import { attribute, feederAsn, feederTable } from "./feeder-table.ts";

const [neighbor = "", local = "", count = "0", isLong = "false"] = process.argv.slice(2);
const retryMs = 200;
const holdTimeS = 90;
/** RFC 4271 §4.1. */
const Type = { open: 1, update: 2, keepalive: 4 } as const;

function message(type: number, body: Buffer): Buffer {
  const head = Buffer.alloc(19, 0xff);
  head.writeUInt16BE(19 + body.length, 16);
  head.writeUInt8(type, 18);
  return Buffer.concat([head, body]);
}

/** RFC 4271 §4.2 with the capabilities for IPv4 unicast and four-octet AS numbers. */
function open(): Buffer {
  const asn = [feederAsn >>> 24, (feederAsn >>> 16) & 255, (feederAsn >>> 8) & 255, feederAsn & 255];
  const capabilities = [1, 4, 0, 1, 0, 1, 65, 4, ...asn];
  const options = [2, capabilities.length, ...capabilities];
  const two = [feederAsn >>> 8, feederAsn & 255];
  const id = local.split(".").map(Number);
  return message(Type.open, Buffer.from([4, ...two, 0, holdTimeS, ...id, options.length, ...options]));
}

function updates(): Buffer {
  const nextHop = attribute(0x40, 3, Buffer.from(local.split(".").map(Number)));
  const all = feederTable({ count: Number(count), isLong: isLong === "true" }).map(({ attributes, nlri }) => {
    // RFC 4271 §5: in the order of their codes; NEXT_HOP stands behind ORIGIN and AS_PATH.
    const pathEnd = 4 + 3 + (attributes[6] ?? 0);
    const ordered = Buffer.concat([attributes.subarray(0, pathEnd), nextHop, attributes.subarray(pathEnd)]);
    const lengths = Buffer.from([0, 0, ordered.length >> 8, ordered.length & 255]);
    return message(Type.update, Buffer.concat([lengths, ordered, nlri]));
  });
  return Buffer.concat([...all, message(Type.update, Buffer.alloc(4))]);
}

function call(): void {
  const socket = connect({ host: neighbor, port: 179, localAddress: local });
  let isFed = false;
  socket.on("connect", () => socket.write(open()));
  // Whatever comes is an OPEN first; what follows needs no answer but a sign of life.
  socket.on("data", () => {
    socket.write(message(Type.keepalive, Buffer.alloc(0)));
    if (isFed) return;
    isFed = true;
    socket.write(updates(), () => process.stdout.write("fed\n"));
  });
  socket.on("error", () => undefined);
  socket.on("close", () => setTimeout(call, retryMs));
}

call();
