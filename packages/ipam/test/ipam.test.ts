// Aim: IPAM as its users see it, on the store's own keys and JSON. Method: a memory store with Calico's resources in it,
// a clock that stands still unless told, and a count of store calls where the number of them is the point.
import assert from "node:assert/strict";
import { test } from "node:test";
import { type Entry, keys, MemoryStore, type Store } from "@caracal/datastore";
import { Ipam, IpamError, Nanos } from "@caracal/ipam";
import { IpAddress, Prefix } from "@caracal/net";
import { singleWrites } from "./single-writes.ts";

const start = 1_767_323_045;

class Cluster {
  readonly store: MemoryStore = new MemoryStore();
  seconds = start;
  readonly #ipams = new Map<string, Ipam>();

  async put(kind: string, plural: string, name: string, spec: unknown, labels = {}): Promise<void> {
    const value = { kind, apiVersion: "projectcalico.org/v3", metadata: { name, labels }, spec };
    await this.set(keys.resource(plural, name), JSON.stringify(value));
  }

  async set(key: string, value: string): Promise<void> {
    await this.store.delete(key);
    await this.store.create(key, value);
  }

  async pool(name: string, cidr: string, spec: Record<string, unknown> = {}): Promise<void> {
    await this.put("IPPool", "ippools", name, { cidr, ...spec });
  }

  async config(config: Record<string, unknown>): Promise<void> {
    await this.set(keys.ipamConfig, JSON.stringify(config));
  }

  ipam(node: string, store: Store = this.store): Ipam {
    const known =
      this.#ipams.get(node) ?? new Ipam({ store, node, now: () => Nanos.fromSeconds(this.seconds) });
    this.#ipams.set(node, known);
    return known;
  }

  /** One address, which must be had. */
  async assign(
    node: string,
    handle: string,
    request: Partial<Parameters<Ipam["assign"]>[0]> = {},
  ): Promise<string> {
    const attributes = { node, pod: handle };
    const result = await this.ipam(node).assign({ family: 4, handle, attributes, ...request });
    assert.ok(result.kind === "assigned", result.kind === "assigned" ? "" : result.message);
    return result.addresses.map(IpAddress.format).join(" ");
  }

  async refusal(node: string, request: Partial<Parameters<Ipam["assign"]>[0]> = {}): Promise<string> {
    const result = await this.ipam(node).assign({ family: 4, handle: "x", attributes: {}, ...request });
    assert.ok(result.kind !== "assigned");
    return result.message;
  }

  async json(key: string): Promise<unknown> {
    const entry: Entry | undefined = await this.store.get(key);
    return entry === undefined ? undefined : JSON.parse(entry.value);
  }

  async records(): Promise<readonly string[]> {
    const { entries } = await this.store.list("/calico/ipam/");
    return entries.map(({ key }) => key);
  }
}

function prefix(text: string): Prefix {
  const found = Prefix.parse(text);
  assert.ok(found !== undefined, text);
  return found;
}

function address(text: string): IpAddress {
  const found = IpAddress.parse(text);
  assert.ok(found !== undefined, text);
  return found;
}

test("the first address of a node makes a block, its affinity and a handle, as Calico writes them", async () => {
  const cluster = new Cluster();
  await cluster.pool("default-ipv4-ippool", "10.244.0.0/16", { blockSize: 29 });
  const got = await cluster.assign("n1", "k8s-pod-network.c1");
  const block = Prefix.format(Prefix.of(address(got), 29));
  assert.equal(IpAddress.format(prefix(block).address), got);
  const text = block.replace("/", "-");
  assert.deepEqual(await cluster.records(), [
    `/calico/ipam/v2/assignment/ipv4/block/${text}`,
    "/calico/ipam/v2/handle/k8s-pod-network.c1",
    `/calico/ipam/v2/host/n1/ipv4/block/${text}`,
  ]);
  assert.deepEqual(await cluster.json(keys.affinity({ kind: "host", name: "n1" }, prefix(block))), {
    state: "confirmed",
    deleted: false,
  });
  assert.deepEqual(await cluster.json(keys.handle("k8s-pod-network.c1")), {
    block: { [block]: 1 },
    deleted: false,
  });
  const stored = await cluster.store.get(keys.block(prefix(block)));
  const nanos = `${start}000000000`;
  assert.equal(
    stored?.value,
    `{"cidr":"${block}","affinity":"host:n1","affinity_claim_time":"2026-01-02T03:04:05Z",` +
      '"allocations":[0,null,null,null,null,null,null,null],"unallocated":[1,2,3,4,5,6,7],' +
      '"attributes":[{"handle_id":"k8s-pod-network.c1","secondary":{"node":"n1","pod":"k8s-pod-network.c1"}}],' +
      `"sequenceNumber":${nanos.slice(0, -1)}1,"sequenceNumberForAllocation":{"0":${nanos}},"deleted":false}`,
  );
  assert.deepEqual(await cluster.ipam("n1").check(), []);
});

