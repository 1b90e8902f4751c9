/**
 * Aim: when there is no address, people learn which pools were tried and why each gave none; what is no longer the node's
 * gives none either. Method: pools of each kind on a memory store, with the store's calls counted where their number matters.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import { keys, MemoryStore } from "@caracal/datastore";
import { Ipam, Nanos } from "@caracal/ipam";
import { IpAddress, Prefix } from "@caracal/net";

const apiVersion = "projectcalico.org/v3";

class CountingStore extends MemoryStore {
  calls: string[] = [];

  override get(key: string): ReturnType<MemoryStore["get"]> {
    this.calls.push(`get ${key}`);
    return super.get(key);
  }

  override list(prefix: string): ReturnType<MemoryStore["list"]> {
    this.calls.push(`list ${prefix}`);
    return super.list(prefix);
  }
}

async function put(
  store: MemoryStore,
  kind: string,
  plural: string,
  name: string,
  rest: object,
): Promise<void> {
  const value = { kind, apiVersion, metadata: { name }, spec: {}, ...rest };
  await store.create(keys.resource(plural, name), JSON.stringify(value));
}

async function putPools(store: MemoryStore, pools: Readonly<Record<string, object>>): Promise<void> {
  for (const [name, spec] of Object.entries(pools)) await put(store, "IPPool", "ippools", name, { spec });
}

function ipamOf(store: MemoryStore): Ipam {
  return new Ipam({ store, node: "n1", now: () => Nanos.fromSeconds(1_767_323_045) });
}

async function refusal(ipam: Ipam, request: Partial<Parameters<Ipam["assign"]>[0]> = {}): Promise<string> {
  const result = await ipam.assign({ family: 4, handle: "x", attributes: {}, ...request });
  assert.ok(result.kind !== "assigned");
  return result.message;
}

test("an exhausted choice names every pool of the family and why it gave nothing", async () => {
  const store = new MemoryStore();
  await putPools(store, {
    full: { cidr: "10.0.0.0/30", blockSize: 30 },
    labels: { cidr: "10.1.0.0/24", nodeSelector: "rack == 'r1'" },
    manual: { cidr: "10.2.0.0/24", assignmentMode: "Manual" },
    off: { cidr: "10.3.0.0/24", disabled: true },
    reserved: { cidr: "10.4.0.0/29", blockSize: 30 },
    six: { cidr: "fd00::/112" },
    team: { cidr: "10.5.0.0/24", namespaceSelector: "team == 'x'" },
    tunnels: { cidr: "10.6.0.0/24", allowedUses: ["Tunnel"] },
  });
  await put(store, "IPReservation", "ipreservations", "r", { spec: { reservedCIDRs: ["10.4.0.0/29"] } });
  const ipam = ipamOf(store);
  assert.equal((await ipam.assign({ family: 4, count: 4, handle: "h", attributes: {} })).kind, "assigned");
  assert.equal(
    await refusal(ipam),
    "Assigned 0 out of 1 requested IPv4 addresses; No IPs available in pools: [10.0.0.0/30 10.4.0.0/29]; " +
      "pools tried: full (10.0.0.0/30): 4 of 4 addresses in use, 0 reserved; " +
      "reserved (10.4.0.0/29): 0 of 8 addresses in use, 8 reserved; " +
      "labels: its nodeSelector is rack == 'r1'; manual: its assignment mode is Manual; off: it is disabled; " +
      "team: its namespaceSelector is team == 'x'; tunnels: it is for Tunnel",
  );
  assert.match(
    await refusal(ipam, { pools: ["reserved"] }),
    /pools tried: reserved \(10\.4\.0\.0\/29\): 0 of 8 addresses in use, 8 reserved$/,
  );
});

test("a message names a bounded number of pools", async () => {
  const store = new MemoryStore();
  const others = Array.from({ length: 40 }, (_, index) => [
    `p${index}`,
    { cidr: `10.1.${index}.0/24`, assignmentMode: "Manual" },
  ]);
  await putPools(store, { a: { cidr: "10.0.0.0/32", blockSize: 32 }, ...Object.fromEntries(others) });
  const ipam = ipamOf(store);
  assert.equal((await ipam.assign({ family: 4, handle: "h", attributes: {} })).kind, "assigned");
  assert.match(await refusal(ipam), /; 25 more pools$/);
});

test("namespaces part requests only where a pool selects by them", async () => {
  const store = new CountingStore();
  await putPools(store, { a: { cidr: "10.0.0.0/24" } });
  const ipam = ipamOf(store);
  const together = (): Promise<readonly string[]> =>
    Promise.all(
      ["x", "y", "x", undefined].map(async (team, index) => {
        const namespaceLabels = team === undefined ? {} : { namespaceLabels: { team } };
        const handle = `h${index}`;
        const result = await ipam.assign({ family: 4, handle, attributes: {}, ...namespaceLabels });
        return result.kind === "refused" ? result.message : result.addresses.map(IpAddress.format).join();
      }),
    );
  assert.equal(new Set(await together()).size, 4);
  // One batch: pools, reservations, affinities and a neighbourhood of blocks were listed once.
  assert.equal(store.calls.filter((call) => call.startsWith("list ")).length, 4);
  await putPools(store, { b: { cidr: "10.1.0.0/24", namespaceSelector: "team == 'x'" } });
  const named = await together();
  assert.equal(new Set(named).size, 4);
  const inB = await Promise.all(
    ["x", "y"].map((team) =>
      ipam.assign({ family: 4, pools: [], handle: team, attributes: {}, namespaceLabels: { team } }),
    ),
  );
  assert.deepEqual(
    inB.map(({ kind }) => kind),
    ["assigned", "assigned"],
  );
  await store.delete(keys.resource("ippools", "a"));
  const left = await together();
  assert.deepEqual(
    left.map((text) => text.startsWith("10.1.0.")),
    [true, false, true, false],
  );
});

test("a block whose affinity record was deleted gives no more addresses, and asking costs no round trip", async () => {
  const store = new CountingStore();
  await putPools(store, { a: { cidr: "10.0.0.0/24", blockSize: 28 } });
  const ipam = ipamOf(store);
  const assign = async (handle: string): Promise<Prefix> => {
    const result = await ipam.assign({ family: 4, handle, attributes: {} });
    assert.ok(result.kind === "assigned");
    const [address] = result.addresses;
    assert.ok(address !== undefined);
    return Prefix.of(address, 28);
  };
  const first = await assign("h0");
  store.calls = [];
  assert.ok(Prefix.equals(await assign("h1"), first));
  const affinity = keys.affinity({ kind: "host", name: "n1" }, first);
  const asked = store.calls.filter((call) => !call.includes("/resources/") && !call.includes("/config"));
  assert.deepEqual(asked, []);

  await store.delete(affinity);
  const second = await assign("h2");
  assert.ok(!Prefix.equals(second, first));
  assert.deepEqual(
    (await ipam.blocks()).map((block) => Prefix.format(block)),
    [Prefix.format(second)],
  );
  assert.equal((await ipam.addressesOf("h2")).length, 1);
  const problems = await ipam.check();
  assert.deepEqual(
    problems.filter(({ severity }) => severity === "unsafe"),
    [],
  );
});

test("reservations that cover a pool only together leave nothing, and no block is taken for it", async () => {
  const store = new CountingStore();
  await putPools(store, { a: { cidr: "10.0.0.0/26", blockSize: 28 } });
  const reservation = {
    kind: "IPReservation",
    apiVersion: "projectcalico.org/v3",
    metadata: { name: "all" },
    // The second half in pieces smaller than a block.
    spec: { reservedCIDRs: ["10.0.0.0/27", ...[32, 40, 48, 56].map((last) => `10.0.0.${last}/29`)] },
  };
  await store.create(keys.resource("ipreservations", "all"), JSON.stringify(reservation));
  const result = await ipamOf(store).assign({ family: 4, handle: "h", attributes: {} });
  assert.ok(result.kind === "short");
  assert.match(result.message, /a \(10\.0\.0\.0\/26\): 0 of 64 addresses in use, 64 reserved$/);
  assert.deepEqual((await store.list("/calico/ipam/")).entries, []);
});

test("a pool that is marked as not allocatable gives nothing, and says why", async () => {
  const store = new CountingStore();
  const pool = {
    kind: "IPPool",
    apiVersion: "projectcalico.org/v3",
    metadata: { name: "a" },
    spec: { cidr: "10.0.0.0/26" },
    status: {
      conditions: [{ type: "Allocatable", status: "False", reason: "Overlap", message: "it overlaps b" }],
    },
  };
  await store.create(keys.resource("ippools", "a"), JSON.stringify(pool));
  const result = await ipamOf(store).assign({ family: 4, handle: "h", attributes: {} });
  assert.ok(result.kind === "refused");
  assert.equal(
    result.message,
    "no configured Calico pools for node n1 (a: it is not allocatable: it overlaps b)",
  );
});
