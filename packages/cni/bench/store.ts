/** The datastore of the benchmark, a process of its own as on a node: the embedded store with one pool. Argument: the directory. */
import { join } from "node:path";
import { keys } from "@caracal/datastore";
import { EmbeddedServer } from "@caracal/store-embedded";
import { EtcdStore } from "@caracal/store-etcd";

const directory = process.argv[2] ?? ".";
const server = await EmbeddedServer.start({
  dataDir: join(directory, "store"),
  listen: [{ unix: join(directory, "store.sock") }],
});
const store = new EtcdStore({ endpoints: server.endpoints });
const apiVersion = "projectcalico.org/v3";
for (const [plural, resource] of [
  [
    "ippools",
    { kind: "IPPool", metadata: { name: "pool" }, spec: { cidr: "10.244.0.0/16", nodeSelector: "all()" } },
  ],
  ["nodes", { kind: "Node", metadata: { name: "bench" }, spec: {} }],
] as const) {
  await store.create(
    keys.resource(plural, resource.metadata.name),
    JSON.stringify({ apiVersion, ...resource }),
  );
}
await store.close();
process.stdout.write("ready\n");
