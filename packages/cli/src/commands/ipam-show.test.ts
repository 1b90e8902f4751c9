/** Aim: `ipam show` prints the seeds' tables and texts. Method: blocks in a store in memory with the seeds' allocations. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { keys, type Store } from "@caracal/datastore";
import { Prefix } from "@caracal/net";
import { pool, storeOf } from "../../test/resources-fixture.ts";
import { run } from "../../test/test-context.ts";

interface BlockParts {
  readonly cidr: string;
  readonly node: string;
  /** Attributes of the addresses in use, from the first of the block on. */
  readonly used: readonly (Readonly<Record<string, string>> | undefined)[];
}

async function addBlock(store: Store, { cidr, node, used }: BlockParts): Promise<void> {
  const prefix = Prefix.parse(cidr) ?? assert.fail(cidr);
  const size = Number(Prefix.size(prefix));
  const ordinals = Array.from({ length: size }, (_, ordinal) => ordinal);
  const block = {
    cidr,
    affinity: `host:${node}`,
    allocations: ordinals.map((ordinal) => (ordinal < used.length ? ordinal : null)),
    unallocated: ordinals.slice(used.length),
    attributes: used.map((secondary, index) => ({ handle_id: `h${index}`, secondary: secondary ?? null })),
    deleted: false,
  };
  await store.create(keys.block(prefix), JSON.stringify(block));
}

const plain = { node: "minikube" };
const five = [plain, plain, plain, plain, plain];

async function seedStore(): Promise<Store> {
  const store = await storeOf({ "ippools/default-ipv4-ippool": pool });
  await addBlock(store, { cidr: "10.244.205.192/26", node: "minikube-m02", used: five });
  await addBlock(store, {
    cidr: "10.244.120.64/26",
    node: "minikube",
    used: [
      { node: "minikube", type: "vxlanTunnelAddress" },
      {
        pod: "nginx-1",
        namespace: "default",
        node: "master1",
        timestamp: "2024-01-08 03:12:11.123 +0000 UTC",
      },
      undefined,
      plain,
      plain,
    ],
  });
  return store;
}

test("pools, and pools with their blocks", async () => {
  const store = await seedStore();
  assert.equal(
    (await run("ipam show", { store })).stdout,
    [
      "+----------+---------------+-----------+------------+--------------+",
      "| GROUPING |     CIDR      | IPS TOTAL | IPS IN USE |   IPS FREE   |",
      "+----------+---------------+-----------+------------+--------------+",
      "| IP Pool  | 10.244.0.0/16 |     65536 | 10 (0%)    | 65526 (100%) |",
      "+----------+---------------+-----------+------------+--------------+",
      "",
    ].join("\n"),
  );
  assert.equal(
    (await run("ipam show --show-blocks", { store })).stdout,
    [
      "+----------+-------------------+-----------+------------+--------------+",
      "| GROUPING |       CIDR        | IPS TOTAL | IPS IN USE |   IPS FREE   |",
      "+----------+-------------------+-----------+------------+--------------+",
      "| IP Pool  | 10.244.0.0/16     |     65536 | 10 (0%)    | 65526 (100%) |",
      "| Block    | 10.244.120.64/26  |        64 | 5 (8%)     | 59 (92%)     |",
      "| Block    | 10.244.205.192/26 |        64 | 5 (8%)     | 59 (92%)     |",
      "+----------+-------------------+-----------+------------+--------------+",
      "",
    ].join("\n"),
  );
});

test("what reservations keep back has a column, and is not free", async () => {
  const store = await seedStore();
  const spec = { reservedCIDRs: ["10.244.120.64/30", "10.244.255.0/24"] };
  const value = JSON.stringify({
    apiVersion: "projectcalico.org/v3",
    kind: "IPReservation",
    metadata: { name: "r" },
    spec,
  });
  await store.create(keys.resource("ipreservations", "r"), value);
  const border = "+----------+-------------------+-----------+------------+--------------+--------------+";
  assert.deepEqual((await run("ipam show --show-blocks", { store })).stdout.split("\n"), [
    border,
    "| GROUPING |       CIDR        | IPS TOTAL | IPS IN USE | IPS RESERVED |   IPS FREE   |",
    border,
    "| IP Pool  | 10.244.0.0/16     |     65536 | 10 (0%)    | 256 (0%)     | 65270 (100%) |",
    "| Block    | 10.244.120.64/26  |        64 | 5 (8%)     | 0 (0%)       | 59 (92%)     |",
    "| Block    | 10.244.205.192/26 |        64 | 5 (8%)     | 0 (0%)       | 59 (92%)     |",
    border,
    "",
  ]);
});

