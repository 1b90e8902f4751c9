/** Aim: addresses are read as people write them. Method: each form, and each mistake. */
import assert from "node:assert/strict";
import { resolve } from "node:path";
import { test } from "node:test";
import { run } from "../../test/test-context.ts";
import { parseListenAddress } from "./datastore-serve.ts";

test("addresses to listen on", () => {
  for (const [text, address] of [
    ["unix:/run/store.sock", { unix: "/run/store.sock" }],
    ["unix:///run/store.sock", { unix: "/run/store.sock" }],
    ["unix:store.sock", { unix: resolve("store.sock") }],
    ["127.0.0.1:2379", { host: "127.0.0.1", port: 2379, allowRemote: false }],
    ["http://localhost:0", { host: "localhost", port: 0, allowRemote: false }],
    ["[::1]:2379", { host: "::1", port: 2379, allowRemote: false }],
    ["2379", { host: "127.0.0.1", port: 2379, allowRemote: false }],
  ] as const) {
    assert.deepEqual(parseListenAddress(text, false), address, text);
  }
  for (const text of ["", "unix:", "127.0.0.1", "127.0.0.1:99999", "https://x:1", ":x"]) {
    assert.throws(
      () => parseListenAddress(text, false),
      { message: /is not an address: write unix:PATH/ },
      text,
    );
  }
});

test("what is missing is one line", async () => {
  for (const line of ["datastore serve", "datastore serve --data /tmp/x", "datastore serve --listen 1"]) {
    assert.equal((await run(line)).stderr, "datastore serve needs --data and --listen\n");
  }
});