test("a node fills its block before it takes another, and says which blocks are new", async () => {
  const cluster = new Cluster();
  await cluster.pool("p", "10.0.0.0/24", { blockSize: 30 });
  const ipam = cluster.ipam("n1");
  const claims: string[] = [];
  for (let index = 0; index < 9; index += 1) {
    const result = await ipam.assign({ family: 4, handle: `h${index}`, attributes: {} });
    assert.ok(result.kind === "assigned");
    claims.push(result.claimed.length === 0 ? "-" : "new");
  }
  assert.deepEqual(claims.join(""), "new---new---new");
  assert.equal((await ipam.blocks()).length, 3);
});

test("both families, block sizes from the smallest to the largest, and a pool too large for any list", async () => {
  const cluster = new Cluster();
  for (const [index, blockSize] of [20, 26, 32].entries()) {
    await cluster.pool(`four-${blockSize}`, `10.${index}.0.0/16`, { blockSize });
    const got = await cluster.assign("n1", `h${blockSize}`, { pools: [`four-${blockSize}`] });
    assert.ok(Prefix.contains(prefix(`10.${index}.0.0/16`), address(got)));
  }
  for (const [index, blockSize] of [116, 122, 128].entries()) {
    await cluster.pool(`six-${blockSize}`, `fd00:${index}::/32`, { blockSize });
    const got = await cluster.assign("n1", `i${blockSize}`, { family: 6, pools: [`six-${blockSize}`] });
    assert.ok(Prefix.contains(prefix(`fd00:${index}::/32`), address(got)));
  }
  assert.deepEqual(await cluster.ipam("n1").check(), []);
});

test("200 pods at once share reads and block writes", async () => {
  const cluster = new Cluster();
  await cluster.pool("p", "10.244.0.0/16");
  let calls = 0;
  const store = new Proxy(cluster.store, {
    get: (target, name) => {
      const member: unknown = Reflect.get(target, name);
      if (typeof member !== "function") return member;
      return (...args: readonly unknown[]): unknown => {
        calls += 1;
        return Reflect.apply(member, target, args);
      };
    },
  });
  const ipam = cluster.ipam("n1", store);
  const handles = Array.from({ length: 200 }, (_, index) => `h${index}`);
  const results = await Promise.all(
    handles.map((handle) => ipam.assign({ family: 4, handle, attributes: {} })),
  );
  const addresses = results.flatMap((result) => (result.kind === "assigned" ? result.addresses : []));
  assert.equal(new Set(addresses).size, 200);
  assert.equal((await ipam.blocks()).length, 4);
  // One write for each handle, and less than 50 calls for all the rest.
  assert.ok(calls < 250, `${calls} store calls`);
  calls = 0;
  await Promise.all(handles.map((handle) => ipam.releaseHandle(handle)));
  // A read and a write for each handle, and two for each block.
  assert.ok(calls < 420, `${calls} store calls`);
  assert.deepEqual(
    (await cluster.records()).filter((key) => key.includes("/handle/")),
    [],
  );
  assert.deepEqual(await ipam.check(), []);
});

