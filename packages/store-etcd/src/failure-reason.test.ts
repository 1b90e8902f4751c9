/** Aim: a failed call is one clause in a person's words. Method: gRPC's texts, and calls to where no etcd is. */
import assert from "node:assert/strict";
import { createServer } from "node:net";
import { test } from "node:test";
import { EtcdStore } from "./etcd-store.ts";
import { failureReason } from "./failure-reason.ts";

test("what gRPC says about itself is left out", () => {
  const wrapped = (reason: string): string =>
    `No connection established. Last error: ${reason}. Resolution note: `;
  for (const [details, reason] of [
    [wrapped("Error: connect ECONNREFUSED 127.0.0.1:2379"), "connection refused"],
    [wrapped("Error: connect ENOENT /run/store.sock"), "no such socket"],
    [wrapped("Error: self-signed certificate"), "self-signed certificate"],
    [wrapped("Protocol error (2026-01-02T03:04:05.678Z)"), "it does not speak etcd's protocol"],
    ["Name resolution failed for target dns:nosuch.invalid:2379", "no such host"],
    ["Deadline exceeded after 10.001s,LB pick: 0.001s", "no answer in time"],
    ["etcdserver: mvcc: database space exceeded", "the store has no room left to write to"],
    ["etcdserver: requested lease not found", "etcdserver: requested lease not found"],
    ["etcdserver: ENOENT is no errno here", "etcdserver: ENOENT is no errno here"],
  ] as const) {
    assert.equal(failureReason(details), reason, details);
  }
});

test("a store that is not there is named with one reason", async (t) => {
  const server = createServer().listen(0, "127.0.0.1");
  await new Promise((resolve) => server.once("listening", resolve));
  const address = server.address();
  assert.ok(typeof address === "object" && address !== null);
  await new Promise((resolve) => server.close(resolve));
  for (const [endpoint, reason] of [
    [`http://127.0.0.1:${address.port}`, "connection refused"],
    ["unix:///nowhere/store.sock", "no such socket"],
  ] as const) {
    const store = new EtcdStore({ endpoints: [endpoint] });
    t.after(() => store.close());
    await assert.rejects(store.get("/a"), { code: "unavailable", message: `${endpoint}: ${reason}` });
  }
});
