/** What the intent says of a session's protection, as the speaker's sockets get it. Pure: intents in, transports out. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { peerTransports } from "./peer-transports.ts";

test("TTL security and passwords are kept by peer name; a secret that is not there makes no password", () => {
  const secret = (key: string): { name: string; key: string } => ({ name: "bgp", key });
  const peers = [
    { name: "plain" },
    { name: "near", ttlSecurityHops: 1 },
    { name: "signed", password: secret("leaf") },
    { name: "both", ttlSecurityHops: 2, password: secret("leaf") },
    { name: "unknown", password: secret("gone") },
  ];
  const transports = peerTransports(peers, ({ name, key }) =>
    key === "leaf" ? `${name} ${key}` : undefined,
  );
  assert.deepEqual(Object.fromEntries(transports), {
    near: { ttlSecurityHops: 1 },
    signed: { password: "bgp leaf" },
    both: { ttlSecurityHops: 2, password: "bgp leaf" },
  });
});