test("a block of another size is never overlapped, wherever it begins", async () => {
  for (const existing of ["10.0.0.0/20", "10.0.0.0/24", "10.0.3.128/25", "10.0.3.240/28", "10.0.3.255/32"]) {
    const cluster = new Cluster();
    const before = new Cluster();
    const size = Number(existing.split("/")[1]);
    await before.pool("old", existing, { blockSize: size });
    await before.assign("former", "h");
    const key = keys.block(prefix(existing));
    await cluster.set(key, (await before.store.get(key))?.value ?? "");
    await cluster.pool("p", "10.0.0.0/22", { blockSize: 26 });
    await cluster.config({ strict_affinity: true, auto_allocate_blocks: true, maxBlocksPerHost: 100 });
    for (const node of ["a", "b", "c", "d"]) {
      await cluster.ipam(node).assign({ family: 4, count: 200, handle: node, attributes: {} });
    }
    const overlaps = (await cluster.ipam("a").check()).filter(({ code }) => code === "overlap");
    assert.deepEqual(overlaps, [], existing);
  }
});

test("an address of a block of another size is found, released, and never given by a second block", async () => {
  for (const [existing, inside, beside] of [
    ["10.0.0.0/24", "10.0.0.70", undefined],
    ["10.0.0.64/28", "10.0.0.70", "10.0.0.81"],
  ] as const) {
    const cluster = new Cluster();
    const before = new Cluster();
    await before.pool("old", existing, { blockSize: Number(existing.split("/")[1]) });
    const held = address(inside);
    await before.ipam("former").assignAddress({ address: held, handle: "h", attributes: {} });
    for (const key of [keys.block(prefix(existing)), keys.handle("h")]) {
      await cluster.set(key, (await before.store.get(key))?.value ?? "");
    }
    await cluster.pool("p", "10.0.0.0/22", { blockSize: 26 });
    const ipam = cluster.ipam("a");
    const state = await ipam.lookup(held);
    assert.equal(state.kind === "allocated" && state.handle, "h", existing);
    for (const wanted of [inside, beside ?? "10.0.0.71"]) {
      const result = await ipam.assignAddress({ address: address(wanted), handle: "new", attributes: {} });
      assert.equal(result.kind === "refused" && result.code, "taken", wanted);
    }
    assert.deepEqual(await ipam.release({ address: held, handle: "other" }), {
      kind: "conflict",
      message: `${inside} is held by handle h, not other`,
    });
    assert.deepEqual(await ipam.release({ address: held, handle: "h" }), { kind: "released" });
    assert.equal((await ipam.lookup(held)).kind, "free");
    assert.equal(await cluster.store.get(keys.handle("h")), undefined);
  }
});

test("when every block is taken a node borrows, and says so in the report; with strict affinity it does not", async () => {
  const cluster = new Cluster();
  await cluster.pool("p", "10.0.0.0/30", { blockSize: 30 });
  await cluster.assign("n1", "a");
  const borrowed = await cluster.assign("n2", "b");
  assert.deepEqual(
    (await cluster.ipam("n1").borrowed()).map(({ address: ip, borrower, blockOwner }) => [
      IpAddress.format(ip),
      borrower,
      blockOwner,
    ]),
    [[borrowed, "n2", "n1"]],
  );
  await cluster.config({ strict_affinity: true, auto_allocate_blocks: true });
  assert.equal(
    await cluster.refusal("n2"),
    "Assigned 0 out of 1 requested IPv4 addresses; No more free affine blocks and strict affinity enabled; " +
      "pools tried: p (10.0.0.0/30): 2 of 4 addresses in use, 0 reserved, 2 free outside this node's blocks",
  );
});

test("a request for more than there is gets what there is and the reason", async () => {
  const cluster = new Cluster();
  await cluster.pool("p", "10.0.0.0/30", { blockSize: 30 });
  const result = await cluster.ipam("n1").assign({ family: 4, count: 6, handle: "h", attributes: {} });
  assert.ok(result.kind === "short");
  assert.equal(result.addresses.length, 4);
  assert.equal(
    result.message,
    "Assigned 4 out of 6 requested IPv4 addresses; No IPs available in pools: [10.0.0.0/30]; " +
      "pools tried: p (10.0.0.0/30): 4 of 4 addresses in use, 0 reserved",
  );
  assert.equal((await cluster.ipam("n1").releaseHandle("h")).length, 4);
});

