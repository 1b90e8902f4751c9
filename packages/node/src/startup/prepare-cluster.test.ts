/** What a starting node writes to the datastore, alone and in a race. Method: the store in memory, a host made of values. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { keys, MemoryStore, type WriteOutcome } from "@caracal/datastore";
import { address, apply, clientOf, config, memoryLog, node, pool, prefix } from "../../test/node-fixtures.ts";
import type { DetectionHost } from "./autodetect.ts";
import { ensureNode, prepareCluster, type StartUp } from "./prepare-cluster.ts";

function hostAt(text: string): DetectionHost {
  const eth0 = {
    name: "eth0",
    isUp: true,
    addresses: [{ address: address(text), network: prefix("172.18.0.0/16") }],
  };
  return { interfaces: () => [eth0], sourceTowards: () => Promise.resolve(undefined) };
}

function startUp(
  store: MemoryStore,
  environment: Readonly<Record<string, string>> = {},
  name = "n1",
  at = "172.18.0.2",
): StartUp {
  return {
    config: config({ CALICO_IPV4POOL_CIDR: "10.244.0.0/16", CALICO_IPV6POOL_CIDR: "none", ...environment }),
    node: name,
    client: clientOf(store),
    host: hostAt(at),
    log: memoryLog("fatal").log,
    uuid: () => "0123456789abcdef-0123456789abcdef",
    randomBytes: (count) => new Uint8Array(count),
  };
}

async function stored(store: MemoryStore, plural: string, name: string): Promise<Record<string, unknown>> {
  const entry = await store.get(keys.resource(plural, name));
  assert.ok(entry !== undefined, `${plural} ${name}`);
  const value: unknown = JSON.parse(entry.value);
  assert.ok(typeof value === "object" && value !== null && "spec" in value);
  assert.ok(typeof value.spec === "object" && value.spec !== null);
  return { ...value.spec };
}

/** A store in which another node is always quicker, so often. */
class RacingStore extends MemoryStore {
  racesLeft: number;
  readonly #other: () => Promise<void>;

  constructor(races: number, other: (store: MemoryStore) => Promise<void>) {
    super();
    this.racesLeft = races;
    this.#other = () => other(this);
  }

  override async create(key: string, value: string): Promise<WriteOutcome> {
    if (this.racesLeft > 0) {
      this.racesLeft -= 1;
      const left = this.racesLeft;
      this.racesLeft = 0;
      await this.#other();
      this.racesLeft = left;
    }
    return super.create(key, value);
  }
}

test("a fresh cluster gets its information, the node and the default pool", async () => {
  const store = new MemoryStore();
  await prepareCluster(startUp(store, { CLUSTER_TYPE: "k8s,bgp" }));
  assert.deepEqual(await stored(store, "clusterinformations", "default"), {
    clusterGUID: "0123456789abcdef0123456789abcdef",
    clusterType: "k8s,bgp",
    datastoreReady: true,
  });
  assert.deepEqual(await stored(store, "nodes", "n1"), {
    bgp: { ipv4Address: "172.18.0.2/16" },
    addresses: [{ address: "172.18.0.2/16", type: "CalicoNodeIP" }],
  });
  const made = await stored(store, "ippools", "default-ipv4-ippool");
  assert.deepEqual([made["cidr"], made["blockSize"], made["natOutgoing"]], ["10.244.0.0/16", 26, true]);
});

test("a second start changes nothing", async () => {
  const store = new MemoryStore();
  await prepareCluster(startUp(store));
  const { revision } = await store.list(keys.root);
  await prepareCluster(startUp(store));
  assert.equal((await store.list(keys.root)).revision, revision);
});

test("what is there is completed and otherwise kept", async () => {
  const store = new MemoryStore();
  await apply(
    store,
    pool("10.50.0.0/16"),
    {
      kind: "ClusterInformation",
      apiVersion: "projectcalico.org/v3",
      metadata: { name: "default" },
      spec: { clusterGUID: "kept", clusterType: "typha,k8s", datastoreReady: false },
    },
    {
      ...node("n1", "172.18.0.2/16"),
      metadata: { name: "n1", labels: { rack: "a" } },
      spec: {
        bgp: { ipv4Address: "172.18.0.99/16", asNumber: 64999, routeReflectorClusterID: "1.0.0.1" },
        addresses: [{ address: "192.0.2.7", type: "InternalIP" }],
      },
    },
  );
  await prepareCluster(startUp(store, { CLUSTER_TYPE: "k8s,bgp", IP: "autodetect" }));
  assert.deepEqual(await stored(store, "clusterinformations", "default"), {
    clusterGUID: "kept",
    clusterType: "typha,k8s,bgp",
    datastoreReady: false,
  });
  assert.deepEqual(await stored(store, "nodes", "n1"), {
    bgp: { ipv4Address: "172.18.0.2/16", asNumber: 64999, routeReflectorClusterID: "1.0.0.1" },
    addresses: [
      { address: "172.18.0.2/16", type: "CalicoNodeIP" },
      { address: "192.0.2.7", type: "InternalIP" },
    ],
  });
  const found = await clientOf(store).get("Node", "n1");
  assert.deepEqual(found.kind === "ok" && found.resource.metadata.labels, { rack: "a" });
  assert.equal(await store.get(keys.resource("ippools", "default-ipv4-ippool")), undefined);
});