test("what rests after its release has a column, and counts as in use", async () => {
  const store = await storeOf({ "ippools/p": { kind: "IPPool", spec: { cidr: "10.9.0.0/26" } } });
  const block = {
    cidr: "10.9.0.0/26",
    affinity: "host:n",
    allocations: [0, 1, 1, 2, ...Array<null>(60).fill(null)],
    unallocated: Array.from({ length: 60 }, (_, index) => index + 4),
    attributes: [
      { handle_id: "h", secondary: { node: "n" } },
      { releasedAt: "2024-01-08T03:12:01Z" },
      // Has rested long enough, though nobody has needed it yet.
      { releasedAt: "2024-01-08T03:10:01Z" },
    ],
  };
  await store.create(keys.ipamConfig, '{"auto_allocate_blocks":true,"ipCooldownSeconds":60}');
  await store.create(keys.block(Prefix.parse(block.cidr) ?? assert.fail()), JSON.stringify(block));
  const border = "+----------+-------------+-----------+------------+----------+-------------+";
  assert.deepEqual((await run("ipam show --show-blocks", { store })).stdout.split("\n"), [
    border,
    "| GROUPING |    CIDR     | IPS TOTAL | IPS IN USE | IPS FREE | IPS COOLING |",
    border,
    "| IP Pool  | 10.9.0.0/26 |        64 | 3 (5%)     | 61 (95%) | 2 (3%)      |",
    "| Block    | 10.9.0.0/26 |        64 | 3 (5%)     | 61 (95%) | 2 (3%)      |",
    border,
    "",
  ]);
  assert.deepEqual(JSON.parse((await run("ipam show --ip=10.9.0.2 -o json", { store })).stdout), {
    ip: "10.9.0.2",
    state: "coolingDown",
    releasedAt: "2024-01-08T03:12:01Z",
  });
});

test("everything is shown for programs too", async () => {
  const store = await seedStore();
  const read = async (line: string): Promise<unknown> => {
    const { stdout, stderr } = await run(line, { store });
    assert.equal(stderr, "");
    return JSON.parse(stdout);
  };
  const block = { total: 64, inUse: 5, reserved: 0, free: 59, cooling: 0 };
  const blocks = [
    { cidr: "10.244.120.64/26", ...block, borrowed: 1, affinity: "host:minikube" },
    { cidr: "10.244.205.192/26", ...block, borrowed: 5, affinity: "host:minikube-m02" },
  ];
  const used = { total: 65536, inUse: 10, reserved: 0, free: 65526, borrowed: 6, cooling: 0 };
  const [shown] = blocks;
  assert.deepEqual(await read("ipam show -o json"), {
    pools: [{ name: "default-ipv4-ippool", cidr: "10.244.0.0/16", ...used, blocks }],
    blocksWithoutPool: [],
  });
  assert.deepEqual(await read("ipam show --ip=10.244.120.66 -o json"), {
    ip: "10.244.120.66",
    state: "allocated",
    handle: "h2",
    attributes: {},
    block: shown?.cidr,
    affinity: shown?.affinity,
    sequenceNumber: null,
  });
  assert.deepEqual(await read("ipam show --ip=10.244.120.99 -o json"), {
    ip: "10.244.120.99",
    state: "free",
  });
  const attributes = {
    namespace: "default",
    node: "master1",
    pod: "nginx-1",
    timestamp: "2024-01-08 03:12:11.123 +0000 UTC",
  };
  const borrowed = await read("ipam show --show-borrowed -o json");
  assert.deepEqual(Array.isArray(borrowed) && borrowed[0], {
    ip: "10.244.120.65",
    borrowingNode: "master1",
    block: shown?.cidr,
    blockOwner: "minikube",
    attributes,
  });
  assert.equal(
    (await run("ipam show --show-configuration -o yaml", { store })).stdout,
    "autoAllocateBlocks: true\nipCooldownSeconds: 0\nmaxBlocksPerHost: 0\nstrictAffinity: false\n",
  );
  for (const [line, stderr] of [
    ["ipam show -o xml", "unrecognized output format 'xml'; it is json or yaml\n"],
    ["ipam show --ip=10.0.0.1 --show-blocks", "--ip and --show-blocks exclude each other\n"],
    ["ipam release --ip=10.0.0.1 --from-report=x", "--ip and --from-report exclude each other\n"],
  ] as const) {
    assert.deepEqual(await run(line, { store }), { exitCode: 1, stdout: "", stderr });
  }
});

test("an address with two owners, and the settings that came later", async () => {
  const store = await seedStore();
  const [entry] = (await store.list(keys.blocks())).entries;
  assert.ok(entry !== undefined);
  const twice = entry.value.replace(
    '"handle_id":"h1",',
    '"handle_id":"h1","alternateOwnerAttrs":{"pod":"b"},',
  );
  await store.update(entry.key, twice, entry.revision);
  assert.equal(
    (await run("ipam show --ip 10.244.120.65", { store })).stdout,
    "IP 10.244.120.65 is in use\nHandle ID: h1\nActive Owner Attributes:\n  namespace: default\n  node: master1\n  pod: nginx-1\n  timestamp: 2024-01-08 03:12:11.123 +0000 UTC\nAlternate Owner Attributes:\n  pod: b\n",
  );
  await run("ipam configure --ip-cooldown-seconds=60 --kubevirt-ip-persistence=Disabled", { store });
  assert.match(
    (await run("ipam show --show-configuration", { store })).stdout,
    /^\| MaxBlocksPerHost {13}\| {8}0 \|\n\| KubeVirtVMAddressPersistence \| Disabled \|\n\| IPCooldownSeconds {12}\| {7}60 \|$/m,
  );
});

