/**
 * The etcd store keeps the port's promises on a real etcd. Method: Debian's etcd on loopback, the compliance suite of the
 * port through it, then what only a network brings: servers that are not there, users, and values too large.
 */
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { Revision, StoreError } from "@caracal/datastore";
import { storeSuite } from "@caracal/datastore/suite";
import { type EtcdDaemon, freePorts, requireTool, startEtcd, Testbed } from "@caracal/testbed";
import { EtcdStore } from "../src/index.ts";

const skip = requireTool("etcd", "etcdctl");

describe("a real etcd", { skip }, () => {
  const bed = Testbed.create();
  let etcd: EtcdDaemon | undefined;
  const stores: EtcdStore[] = [];

  function open(endpoints: readonly string[] = []): EtcdStore {
    assert.ok(etcd !== undefined);
    const store = new EtcdStore({ endpoints: [...endpoints, etcd.endpoint] });
    stores.push(store);
    return store;
  }

  before(async () => {
    etcd = await startEtcd(bed);
  });

  after(async () => {
    await Promise.all(stores.map((store) => store.close()));
    await bed.close();
  });

  for (const [index, { name, run }] of storeSuite.entries()) {
    test(name, async () => {
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

  test("a server that is not there is passed over, for reads, writes and watches", async () => {
    const [deadPort] = await freePorts(1);
    const created = await open([`http://127.0.0.1:${deadPort}`]).create("/failover/a", "1");
    assert.equal(created.kind, "ok");
    assert.equal((await open(["unix:///nowhere/store.sock"]).get("/failover/a"))?.value, "1");
    const { revision } = await open().list("/failover/");
    await open().create("/failover/b", "2");
    const signal = new AbortController().signal;
    for await (const batch of open([`http://127.0.0.1:${deadPort}`]).watch("/failover/", revision, signal)) {
      assert.equal(batch.length, 1);
      break;
    }
  });

  test("a value above etcd's bound is invalid, not unavailable", async () => {
    await assert.rejects(open().create("/large", "x".repeat(2_000_000)), { code: "invalid" });
  });

  test("an update with revision 0 creates nothing", async () => {
    assert.deepEqual(await open().update("/nothing", "1", Revision.of("0")), { kind: "missing" });
  });

  test("a wrong password is unauthorized, the right one works", async () => {
    assert.ok(etcd !== undefined);
    await etcd.etcdctl("user", "add", "root:secret", "--interactive=false");
    await etcd.etcdctl("user", "grant-role", "root", "root");
    await etcd.etcdctl("auth", "enable");
    try {
      const login = { endpoints: [etcd.endpoint], username: "root" };
      const wrong = new EtcdStore({ ...login, password: "guess" });
      const right = new EtcdStore({ ...login, password: "secret" });
      stores.push(wrong, right);
      await assert.rejects(wrong.get("/a"), { code: "unauthorized" });
      await assert.rejects(open().get("/a"), { code: "unauthorized" });
      assert.equal((await right.create("/auth", "1")).kind, "ok");
    } finally {
      await etcd.etcdctl("--user=root:secret", "auth", "disable");
    }
  });
});

test("without a server every call is unavailable, and says which endpoint", async () => {
  const [port] = await freePorts(1);
  const store = new EtcdStore({ endpoints: [`http://127.0.0.1:${port}`] });
  const error: unknown = await store.get("/a").catch((reason: unknown) => reason);
  assert.ok(error instanceof StoreError);
  assert.equal(error.code, "unavailable");
  assert.match(error.message, new RegExp(`^http://127\\.0\\.0\\.1:${port}: `));
  await store.close();
});
