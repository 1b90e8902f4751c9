/** Which address a node takes, given its environment, what is stored and what the host has. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { Prefix } from "@caracal/net";
import type { DetectionHost } from "./autodetect.ts";
import { chooseAddress } from "./node-addresses.ts";

const network = Prefix.parseInterface("172.18.0.3/16");
assert.ok(network !== undefined);
const host: DetectionHost = {
  interfaces: () => [{ name: "eth0", isUp: true, addresses: [network] }],
  sourceTowards: async () => undefined,
};
const detecting = { source: "autodetect", method: "first-found" };

test("an unset IP without a stored address is detected", async () => {
  const found = await chooseAddress(4, { source: "", method: "first-found" }, undefined, host);
  assert.deepEqual(found, { kind: "address", cidr: "172.18.0.3/16", how: "first-found on eth0" });
});

test("an unset IP keeps the stored address, and warns when it is not on the host", async () => {
  const found = await chooseAddress(4, { source: "", method: "first-found" }, "10.0.0.9/24", host);
  assert.deepEqual(found, {
    kind: "address",
    cidr: "10.0.0.9/24",
    how: "stored",
    warning: "10.0.0.9/24 is not on any interface of this host",
  });
});

test("a bare literal takes the prefix length of its interface", async () => {
  const found = await chooseAddress(4, { source: "172.18.0.3", method: "first-found" }, undefined, host);
  assert.deepEqual(found, { kind: "address", cidr: "172.18.0.3/16", how: "configured" });
});

test("a failed detection falls back to the stored address, else says what to set", async () => {
  const method = "interface=wlan.*";
  const kept = await chooseAddress(4, { ...detecting, method }, "10.0.0.9/24", host);
  assert.equal(kept.kind, "address");
  const failed = await chooseAddress(4, { ...detecting, method }, undefined, host);
  assert.deepEqual(failed, {
    kind: "failed",
    reason: "no IPv4 address found by IP_AUTODETECTION_METHOD=interface=wlan.*; set IP to the node's address",
  });
});

test("IPv6 is not detected unless asked for, and 'none' means none", async () => {
  assert.deepEqual(await chooseAddress(6, { source: "", method: "first-found" }, undefined, host), {
    kind: "none",
  });
  assert.deepEqual(await chooseAddress(4, { source: "none", method: "first-found" }, undefined, host), {
    kind: "none",
  });
});

test("a literal of the wrong family is refused", async () => {
  const outcome = await chooseAddress(6, { source: "10.0.0.1", method: "first-found" }, undefined, host);
  assert.deepEqual(outcome, {
    kind: "failed",
    reason: "IP6='10.0.0.1' is not an IPv6 address, 'autodetect' or 'none'",
  });
});