test("nodes that start together agree, whoever is quicker", async () => {
  const store = new RacingStore(3, (other) => prepareCluster(startUp(other, {}, "n2", "172.18.0.3")));
  await prepareCluster(startUp(store));
  const { entries } = await store.list("/calico/resources/");
  assert.deepEqual(
    entries.map(({ key }) => key.split("/").slice(-2).join("/")),
    [
      "clusterinformations/default",
      "ippools/default-ipv4-ippool",
      "nodes/n1",
      "nodes/n2",
      "tiers/default",
      "tiers/kube-admin",
      "tiers/kube-baseline",
    ],
  );
});

test("a race that never ends is given up", async () => {
  const store = new MemoryStore();
  store.create = async () => {
    const current = { key: "k", value: "{}", revision: (await store.list("")).revision };
    return { kind: "exists", current };
  };
  await assert.rejects(prepareCluster(startUp(store)), { code: "start-up" });
});

test("an address that another node has is refused, unless that is not to be checked", async () => {
  const store = new MemoryStore();
  await apply(store, node("other", "172.18.0.2/16"));
  await assert.rejects(prepareCluster(startUp(store)), {
    code: "start-up",
    message: /^IPv4 address conflict: node other already uses 172\.18\.0\.2/,
  });
  assert.equal(await store.get(keys.resource("nodes", "n1")), undefined);
  await prepareCluster(startUp(store, { DISABLE_NODE_IP_CHECK: "true" }));
  assert.ok((await store.get(keys.resource("nodes", "n1"))) !== undefined);
});

test("backend none writes a Node that says nothing of BGP, and keeps what others said", async () => {
  const store = new MemoryStore();
  const environment = { CALICO_NETWORKING_BACKEND: "none", IP: "none" };
  await prepareCluster(startUp(store, { ...environment, CALICO_K8S_NODE_REF: "k1" }));
  assert.deepEqual(await stored(store, "nodes", "n1"), {
    orchRefs: [{ nodeName: "k1", orchestrator: "k8s" }],
  });
  await apply(store, node("n2", "172.18.0.3/16"));
  await prepareCluster(startUp(store, environment, "n2"));
  assert.deepEqual(await stored(store, "nodes", "n2"), { bgp: { ipv4Address: "172.18.0.3/16" } });
  assert.ok((await store.get(keys.resource("ippools", "default-ipv4-ippool"))) !== undefined);
});

test("a node without a BGP speaker says so to the others, and takes it back", async () => {
  const store = new MemoryStore();
  const annotations = async (): Promise<unknown> => {
    const found = await clientOf(store).get("Node", "n1");
    return found.kind === "ok" ? found.resource.metadata.annotations : found.message;
  };
  await prepareCluster(startUp(store, { CALICO_NETWORKING_BACKEND: "vxlan" }));
  assert.deepEqual(await annotations(), { "caracal/backend": "vxlan" });
  await prepareCluster(startUp(store, {}));
  assert.ok(!JSON.stringify((await annotations()) ?? {}).includes("caracal/backend"));
});

test("what a person must mend ends the start with one sentence", async () => {
  for (const [environment, message] of [
    [{ AS: "banana" }, /^AS='banana' is not an AS number/],
    [{ IP: "none" }, /neither an IPv4 nor an IPv6 address/],
    [{ IP: "172.18.0.999" }, /^IP='172\.18\.0\.999' is not an IPv4 address/],
    [{ IP_AUTODETECTION_METHOD: "interface=eth9" }, /^no IPv4 address found by/],
    [{ CALICO_IPV4POOL_NODE_SELECTOR: "has(" }, /^the default pool default-ipv4-ippool is not valid: /],
  ] as const) {
    await assert.rejects(prepareCluster(startUp(new MemoryStore(), environment)), {
      code: "start-up",
      message,
    });
  }
});

test("a node whose record cannot be read is not written over", async () => {
  const store = new MemoryStore();
  await store.create(keys.resource("nodes", "n1"), "{");
  await assert.rejects(prepareCluster(startUp(store)));
  assert.equal((await store.get(keys.resource("nodes", "n1")))?.value, "{");
});

test("a datastore that is away is told as such", async () => {
  const store = new MemoryStore();
  store.disconnect();
  await assert.rejects(prepareCluster(startUp(store)), { code: "unavailable" });
});

test("a detected address that moved is written, and a fixed one stays", async () => {
  const store = new MemoryStore();
  await ensureNode(startUp(store, { IP: "autodetect" }));
  await ensureNode(startUp(store, { IP: "autodetect" }, "n1", "172.18.0.7"));
  assert.deepEqual((await stored(store, "nodes", "n1"))["bgp"], { ipv4Address: "172.18.0.7/16" });
  await ensureNode(startUp(store, {}, "n1", "172.18.0.8"));
  assert.deepEqual((await stored(store, "nodes", "n1"))["bgp"], { ipv4Address: "172.18.0.7/16" });
});

test("the node's MTUs are told in its Node, beside what others annotate there", async () => {
  const store = new MemoryStore();
  await prepareCluster(startUp(store));
  const client = clientOf(store);
  const annotations = async (): Promise<unknown> => {
    const found = await client.get("Node", "n1");
    assert.ok(found.kind === "ok");
    return found.resource.metadata.annotations;
  };
  const found = await client.get("Node", "n1");
  assert.ok(found.kind === "ok");
  const { resource } = found;
  await client.update({ ...resource, metadata: { ...resource.metadata, annotations: { who: "else" } } });
  await ensureNode({ ...startUp(store), mtus: () => undefined });
  assert.deepEqual(await annotations(), { who: "else" });
  await ensureNode({ ...startUp(store), mtus: () => ({ host: 1500, pod: 1450 }) });
  assert.deepEqual(await annotations(), { who: "else", "caracal/mtu": '{"host":1500,"pod":1450}' });
});