test("a node takes no more blocks than it may", async () => {
  const cluster = new Cluster();
  await cluster.pool("p", "10.0.0.0/24", { blockSize: 32 });
  await cluster.config({ strict_affinity: true, auto_allocate_blocks: true, maxBlocksPerHost: 2 });
  await cluster.assign("n1", "a");
  await cluster.assign("n1", "b");
  assert.match(
    await cluster.refusal("n1"),
    /Need to allocate an IPAM block but could not - limit of 2 blocks reached for this node/,
  );
  await cluster.config({ strict_affinity: true, auto_allocate_blocks: true });
  for (let index = 0; index < 18; index += 1) await cluster.assign("n1", `c${index}`);
  assert.match(await cluster.refusal("n1"), /limit of 20 blocks/);
  assert.match(await cluster.refusal("n1", { maxBlocks: 1 }), /limit of 1 blocks/);
});

test("a node that may take no more blocks borrows none of others' addresses either", async () => {
  for (const config of [{ auto_allocate_blocks: true, maxBlocksPerHost: 1 }, {}]) {
    const cluster = new Cluster();
    await cluster.pool("p", "10.0.0.0/29", { blockSize: 31 });
    await cluster.assign("n1", "a");
    await cluster.assign("n1", "b");
    await cluster.assign("n2", "c");
    await cluster.config(config);
    const shown = await cluster.refusal("n1");
    assert.match(shown, /limit of 1 blocks reached|automatic allocation of blocks disabled/);
    assert.match(shown, /3 of 8 addresses in use/);
    assert.doesNotMatch(shown, /strict/);
    // Its own blocks serve it still.
    await cluster.ipam("n1").releaseHandle("a");
    await cluster.assign("n1", "d");
  }
});

test("without automatic blocks a node has only what it was given", async () => {
  const cluster = new Cluster();
  await cluster.pool("p", "10.0.0.0/24");
  await cluster.config({ strict_affinity: true });
  assert.match(await cluster.refusal("n1"), /Assigned 0 out of 1/);
  assert.deepEqual(await cluster.records(), [keys.ipamConfig]);
});

test("reserved addresses are never assigned automatically, and can be asked for", async () => {
  const cluster = new Cluster();
  await cluster.pool("p", "10.0.0.0/29", { blockSize: 30 });
  await cluster.put("IPReservation", "ipreservations", "r", {
    reservedCIDRs: ["10.0.0.0/30", "10.0.0.4/31", "10.0.0.6"],
  });
  assert.equal(await cluster.assign("n1", "a"), "10.0.0.7");
  assert.match(await cluster.refusal("n1"), /No IPs available in pools/);
  const result = await cluster
    .ipam("n1")
    .assignAddress({ address: address("10.0.0.1"), handle: "s", attributes: {} });
  assert.equal(result.kind, "assigned");
  const [usage] = (await cluster.ipam("n1").usage()).pools;
  assert.ok(usage !== undefined);
  assert.deepEqual([usage.total, usage.inUse, usage.reserved, usage.free], [8n, 2n, 6n, 0n]);
});

test("a static address must be in a pool for its use, and is given once", async () => {
  const cluster = new Cluster();
  await cluster.pool("p", "10.0.0.0/24", { allowedUses: ["Workload"] });
  const ask = async (node: string, text: string, use?: "Tunnel"): Promise<string> => {
    const request = { address: address(text), handle: `h-${text}`, attributes: { node } };
    const result = await cluster
      .ipam(node)
      .assignAddress({ ...request, ...(use === undefined ? {} : { use }) });
    return result.kind === "assigned" ? "assigned" : `${result.code}: ${result.message}`;
  };
  assert.equal(await ask("n1", "10.0.0.7"), "assigned");
  assert.equal(
    await ask("n2", "10.0.0.7"),
    "taken: resource already exists: 10.0.0.7 with error: Address already assigned in block",
  );
  assert.equal(await ask("n2", "10.0.0.8"), "assigned");
  assert.match(await ask("n1", "10.0.0.9", "Tunnel"), /^use: /);
  assert.match(
    await ask("n1", "10.1.0.1"),
    /^notInPool: The provided IP address is not in a configured pool: 10.1.0.1/,
  );
  await cluster.config({ strict_affinity: true, auto_allocate_blocks: true });
  assert.match(await ask("n2", "10.0.0.10"), /^notAffine: /);
  assert.deepEqual(await cluster.ipam("n1").check(), []);
});

