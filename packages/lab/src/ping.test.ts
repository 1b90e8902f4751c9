/**
 * Aim: ping's summary is read, with and without answers.
 * Method: what iputils prints.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import { parsePing } from "./ping.ts";

const HEAD = "PING 10.244.0.1 (10.244.0.1) 56(84) bytes of data.\n\n--- 10.244.0.1 ping statistics ---\n";

test("answers, losses and refusals are told apart", () => {
  assert.deepEqual(
    parsePing(
      `${HEAD}3 packets transmitted, 3 received, 0% packet loss, time 200ms\nrtt min/avg/max/mdev = 0.042/0.058/0.082/0.017 ms\n`,
    ),
    { sent: 3, received: 3, rttMs: 0.058 },
  );
  assert.deepEqual(
    parsePing(`${HEAD}3 packets transmitted, 0 received, +3 errors, 100% packet loss, time 2050ms\npipe 3\n`),
    {
      sent: 3,
      received: 0,
    },
  );
  assert.deepEqual(parsePing("ping: connect: Network is unreachable\n"), {
    sent: 0,
    received: 0,
    failure: "ping: connect: Network is unreachable",
  });
});
