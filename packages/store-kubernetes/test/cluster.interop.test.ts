/**
 * Aim: what IPAM, syncers and clients of every kind do beside each other on a real API server is right. Method: several stores as
 * several processes would have them; writers that race, kubectl's way of writing between them, certificates and proxies.
 */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { createServer as createProxy } from "node:http";
import { createServer as createHttps, request as httpsRequest } from "node:https";
import { connect } from "node:net";
import { once } from "node:events";
import { after, before, describe, test } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import { type Store, StoreError, type SyncChange, Syncer } from "@caracal/datastore";
import {
  eventually,
  type KubeApiserver,
  requireKubeApiserver,
  requireTool,
  startKubeApiserver,
  Testbed,
} from "@caracal/testbed";
import { type ApiServer, crdDocuments, KubernetesStore } from "../src/index.ts";
import { adminOf } from "./admin-server.ts";

const skip = requireKubeApiserver() || requireTool("etcd", "openssl");
const root = "/calico/resources/v3/projectcalico.org/";
const crds = "/apis/crd.projectcalico.org/v1";

describe("a cluster's API server", { skip }, () => {
  const bed = Testbed.create();
  const stores: Store[] = [];
  let server: KubeApiserver | undefined;

  function kube(): KubeApiserver {
    assert.ok(server !== undefined);
    return server;
  }

  function open(more: Partial<ApiServer> = {}): Store {
    const store = new KubernetesStore({ server: { ...adminOf(kube()), ...more } });
    stores.push(store);
    return store;
  }

  before(async () => {
    server = await startKubeApiserver(bed, { definitions: crdDocuments("crd.projectcalico.org") });
  });

  after(async () => {
    await Promise.all(stores.map((store) => store.close()));
    await bed.close();
  });

  test("a syncer over all resources is in step with writers of many kinds, Kubernetes' too", async () => {
    const store = open();
    const stop = new AbortController();
    const versions = new Map<string, string[]>();
    const hear = (changes: readonly SyncChange[]): void => {
      for (const change of changes) {
        if (change.kind !== "put") continue;
        const { key, revision } = change.entry;
        versions.set(key, [...(versions.get(key) ?? []), revision]);
      }
    };
    const sleep = async (ms: number, signal: { readonly aborted: boolean }): Promise<void> => {
      if (!signal.aborted) await delay(ms);
    };
    const syncer = new Syncer({ store, prefix: root, sleep, onChanges: hear });
    const running = syncer.run(stop.signal);
    await eventually(() => syncer.status.kind === "inSync", {
      what: "the first listing",
    });

    const writer = open();
    const write = async (plural: string, index: number): Promise<void> => {
      const key = `${root}${plural}/w${index}`;
      const created = await writer.create(key, '{"metadata":{},"spec":{}}');
      assert.equal(created.kind, "ok");
      if (created.kind !== "ok") return;
      const labelled = '{"metadata":{"labels":{"a":"b"}},"spec":{}}';
      assert.equal((await writer.update(key, labelled, created.entry.revision)).kind, "ok");
      if (index % 2 === 0) assert.equal((await writer.delete(key)).kind, "ok");
    };
    const plurals = ["globalnetworksets", "hostendpoints", "tiers", "globalnetworkpolicies"];
    const work = plurals.flatMap((plural) => Array.from({ length: 10 }, (_, index) => write(plural, index)));
    for (const name of ["ns1", "ns2"]) {
      await kube().request("POST", "/api/v1/namespaces", { metadata: { name } });
      await kube().request("POST", `/api/v1/namespaces/${name}/serviceaccounts`, {
        metadata: { name: "sa" },
      });
      await kube().request("POST", "/api/v1/nodes", { metadata: { name: `node-${name}` } });
      const spec = { podSelector: {} };
      const policy = { metadata: { name: "p" }, spec };
      await kube().request("POST", `/apis/networking.k8s.io/v1/namespaces/${name}/networkpolicies`, policy);
      const service = { metadata: { name: "s" }, spec: { ports: [{ port: 80 }] } };
      await kube().request("POST", `/api/v1/namespaces/${name}/services`, service);
    }
    await Promise.all(work);
    const same = async (): Promise<boolean> => {
      const { entries } = await store.list(root);
      const known = [...syncer.entries.values()];
      return (
        entries.length === known.length &&
        entries.every(({ key, revision, value }) => {
          const found = syncer.entries.get(key);
          return found?.revision === revision && found.value === value;
        })
      );
    };
    await eventually(same, { what: "a copy like the store" });
    for (const key of [
      "profiles/kns.ns1",
      "profiles/ksa.ns2.sa",
      "nodes/node-ns1",
      "networkpolicies/ns1/knp.default.p",
    ])
      assert.ok(syncer.entries.has(root + key), key);
    assert.ok(syncer.entries.has(`${root}kubernetesservices/ns2/s`));
    for (const [key, seen] of versions)
      assert.equal(new Set(seen).size, seen.length, `${key} was told twice`);
    stop.abort();
    await running;
  });

  test("of deletes and writes that race on a claim, no one is lost", async () => {
    const key = "/calico/ipam/v2/host/racer/ipv4/block/10.9.0.0-26";
    const pending = '{"state":"pending","deleted":false}';
    const others = [open(), open(), open(), open()];
    for (let round = 0; round < 5; round += 1) {
      const creations = await Promise.all(others.map((store) => store.create(key, pending)));
      assert.equal(creations.filter(({ kind }) => kind === "ok").length, 1);
      const entry = await others[0]?.get(key);
      assert.ok(entry !== undefined);
      const changes = await Promise.all(
        others.map((store, index) =>
          index % 2 === 0
            ? store.delete(key, entry.revision)
            : store.update(key, '{"state":"confirmed","deleted":false}', entry.revision),
        ),
      );
      assert.equal(changes.filter(({ kind }) => kind === "ok").length, 1);
      await others[0]?.delete(key);
      assert.equal(await others[1]?.get(key), undefined);
    }
  });

  test("a delete that stopped between its steps is finished by whoever comes next", async () => {
    const store = open();
    const key = "/calico/ipam/v2/handle/left";
    assert.equal((await store.create(key, '{"block":{}}')).kind, "ok");
    const mark = { spec: { deleted: true } };
    await kube().request("PATCH", `${crds}/ipamhandles/left`, mark, "application/merge-patch+json");
    assert.deepEqual((await store.list("/calico/ipam/v2/handle/left")).entries, []);
    assert.equal((await open().create(key, '{"block":{"10.0.0.0/26":1}}')).kind, "ok");
    assert.equal((await store.get(key))?.value, '{"block":{"10.0.0.0/26":1},"deleted":false}');
  });

  test("whole numbers beyond 2^53 survive in blocks", async () => {
    const store = open();
    const key = "/calico/ipam/v2/assignment/ipv4/block/10.8.0.0-30";
    const block = `{"cidr":"10.8.0.0/30","affinity":"host:n","allocations":[0,null,null,null],"unallocated":[1,2,3],"attributes":[{"handle_id":"h","secondary":{"pod":"p"}}],"deleted":false,"sequenceNumber":1743000000123456789,"sequenceNumberForAllocation":{"0":1743000000123456788}}`;
    const outcome = await store.create(key, block);
    assert.equal(outcome.kind === "ok" ? outcome.entry.value : outcome.kind, block);
    assert.equal((await store.get(key))?.value, block);
  });

  test("a block that nobody owns has a null for its owner, as on etcd", async () => {
    const store = open();
    const key = "/calico/ipam/v2/assignment/ipv4/block/10.8.0.4-30";
    const owned = `{"cidr":"10.8.0.4/30","affinity":"host:n","allocations":[0,null,null,null],"unallocated":[1,2,3],"attributes":[{"handle_id":"h"}],"deleted":false,"sequenceNumber":1}`;
    const created = await store.create(key, owned);
    assert.ok(created.kind === "ok");
    const unowned = owned.replace('"host:n"', "null");
    const outcome = await store.update(key, unowned, created.entry.revision);
    assert.equal(outcome.kind === "ok" ? outcome.entry.value : outcome.kind, unowned);
    assert.equal((await store.get(key))?.value, unowned);
  });

  test("a client certificate, a wrong authority, a wrong name", async () => {
    const { clientCert, ca } = kube();
    const [cert, key] = [readFileSync(clientCert.cert, "utf8"), readFileSync(clientCert.key, "utf8")];
    const credentials = { present: async () => ({ certificate: { cert, key } }), forget: () => undefined };
    assert.ok((await open({ credentials }).list(`${root}nodes/`)).entries.length >= 0);
    const cases: readonly (readonly [Partial<ApiServer>, RegExp])[] = [
      [{ ca: cert }, /authority/],
      [{ serverName: "elsewhere" }, /its certificate is for another name: see tls-server-name$/],
    ];
    for (const [more, message] of cases) {
      const error: unknown = await open(more)
        .get(`${root}nodes/x`)
        .catch((reason: unknown) => reason);
      assert.ok(error instanceof StoreError);
      assert.equal(error.code, "unavailable");
      assert.match(error.message, message);
    }
    const plainly: unknown = await open({ url: kube().url.replace("https:", "http:") })
      .get(`${root}nodes/x`)
      .catch((reason: unknown) => reason);
    assert.match(String(plainly), /Client sent an HTTP request to an HTTPS server/);
    assert.equal(await open({ ca, serverName: "kubernetes.default" }).get(`${root}nodes/x`), undefined);
    assert.equal(await open({ ca: cert, insecureSkipTlsVerify: true }).get(`${root}nodes/x`), undefined);
    const anonymous = { present: async () => ({}), forget: () => undefined };
    const denied: unknown = await open({ credentials: anonymous })
      .list(`${root}nodes/`)
      .catch((reason: unknown) => reason);
    assert.ok(denied instanceof StoreError && denied.code === "unauthorized");
    assert.match(denied.message, /User "system:anonymous" cannot list/);
  });

  test("through a proxy, and to a server without HTTP/2", async (t) => {
    const proxy = createProxy().listen(0, "127.0.0.1");
    const asked: string[] = [];
    proxy.on("connect", ({ url = "" }, socket) => {
      asked.push(url);
      const [host, port] = url.split(":");
      const far = connect(Number(port), host, () => {
        socket.write("HTTP/1.1 200 OK\r\n\r\n");
        far.pipe(socket).pipe(far);
      });
      socket.on("error", () => far.destroy());
      far.on("error", () => socket.destroy());
    });
    await once(proxy, "listening");
    t.after(() => void proxy.close());
    const proxied = open({ proxyUrl: `http://127.0.0.1:${portOf(proxy.address())}` });
    assert.equal(await proxied.get(`${root}nodes/x`), undefined);
    assert.deepEqual(asked, [new URL(kube().url).host]);

    const { clientCert, ca, token } = kube();
    const files = { cert: readFileSync(clientCert.cert), key: readFileSync(clientCert.key) };
    const front = createHttps({ ...files, ALPNProtocols: ["http/1.1"] }, (incoming, answer) => {
      const options = {
        method: incoming.method ?? "GET",
        headers: incoming.headers,
        ca,
        agent: false as const,
      };
      const onward = httpsRequest(`${kube().url}${incoming.url ?? ""}`, options, (reply) => {
        answer.writeHead(reply.statusCode ?? 500, reply.headers);
        reply.pipe(answer);
      });
      incoming.pipe(onward);
    }).listen(0, "127.0.0.1");
    await once(front, "listening");
    t.after(() => front.closeAllConnections());
    t.after(() => void front.close());
    const url = `https://127.0.0.1:${portOf(front.address())}`;
    const plain = open({ url, insecureSkipTlsVerify: true });
    assert.ok(token.length > 0);
    const { revision } = await plain.list(`${root}tiers/`);
    const stop = new AbortController();
    const watching = (async () => {
      for await (const batch of plain.watch(`${root}tiers/`, revision, stop.signal)) return batch.length;
      return 0;
    })();
    assert.equal((await plain.create(`${root}tiers/by-http1`, '{"spec":{"order":5}}')).kind, "ok");
    assert.equal(await watching, 1);
    stop.abort();
  });
});

function portOf(address: unknown): number {
  assert.ok(typeof address === "object" && address !== null && "port" in address);
  return Number(address.port);
}