test("releasing checks the handle and the sequence number, and knows what is not assigned", async () => {
  const cluster = new Cluster();
  await cluster.pool("p", "10.0.0.0/24");
  const ipam = cluster.ipam("n1");
  const got = address(await cluster.assign("n1", "a"));
  const state = await ipam.lookup(got);
  assert.ok(state.kind === "allocated" && state.sequenceNumber !== undefined);
  assert.equal(state.handle, "a");
  assert.deepEqual(state.attributes, { node: "n1", pod: "a" });
  assert.equal((await ipam.release({ address: got, handle: "b" })).kind, "conflict");
  const stale = { address: got, sequenceNumber: state.sequenceNumber - 1n };
  assert.equal((await ipam.release(stale)).kind, "conflict");
  const right = { address: got, handle: "a", sequenceNumber: state.sequenceNumber };
  assert.equal((await ipam.release(right)).kind, "released");
  assert.equal((await ipam.release({ address: got })).kind, "unallocated");
  assert.equal((await ipam.lookup(got)).kind, "free");
  assert.equal((await ipam.release({ address: address("192.0.2.1") })).kind, "unallocated");
  assert.equal(await cluster.json(keys.handle("a")), undefined);
});

test("an address whose pool is gone can still be found and released", async () => {
  const cluster = new Cluster();
  await cluster.pool("p", "10.0.0.0/24");
  const got = address(await cluster.assign("n1", "a"));
  await cluster.store.delete(keys.resource("ippools", "p"));
  assert.equal((await cluster.ipam("n1").lookup(got)).kind, "allocated");
  assert.equal((await cluster.ipam("n1").usage()).orphans.length, 1);
  assert.equal((await cluster.ipam("n1").release({ address: got })).kind, "released");
});

test("a handle gives back all it holds in both families, once", async () => {
  const cluster = new Cluster();
  await cluster.pool("four", "10.0.0.0/24");
  await cluster.pool("six", "fd00::/64");
  const ipam = cluster.ipam("n1");
  await Promise.all([cluster.assign("n1", "pod\r"), cluster.assign("n1", "pod", { family: 6, count: 2 })]);
  assert.equal((await ipam.addressesOf("pod")).length, 3);
  assert.deepEqual(await ipam.handlesOf("po"), ["pod"]);
  assert.equal((await ipam.releaseHandle("pod")).length, 3);
  assert.deepEqual(await ipam.releaseHandle("pod"), []);
  assert.deepEqual(await ipam.addressesOf("pod"), []);
  assert.deepEqual(await ipam.handlesOf("po"), []);
});

test("what is released with an entry goes with it or stays, and keeps nobody else", async () => {
  const cluster = new Cluster();
  await cluster.pool("p", "10.0.0.0/24");
  const ipam = cluster.ipam("n1");
  await cluster.assign("n1", "same");
  await cluster.assign("n1", "changed");
  await cluster.assign("n1", "gone");
  await cluster.assign("n1", "plain");
  const created = await cluster.store.create("/same", "1");
  assert.ok(created.kind === "ok");
  const { revision } = created.entry;
  await cluster.set("/changed", "2");
  assert.equal(ipam.releasesTogether, true);
  const [same, changed, gone, plain] = await Promise.all([
    ipam.releaseLast("same", { key: "/same", revision }),
    ipam.releaseLast("changed", { key: "/changed", revision }),
    ipam.releaseLast("gone", { key: "/gone", revision }),
    ipam.releaseHandle("plain"),
  ]);
  assert.equal(same.kind, "released");
  assert.equal(await cluster.store.get("/same"), undefined);
  assert.deepEqual([changed, gone], [{ kind: "changed" }, { kind: "changed" }]);
  assert.equal((await cluster.store.get("/changed"))?.value, "2");
  assert.equal(plain.length, 1);
  assert.deepEqual(await ipam.handlesOf(""), ["changed", "gone"]);
  assert.deepEqual(await ipam.check(), []);
});

