/** When BGP is ready, in Calico's words. Method: tables. */
import assert from "node:assert/strict";
import { test } from "node:test";
import type { SessionState } from "@caracal/bgp";
import { address } from "../../test/node-fixtures.ts";
import { bgpReadiness } from "./bgp-readiness.ts";

const young = 5_000;
const old = 60_000;

function peers(...states: readonly SessionState[]): Parameters<typeof bgpReadiness>[0] {
  return states.map((state, index) => ({ address: address(`172.18.0.${index + 2}`), state }));
}

test("no peers at all is ready", () => {
  assert.deepEqual(bgpReadiness([], young, undefined), {
    live: true,
    ready: true,
    detail: "0 sessions established",
  });
});

test("a young daemon needs every session, an old one a single one", () => {
  const some = peers("Established", "Connect", "Active");
  const { ready, detail } = bgpReadiness(some, young, undefined);
  assert.equal(ready, false);
  assert.equal(detail, "BIRD is not ready: BGP not established with 172.18.0.3,172.18.0.4");
  assert.equal(bgpReadiness(some, old, undefined).ready, true);
  assert.equal(bgpReadiness(peers("Connect", "Active"), old, undefined).ready, false);
  assert.equal(bgpReadiness(peers("Established", "Established"), young, undefined).ready, true);
});

test("a speaker that cannot listen is not ready, whatever the peers", () => {
  const report = bgpReadiness([], old, "port 179 is in use");
  assert.deepEqual(report, { live: true, ready: false, detail: "BIRD is not ready: port 179 is in use" });
});
