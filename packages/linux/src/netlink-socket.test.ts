// Aim: what seldom happens on a real socket: torn dumps, lost and late answers. Method: a transport that answers from a
// script instead of a kernel.
import assert from "node:assert/strict";
import { test } from "node:test";
import { Writer } from "@caracal/net";
import { dumpRoutes, Nlm, Nlmsg, Rtm } from "@caracal/netlink";
import type { Received } from "./netlink-fd.ts";
import { NetlinkSocket } from "./netlink-socket.ts";

interface Answer {
  readonly type: number;
  readonly flags?: number;
  /** Counted from the first request; by default the last one sent. */
  readonly sequence?: number;
  readonly errno?: number;
}

function datagram(answers: readonly Answer[], lastSequence: number): Uint8Array {
  const writer = new Writer();
  for (const { type, flags = 0, sequence = lastSequence, errno = 0 } of answers) {
    const isError = type === Nlmsg.NLMSG_ERROR;
    writer.u32le(isError ? 36 : 20);
    writer.u16le(type);
    writer.u16le(flags);
    writer.u32le(sequence);
    writer.u32le(1);
    writer.i32le(0 - errno);
    if (!isError) continue;
    writer.u32le(16);
    writer.u32le(0);
    writer.u32le(sequence);
    writer.u32le(0);
  }
  return writer.finish();
}

/** A socket whose every request is answered by the next list of the script. */
function scripted(...script: readonly (readonly (Answer[] | Received)[])[]): {
  socket: NetlinkSocket;
  sent: number[];
} {
  const sent: number[] = [];
  let queue: (Answer[] | Received)[] = [];
  let sequence = 0;
  const socket = new NetlinkSocket({
    port: 1,
    send: (_, bytes) => {
      queue = [...(script[sent.length] ?? [])];
      let count = 0;
      for (
        let at = 0;
        at < bytes.length;
        at += new DataView(bytes.buffer).getUint32(bytes.byteOffset + at, true)
      )
        count += 1;
      sequence += count;
      sent.push(count);
    },
    receive: () => {
      const next = queue.shift() ?? "empty";
      return Array.isArray(next) ? datagram(next, sequence) : next;
    },
    close: () => undefined,
  });
  return { socket, sent };
}

const object: Answer = { type: Rtm.RTM_NEWROUTE, flags: Nlm.NLM_F_MULTI };
const torn: Answer = { ...object, flags: Nlm.NLM_F_MULTI | Nlm.NLM_F_DUMP_INTR };
const end: Answer = { type: Nlmsg.NLMSG_DONE };
const success: Answer = { type: Nlmsg.NLMSG_ERROR };

test("a torn dump is begun again, and what the torn one gave is dropped", () => {
  const { socket, sent } = scripted([[torn, object], [end]], [[object], [end]]);
  assert.deepEqual(
    socket.dump("route.dump", dumpRoutes(), () => "item"),
    ["item"],
  );
  assert.equal(sent.length, 2);
});

test("a dump that stays torn ends in EINTR after a bounded number of attempts", () => {
  const { socket, sent } = scripted(...Array.from({ length: 20 }, () => [[torn, end]]));
  assert.throws(() => socket.dump("route.dump", dumpRoutes(), () => 1), { errno: "EINTR" });
  assert.equal(sent.length, 8);
});

test("an error at the end of a dump is thrown", () => {
  const { socket } = scripted([[object], [{ ...end, errno: 22 }]], [[{ ...success, errno: 95 }]]);
  assert.throws(() => socket.dump("route.dump", dumpRoutes(), () => 1), { errno: "EINVAL" });
  assert.throws(() => socket.dump("route.dump", dumpRoutes(), () => 1), { errno: "EOPNOTSUPP" });
});

test("answers to an earlier request are passed over", () => {
  const { socket } = scripted([[success]], [[{ ...success, sequence: 1, errno: 17 }], [success]]);
  socket.request("x", dumpRoutes());
  socket.request("x", dumpRoutes());
});

test("lost answers are ENOBUFS, missing ones EPROTO", () => {
  const { socket } = scripted(["overrun"], []);
  assert.throws(() => socket.request("x", dumpRoutes()), { errno: "ENOBUFS" });
  assert.throws(() => socket.request("x", dumpRoutes()), { errno: "EPROTO" });
});

test("a batch is cut into datagrams of 64 requests, and refusals keep their places", () => {
  const requests = Array.from({ length: 130 }, () => ({ ...dumpRoutes(), flags: 0 }));
  const { socket, sent } = scripted(
    [[success]],
    [[{ ...success, sequence: 66, errno: 17 }], [{ ...success, errno: 3 }]],
    [[success]],
  );
  const failures = socket.batch("x", requests);
  assert.deepEqual(sent, [64, 64, 2]);
  assert.deepEqual(
    failures.map(({ index, error }) => [index, error.errno]),
    [
      [65, "EEXIST"],
      [127, "ESRCH"],
    ],
  );
});

test("a batch of large requests is cut by size", () => {
  const large = { type: Rtm.RTM_NEWROUTE, flags: 0, writeBody: (writer: Writer) => writer.zeros(40_000) };
  const { socket, sent } = scripted([[success]], [[success]]);
  assert.deepEqual(socket.batch("x", [large, large, large]), []);
  assert.deepEqual(sent, [2, 1]);
});
