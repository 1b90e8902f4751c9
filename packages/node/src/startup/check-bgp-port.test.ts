/** A taken BGP port refuses the start in one line. Method: real sockets on loopback ports, resources in a memory store. */
import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { once } from "node:events";
import { createServer } from "node:net";
import { test } from "node:test";
import { MemoryStore, ResourceClient } from "@caracal/datastore";
import { parseResource } from "@caracal/resources";
import { checkBgpPort } from "./check-bgp-port.ts";

async function clientWith(spec: object): Promise<ResourceClient> {
  const client = new ResourceClient(new MemoryStore(), {
    now: () => "2026-01-02T03:04:05Z",
    uuid: randomUUID,
  });
  const reading = parseResource(
    { apiVersion: "projectcalico.org/v3", kind: "BGPConfiguration", metadata: { name: "default" }, spec },
    "user",
  );
  assert.ok(reading.kind === "ok");
  const created = await client.create(reading.value);
  assert.equal(created.kind, "ok");
  return client;
}

test("a port that is taken is named with the way out, and a free one passes", async (t) => {
  const other = createServer().listen(0, "0.0.0.0");
  t.after(() => other.close());
  await once(other, "listening");
  const address = other.address();
  assert.ok(typeof address === "object" && address !== null);
  const { port } = address;
  await assert.rejects(checkBgpPort(await clientWith({ listenPort: port }), "n1"), {
    name: "StartUpError",
    message: `cannot listen for BGP on port ${port}: it is in use; stop what listens there (ss -ltnp sport = :${port}), or set another listenPort in BGPConfiguration`,
  });
  // With NodeIP only the node's own address counts, and the speaker itself will tell.
  await checkBgpPort(await clientWith({ listenPort: port, bindMode: "NodeIP" }), "n1");
  other.close();
  await once(other, "close");
  await checkBgpPort(await clientWith({ listenPort: port }), "n1");
});