test("a store without transactions releases nothing together with an entry", async () => {
  const cluster = new Cluster();
  await cluster.pool("p", "10.0.0.0/24");
  const ipam = cluster.ipam("n1", singleWrites(cluster.store));
  await cluster.assign("n1", "pod");
  assert.equal(ipam.releasesTogether, false);
  const created = await cluster.store.create("/entry", "1");
  assert.ok(created.kind === "ok");
  const last = await ipam.releaseLast("pod", { key: "/entry", revision: created.entry.revision });
  assert.deepEqual(last, { kind: "changed" });
  assert.equal((await ipam.addressesOf("pod")).length, 1);
});

test("what a handle counts too much, after a crash, is kept for a minute as it may be under way, and then released", async () => {
  const cluster = new Cluster();
  await cluster.pool("p", "10.0.0.0/24", { blockSize: 26 });
  await cluster.assign("n1", "other");
  const [block] = await cluster.ipam("n1").blocks();
  assert.ok(block !== undefined);
  const crashed = { block: { [Prefix.format(block)]: 2, "10.9.0.0/26": 1 }, deleted: false };
  await cluster.set(keys.handle("crashed"), JSON.stringify(crashed));
  const problems = await cluster.ipam("n1").check();
  assert.deepEqual(
    problems.map(({ severity, code }) => `${severity} ${code}`),
    ["leftover overcounted", "leftover handleWithoutBlock"],
  );
  for (const seconds of [0, 60]) {
    cluster.seconds += seconds;
    assert.deepEqual(await cluster.ipam("n1").releaseHandle("crashed"), []);
    assert.equal((await cluster.ipam("n1").check()).length, 2);
  }
  cluster.seconds += 1;
  assert.deepEqual(await cluster.ipam("n1").releaseHandle("crashed"), []);
  assert.deepEqual(await cluster.ipam("n1").check(), []);
});

test("an address that is released cools down for as long as the configuration says", async () => {
  const cluster = new Cluster();
  await cluster.pool("p", "10.0.0.0/32", { blockSize: 32 });
  await cluster.config({ auto_allocate_blocks: true, ipCooldownSeconds: 30 });
  await cluster.assign("n1", "a");
  await cluster.ipam("n1").releaseHandle("a");
  assert.equal((await cluster.ipam("n1").lookup(address("10.0.0.0"))).kind, "coolingDown");
  cluster.seconds += 29;
  assert.match(await cluster.refusal("n1"), /No IPs available/);
  cluster.seconds += 1;
  assert.equal(await cluster.assign("n1", "b"), "10.0.0.0");
});

test("what has rested long enough does not keep a block from being empty", async () => {
  for (const act of ["node", "range", "reclaim"] as const) {
    const cluster = new Cluster();
    await cluster.pool("p", "10.0.0.0/26", { blockSize: 26 });
    await cluster.config({ strict_affinity: true, auto_allocate_blocks: true, ipCooldownSeconds: 30 });
    const ipam = cluster.ipam("a");
    await cluster.assign("a", "h");
    await ipam.releaseHandle("h");
    cluster.seconds += 31;
    if (act === "node") await ipam.releaseNode();
    else if (act === "range") await ipam.releaseRange(prefix("10.0.0.0/26"));
    else {
      cluster.seconds += 61;
      assert.match(await cluster.assign("b", "h2"), /^10\.0\.0\./);
      continue;
    }
    assert.deepEqual((await cluster.store.list(keys.blocks())).entries, [], act);
  }
});

test("a pool that goes leaves no block of which addresses only rest, whoever had it", async () => {
  const cluster = new Cluster();
  await cluster.pool("p", "10.0.0.0/26", { blockSize: 28 });
  await cluster.config({ auto_allocate_blocks: true, ipCooldownSeconds: 600 });
  for (const node of ["a", "b", "c"]) {
    await cluster.assign(node, `h-${node}`);
    await cluster.ipam(node).releaseHandle(`h-${node}`);
  }
  const held = await cluster.assign("d", "h-d");
  // Nobody's since, and still resting.
  await cluster.ipam("b").releaseNode();
  // Released by a node whose clock goes an hour ahead.
  cluster.seconds -= 3600;
  await cluster.ipam("a").releaseRange(prefix("10.0.0.0/26"));
  const { entries } = await cluster.store.list(keys.blocks());
  assert.equal(entries.length, 1);
  assert.equal((await cluster.ipam("a").lookup(address(held))).kind, "allocated");
  assert.deepEqual(await cluster.ipam("a").check(), []);
});