test("blocks outside every pool stand under none", async () => {
  const store = await storeOf({});
  await addBlock(store, { cidr: "10.9.0.0/26", node: "n", used: [] });
  assert.match(
    (await run("ipam show --show-blocks", { store })).stdout,
    /\+\n\| Block {4}\| 10\.9\.0\.0\/26 \| {8}64 \| 0 \(0%\) {5}\| 64 \(100%\) \|\n\+/,
  );
});

test("who holds an address", async () => {
  const store = await seedStore();
  for (const [ip, stdout] of [
    [
      "10.244.120.65",
      "IP 10.244.120.65 is in use\nAttributes:\n  namespace: default\n  node: master1\n  pod: nginx-1\n  timestamp: 2024-01-08 03:12:11.123 +0000 UTC\n",
    ],
    [
      "10.244.120.64",
      "IP 10.244.120.64 is in use\nAttributes:\n  node: minikube\n  type: vxlanTunnelAddress\n",
    ],
    ["10.244.120.66", "IP 10.244.120.66 is in use\nNo attributes defined\n"],
    ["10.244.120.99", "10.244.120.99 is not assigned\n"],
    ["10.244.7.1", "10.244.7.1 is not assigned\n"],
    ["192.0.2.1", "192.0.2.1 is not assigned\n"],
  ] as const) {
    assert.deepEqual(await run(`ipam show --ip=${ip}`, { store }), { exitCode: 0, stdout, stderr: "" });
  }
  assert.equal(
    (await run("ipam show --ip 10.244", { store })).stderr,
    "Error executing command: invalid IP address specified: 10.244\n",
  );
});

test("an IPv4 address in IPv6's form is that of IPv4", async () => {
  const store = await seedStore();
  const { stdout } = await run("ipam show --ip=::FFFF:10.244.120.66", { store });
  assert.match(stdout, /^IP 10\.244\.120\.66 is in use$/m);
});

test("an address whose pool is gone is still found", async () => {
  const store = await storeOf({});
  await addBlock(store, { cidr: "10.9.0.0/26", node: "n", used: [plain] });
  assert.match((await run("ipam show --ip 10.9.0.0", { store })).stdout, /is in use/);
});

test("borrowed addresses and settings", async () => {
  const store = await seedStore();
  assert.equal(
    (await run("ipam show --show-borrowed", { store })).stdout.split("\n")[3],
    "| 10.244.120.65  | master1        | 10.244.120.64/26  | minikube     | pod  | default/nginx-1 |",
  );
  assert.equal(
    (await run("ipam show --show-configuration", { store })).stdout,
    [
      "+--------------------+-------+",
      "|      PROPERTY      | VALUE |",
      "+--------------------+-------+",
      "| StrictAffinity     | false |",
      "| AutoAllocateBlocks | true  |",
      "| MaxBlocksPerHost   |     0 |",
      "+--------------------+-------+",
      "",
    ].join("\n"),
  );
});

test("settings that are applied are those of IPAM and those that are read back", async () => {
  const store = await seedStore();
  const yaml = (spec: string): string =>
    `apiVersion: projectcalico.org/v3\nkind: IPAMConfiguration\nmetadata: {name: default}\nspec: ${spec}\n`;
  const applied = await run("apply -f -", {
    store,
    stdin: yaml("{strictAffinity: true, maxBlocksPerHost: 4}"),
  });
  assert.equal(applied.exitCode, 0, applied.stderr);
  assert.match(
    (await run("ipam show --show-configuration", { store })).stdout,
    /StrictAffinity {5}\| true .*AutoAllocateBlocks \| true .*MaxBlocksPerHost {3}\| {5}4 /s,
  );
  // `calicoctl ipam configure` of Calico writes the record alone.
  const record = (await store.get(keys.ipamConfig)) ?? assert.fail("IPAM has no settings");
  await store.update(record.key, '{"auto_allocate_blocks":true}', record.revision);
  assert.match(
    (await run("get ipamconfig -o yaml", { store })).stdout,
    /autoAllocateBlocks: true\n\s+strictAffinity: false\n/,
  );
  const refused = await run("apply -f -", { store, stdin: yaml("{autoAllocateBlocks: false}") });
  assert.notEqual(refused.exitCode, 0);
  assert.match(refused.stderr, /cannot be false while strictAffinity is false/);
});
