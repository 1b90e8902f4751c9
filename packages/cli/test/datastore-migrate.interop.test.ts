/**
 * Aim: a cluster's contents move from a real etcd to the embedded store and back without a difference. Method: Debian's etcd
 * on loopback, `datastore serve` in this process, and the commands as a person would type them.
 */
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { keys } from "@caracal/datastore";
import { Ipam, Nanos } from "@caracal/ipam";
import { type EtcdDaemon, requireTool, startEtcd, Testbed } from "@caracal/testbed";
import { openStore } from "../src/connection/open-store.ts";
import { poolYaml } from "./resources-fixture.ts";
import { type Outcome, run } from "./test-context.ts";

const node =
  "apiVersion: projectcalico.org/v3\nkind: Node\nmetadata:\n  name: n1\nspec:\n  bgp:\n    ipv4Address: 10.0.0.1/24\n";

describe("between etcd and the embedded store", { skip: requireTool("etcd", "etcdctl") }, () => {
  const bed = Testbed.create();
  let etcd: EtcdDaemon | undefined;

  before(async () => {
    etcd = await startEtcd(bed);
  });

  after(() => bed.close());

  async function ctl(endpoint: string, line: string, stdin = ""): Promise<Outcome> {
    const outcome = await run(line, { env: { ETCD_ENDPOINTS: endpoint }, openStore, stdin });
    assert.equal(outcome.stderr, "", line);
    return outcome;
  }

  async function ipamEntries(endpoint: string): Promise<Readonly<Record<string, string>>> {
    const store = await openStore({ datastoreType: "etcdv3", environment: { ETCD_ENDPOINTS: endpoint } });
    const { entries } = await store.list(`${keys.root}ipam/`);
    await store.close();
    return Object.fromEntries(entries.map(({ key, value }) => [key, value]));
  }

  test("what goes over comes back the same", async () => {
    assert.ok(etcd !== undefined);
    const { endpoint } = etcd;
    await ctl(endpoint, "apply -f -", `${poolYaml("p", "10.244.0.0/16")}---\n${node}`);
    const store = await openStore({ datastoreType: "etcdv3", environment: { ETCD_ENDPOINTS: endpoint } });
    const ipam = new Ipam({ store, node: "n1", now: () => Nanos.of(1_700_000_000_123_456_789n) });
    await ipam.assign({ family: 4, handle: "h", attributes: { node: "n1" } });
    await store.close();
    await ctl(endpoint, "ipam configure --strictaffinity=true");
    await ctl(endpoint, "datastore migrate lock");
    const exported = (await ctl(endpoint, "datastore migrate export")).stdout;

    const stopping = new AbortController();
    const ready = Promise.withResolvers<string>();
    const socket = `unix://${bed.directory("embedded")}/s.sock`;
    const served = run(["datastore", "serve", "--data", bed.directory("data"), "--listen", socket], {
      signal: stopping.signal,
      stdout: { write: (text) => ready.resolve(text) },
    });
    assert.match(await ready.promise, /^Datastore ready: /);
    const embedded = socket;
    try {
      await ctl(embedded, "datastore migrate import -f -", exported);
      assert.deepEqual(await ipamEntries(embedded), await ipamEntries(endpoint));
      assert.match((await ctl(embedded, "ipam check")).stdout, /found 1 problems\.\n$/);
      const again = (await ctl(embedded, "datastore migrate export")).stdout;
      const withoutOrigin = (text: string): string =>
        text.replaceAll(/"(uid|resourceVersion|creationTimestamp)": "[^"]*"/g, "");
      assert.equal(withoutOrigin(again), withoutOrigin(exported));
      await ctl(embedded, "datastore migrate unlock");
    } finally {
      stopping.abort();
      await served;
    }
  });
});
