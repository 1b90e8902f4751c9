/**
 * The embedded server keeps the store port's promises, over a socket file and over TCP. Method: the
 * compliance suite through the etcd client on a server in this process.
 */
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { Revision } from "@caracal/datastore";
import { storeSuite } from "@caracal/datastore/suite";
import { EtcdStore } from "@caracal/store-etcd";
import { Testbed } from "@caracal/testbed";
import { EmbeddedServer, type ListenAddress } from "../src/index.ts";

const transports: readonly {
  readonly name: string;
  readonly address: (directory: string) => ListenAddress;
}[] = [
  { name: "over a socket file", address: (directory) => ({ unix: join(directory, "store.sock") }) },
  { name: "over TCP", address: () => ({ host: "127.0.0.1", port: 0 }) },
];

for (const { name: transport, address } of transports) {
  describe(transport, () => {
    const bed = Testbed.create();
    const stores: EtcdStore[] = [];
    let server: EmbeddedServer | undefined;

    before(async () => {
      const dataDir = bed.directory();
      server = await EmbeddedServer.start({ dataDir, listen: [address(dataDir)] });
    });
    after(async () => {
      await Promise.all(stores.map((store) => store.close()));
      await server?.stop();
      await bed.close();
    });

    for (const [index, { name, run }] of storeSuite.entries()) {
      test(name, async () => {
        const open = (): EtcdStore => {
          const store = new EtcdStore({ endpoints: server?.endpoints ?? [] });
          stores.push(store);
          return store;
        };
        const store = open();
        await run({
          store,
          root: `/suite/${index}/`,
          open: async () => open(),
          compact: async (revision) => store.compact(revision),
          ahead: (revision) => Revision.of(String(BigInt(revision) + 1000n)),
        });
      });
    }
  });
}