test("an empty block of another node is taken back after a minute, and not before", async () => {
  const cluster = new Cluster();
  await cluster.pool("p", "10.0.0.0/30", { blockSize: 30 });
  await cluster.config({ strict_affinity: true, auto_allocate_blocks: true });
  await cluster.assign("n1", "a");
  await cluster.ipam("n1").releaseHandle("a");
  cluster.seconds += 60;
  assert.match(await cluster.refusal("n2"), /strict affinity/);
  cluster.seconds += 1;
  await cluster.assign("n2", "b");
  assert.deepEqual((await cluster.ipam("n2").blocks()).map(Prefix.format), ["10.0.0.0/30"]);
  assert.deepEqual(await cluster.ipam("n1").blocks(), []);
  assert.deepEqual(await cluster.ipam("n1").check(), []);
});

test("a pool that stops selecting a node gets its empty blocks back", async () => {
  const cluster = new Cluster();
  await cluster.put("Node", "nodes", "n1", {}, { rack: "r1" });
  await cluster.pool("a", "10.0.0.0/24", { nodeSelector: "rack == 'r1'" });
  await cluster.pool("b", "10.1.0.0/24", { nodeSelector: "rack == 'r2'" });
  await cluster.assign("n1", "h1");
  await cluster.put("Node", "nodes", "n1", {}, { rack: "r2" });
  await cluster.assign("n1", "h2");
  assert.equal((await cluster.ipam("n1").blocks()).length, 2);
  await cluster.ipam("n1").releaseHandle("h1");
  const [left, ...others] = await cluster.ipam("n1").blocks();
  assert.ok(left !== undefined && others.length === 0);
  assert.ok(Prefix.covers(prefix("10.1.0.0/24"), left));
});

test("giving up a node deletes its empty blocks and leaves addresses in use valid until they are released", async () => {
  const cluster = new Cluster();
  await cluster.pool("p", "10.0.0.0/24", { blockSize: 30 });
  const got = address(await cluster.assign("n1", "a"));
  await cluster.assign("n1", "filler", { count: 3 });
  await cluster.assign("n1", "second");
  await cluster.ipam("n1").releaseHandle("second");
  const kept = await cluster.ipam("n2").releaseNode("n1", { onlyEmpty: true });
  assert.deepEqual(kept.map(({ outcome }) => outcome).toSorted(), ["kept", "released"]);
  await cluster.ipam("n2").releaseNode("n1");
  assert.deepEqual(await cluster.ipam("n1").blocks(), []);
  assert.equal((await cluster.ipam("n1").lookup(got)).kind, "allocated");
  await cluster.ipam("n1").releaseHandle("filler");
  await cluster.ipam("n1").releaseHandle("a");
  assert.deepEqual(await cluster.records(), []);
});

test("an unreadable record is named, takes no address with it, and its block is not given away", async () => {
  const cluster = new Cluster();
  await cluster.pool("p", "10.0.0.0/29", { blockSize: 30 });
  await cluster.set(keys.block(prefix("10.0.0.0/30")), "{not json");
  assert.ok(Prefix.contains(prefix("10.0.0.4/30"), address(await cluster.assign("n1", "a"))));
  await assert.rejects(
    cluster.ipam("n1").assignAddress({ address: address("10.0.0.1"), handle: "h", attributes: {} }),
    (error) =>
      error instanceof IpamError && error.code === "corrupt" && error.message.includes("10.0.0.0-30"),
  );
  assert.deepEqual(
    (await cluster.ipam("n1").check()).map(({ code, key }) => `${code} ${key}`),
    ["unreadable /calico/ipam/v2/assignment/ipv4/block/10.0.0.0-30"],
  );
});

test("a store that is away fails the request, and the next one works again", async () => {
  const cluster = new Cluster();
  await cluster.pool("p", "10.0.0.0/24");
  cluster.store.disconnect();
  await assert.rejects(
    cluster.ipam("n1").assign({ family: 4, handle: "a", attributes: {} }),
    /does not answer/,
  );
  cluster.store.reconnect();
  await cluster.assign("n1", "a");
});
