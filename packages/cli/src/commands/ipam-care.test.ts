/**
 * Aim: `ipam check` finds every kind of contradiction, `ipam release` gives back what is leaked and nothing else, `configure`
 * and `split` change what they say. Method: whole command lines over a store in memory in which IPAM assigned the addresses.
 */
import assert from "node:assert/strict";
import { mkdtemp, readFile, rm, stat } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test, type TestContext } from "node:test";
import { keys, MemoryStore, type Store, StoreError } from "@caracal/datastore";
import { IpAddress, Prefix } from "@caracal/net";
import { addWorkload, ipamOf, leakyWorld } from "../../test/leaky-world.ts";
import { pool, storeOf } from "../../test/resources-fixture.ts";
import { keepOpen, run } from "../../test/test-context.ts";

async function directory(t: TestContext): Promise<string> {
  const path = await mkdtemp(join(tmpdir(), "caracal-report-"));
  t.after(() => rm(path, { recursive: true, force: true }));
  return path;
}

test("a sound cluster has no problems", async () => {
  const { store, leaked } = await leakyWorld();
  await addWorkload(store, "b", leaked);
  const block = (await store.list(keys.blocks())).entries[0]?.key ?? assert.fail("no block");
  const key = keys.parse(block);
  const cidr = key?.kind === "block" ? Prefix.format(key.cidr) : "";
  assert.deepEqual((await run("ipam check", { store })).stdout.split("\n"), [
    "Checking IPAM for inconsistencies...",
    "",
    "Loading all IPAM blocks...",
    "Found 1 IPAM blocks.",
    ` IPAM block ${cidr} affinity=host:node1.whale.com:`,
    "IPAM blocks record 2 allocations.",
    "",
    "Loading all IPAM pools...",
    "  10.244.0.0/16",
    "Found 1 active IP pools.",
    "",
    "Loading all nodes.",
    "Found 0 node tunnel IPs.",
    "",
    "Loading all service load balancer IPs.",
    "No configuration for LoadBalancer kubecontroller found, skipping service check",
    "",
    "Loading all workload endpoints.",
    "Found 2 workload IPs.",
    "Workloads and nodes are using 2 IPs.",
    "",
    "Loading all handles",
    "Looking for top (up to 20) nodes by allocations...",
    "  node1.whale.com has 2 allocations",
    "Node with most allocations has 2; median is 2",
    "",
    "Scanning for IPs that are allocated but not actually in use...",
    "Found 0 IPs that are allocated in IPAM but not actually in use.",
    "Scanning for IPs that are in use by a workload or node but not allocated in IPAM...",
    "Found 0 in-use IPs that are not in active IP pools.",
    "Found 0 in-use IPs that are in active IP pools but have no corresponding IPAM allocation.",
    "",
    "Scanning for IPAM handles with no matching IPs...",
    "Found 0 handles with no matching IPs (and 2 handles with matches).",
    "Scanning for IPs with missing handle...",
    "Found 0 handles mentioned in blocks with no matching handle resource.",
    "Validating IPAMBlock structures...",
    "Found 0 invalid IPAMBlocks.",
    "Check complete; found 0 problems.",
    "",
  ]);
});

test("every finding is counted, and shown when asked for", async () => {
  const { store, used, leaked } = await leakyWorld();
  await addWorkload(store, "outside", "192.0.2.1");
  await addWorkload(store, "stray", "10.244.255.1");
  await addWorkload(store, "twin", used);
  await store.create(keys.handle("h-idle"), '{"block":{},"deleted":false}');
  await store.delete(keys.handle("h-used"));
  const plain = (await run("ipam check", { store })).stdout;
  assert.match(plain, /found 4 problems\.\n$/);
  assert.doesNotMatch(plain, /leaked;/);
  const shown = (await run("ipam check --show-problem-ips", { store })).stdout;
  const lines = shown.split("\n");
  for (const line of [
    `  ${leaked} leaked; attrs Main:h-leaked Extra:namespace=default,node=node1.whale.com,pod=gone`,
    `  ${used} has multiple owners.`,
    "  192.0.2.1 in use by Workload(default/node1.whale.com-k8s-outside-eth0) is not in any active IP pool.",
    "  10.244.255.1 in use by Workload(default/node1.whale.com-k8s-stray-eth0) and in active IPAM pool but has no IPAM allocation.",
    "  h-used is in use in a block but doesn't exist.",
    "Found 1 handles with no matching IPs (and 1 handles with matches).",
  ]) {
    assert.ok(lines.includes(line), line);
  }
  const all = (await run("ipam check --show-all-ips", { store })).stdout;
  assert.match(all, /^ {2}h-idle doesn't have any active IPs\.$/m);
  assert.match(all, /^ {2}192\.0\.2\.1 belongs to Workload\(default\//m);
  assert.match(all, new RegExp(`^  ${used.replaceAll(".", "\\.")} allocated; attrs Main:h-used`, "m"));
});

test("a block that contradicts itself is invalid", async () => {
  const { store } = await leakyWorld();
  const entry = (await store.list(keys.blocks())).entries[0] ?? assert.fail("no block");
  const text = entry.value.replace(/"unallocated":\[/, '"unallocated":[0,');
  await store.update(entry.key, text, entry.revision);
  const { stdout } = await run("ipam check --show-problem-ips", { store });
  assert.match(stdout, /\/block\/\S+ queues the taken address 0\nFound 1 invalid IPAMBlocks\./);
});

test("addresses of services are in use", async () => {
  const { store } = await leakyWorld();
  const controllers = await storeOf({
    "kubecontrollersconfigurations/default": {
      kind: "KubeControllersConfiguration",
      spec: { controllers: { loadBalancer: { assignIPs: "AllServices" } } },
    },
  });
  for (const { key, value } of (await controllers.list(keys.root)).entries) await store.create(key, value);
  const block = {
    cidr: "10.244.9.0/30",
    affinity: "virtual:load-balancer",
    allocations: [0, null, null, null],
    unallocated: [1, 2, 3],
    attributes: [{ handle_id: "lb-x", secondary: { service: "web", namespace: "default" } }],
  };
  await store.create(keys.block(Prefix.parse(block.cidr) ?? assert.fail()), JSON.stringify(block));
  const { stdout } = await run("ipam check --show-all-ips", { store });
  assert.match(
    stdout,
    /^Loading all service load balancer IPs\.\n {2}10\.244\.9\.0 belongs to Service\(default\/web\)\nFound 1 service load balancer\(s\)\.$/m,
  );
  assert.doesNotMatch(stdout, /10\.244\.9\.0 leaked/);

  // An API server that is asked knows of other services, and of none with that address.
  const lbPool = { kind: "IPPool", spec: { cidr: "10.245.0.0/24", allowedUses: ["LoadBalancer"] } };
  for (const { key, value } of (await (await storeOf({ "ippools/lb": lbPool })).list(keys.root)).entries) {
    await store.create(key, value);
  }
  const server = new MemoryStore();
  for (const [name, ip] of [
    ["api", "10.245.0.7"],
    ["foreign", "192.0.2.1"],
  ] as const) {
    const document = {
      metadata: { name, namespace: "default" },
      spec: { type: "LoadBalancer" },
      status: { loadBalancer: { ingress: [{ ip }] } },
    };
    await server.create(keys.resource("kubernetesservices", name, "default"), JSON.stringify(document));
  }
  const asked = await run("ipam check --show-all-ips --kubeconfig /k", {
    openStore: async ({ datastoreType, environment }) => {
      if (datastoreType === "etcdv3") return keepOpen(store);
      assert.equal(environment.KUBECONFIG, "/k");
      return server;
    },
  });
  assert.match(
    asked.stdout,
    /^ {2}10\.245\.0\.7 belongs to Service\(default\/api\)\nFound 1 service load balancer/m,
  );
  assert.match(asked.stdout, /10\.244\.9\.0 leaked/);
  assert.match(
    asked.stdout,
    /10\.245\.0\.7 in use by Service\(default\/api\) and in active IPAM pool but has no IPAM allocation/,
  );
});

test("without ClusterInformation nothing is checked", async () => {
  const store = await storeOf({ "ippools/p": pool });
  assert.deepEqual(await run("ipam check", { store }), {
    exitCode: 1,
    stdout: "Checking IPAM for inconsistencies...\n\n",
    stderr: "resource does not exist: ClusterInformation(default) with error: <nil>\n",
  });
});

test("a handle that counts more than it has is told of, and corrected by a report", async (t) => {
  const { store, leaked } = await leakyWorld();
  await addWorkload(store, "b", leaked);
  const sound = (await run("ipam check --show-problem-ips", { store })).stdout;
  const { key, value, revision } = (await store.get(keys.handle("h-used"))) ?? assert.fail("no handle");
  const [block = ""] = Object.keys(JSON.parse(value).block);
  await store.update(key, `{"block":{"${block}":3,"10.9.9.0/26":1},"deleted":false}`, revision);
  const report = join(await directory(t), "report.json");
  const { stdout } = await run(["ipam", "check", "--show-problem-ips", "-o", report], { store });
  assert.deepEqual(
    stdout.split("\n").filter((line) => !sound.split("\n").includes(line)),
    [
      `  h-used counts 3 in ${block} and has 1, 1 in 10.9.9.0/26 and has 0.`,
      "Found 1 handles that count IPs they do not have.",
    ],
  );
  // Calico's command deletes what its list names, and this handle is in use.
  const written: Record<string, unknown> = JSON.parse(await readFile(report, "utf8"));
  assert.equal(written["leakedHandles"], undefined);
  const current = await store.get(key);
  assert.deepEqual(written["overcountingHandles"], [
    { ID: "h-used", UID: null, Revision: current?.revision },
  ]);
  const release = ["ipam", "release", "--from-report", report];
  assert.match(
    (await run(release, { store })).stdout,
    /^Correcting 1 handles\.\.\.\n.*\n\.\nCorrected 1 handles; 0 skipped; 0 errors\.\nYou may now/m,
  );
  assert.equal((await run("ipam check --show-problem-ips", { store })).stdout, sound);
  assert.equal((await ipamOf(store, "n").addressesOf("h-used")).length, 1);
  // Done already.
  assert.match((await run(release, { store })).stdout, /^Corrected 0 handles; 1 skipped; 0 errors\.$/m);
});

test("on Kubernetes nothing is read but what is compared", async () => {
  const { store } = await leakyWorld();
  const asked: string[] = [];
  const given = {
    env: { DATASTORE_TYPE: "kubernetes" },
    openStore: async () => ({
      ...keepOpen(store),
      list: (prefix: string) => {
        asked.push(prefix.replace(/^\/calico\/(resources\/v3\/projectcalico\.org\/)?/, ""));
        return store.list(prefix);
      },
    }),
  };
  assert.match((await run("ipam check", given)).stdout, /found 1 problems/);
  assert.deepEqual(asked, [
    "kubernetesservices/",
    "ipam/v2/assignment/",
    "ippools/",
    "nodes/",
    "workloadendpoints/",
    "clusterinformations/",
    "kubecontrollersconfigurations/",
    "ipam/v2/handle/",
  ]);
});

test("where others may assign, a handle is left alone for a minute after it was found", async (t) => {
  const { store } = await leakyWorld(true);
  await store.create(keys.handle("h-idle"), '{"block":{},"deleted":false}');
  const report = join(await directory(t), "report.json");
  await run(["ipam", "check", "-o", report], { store });
  const { mtimeMs } = await stat(report);
  const waits: number[] = [];
  const given = {
    store,
    now: () => new Date(Math.ceil(mtimeMs) + 11_000),
    sleep: async (ms: number) => void waits.push(Math.round(ms / 1_000)),
  };
  const outcome = await run(["ipam", "release", "--force", "--from-report", report], given);
  assert.match(outcome.stderr, /^waiting 50 s for assignments that may be under way$/m);
  assert.deepEqual(waits, [50]);
  assert.match(outcome.stdout, /^Released 1 handles; 0 skipped; 0 errors\.$/m);
});

test("a report that cannot be read is told of by why", async (t) => {
  const path = await directory(t);
  const { store } = await leakyWorld();
  for (const [file, stderr] of [
    [path, `read ${path}: is a directory\n`],
    [join(path, "none"), `open ${join(path, "none")}: no such file or directory\n`],
  ] as const) {
    assert.equal((await run(["ipam", "release", "--from-report", file], { store })).stderr, stderr);
  }
});

test("a report that cannot be written is known before anything is read", async (t) => {
  const path = join(await directory(t), "missing", "report.json");
  const outcome = await run(["ipam", "check", "-o", path]);
  assert.match(outcome.stderr, /^cannot write the report: ENOENT/);
  assert.equal(outcome.exitCode, 1);
});

test("a report's leaks are released, once, and nothing else", async (t) => {
  const { store, used, leaked } = await leakyWorld();
  await store.create(keys.handle("h-idle"), '{"block":{},"deleted":false}');
  const report = join(await directory(t), "report.json");
  await run(["ipam", "check", "-o", report], { store });
  const written: unknown = JSON.parse(await readFile(report, "utf8"));
  assert.partialDeepStrictEqual(written, {
    clusterGUID: "0123456789abcdef0123456789abcdef",
    datastoreLocked: true,
    clusterType: "k8s,bgp",
    allocations: {
      [used]: [{ ip: used, handle: "h-used", inUse: true, pod: "a", node: "node1.whale.com" }],
      [leaked]: [{ ip: leaked, handle: "h-leaked", inUse: false, owners: null }],
    },
    leakedHandles: [{ ID: "h-idle", UID: null }],
  });
  assert.deepEqual((await run(["ipam", "release", "--from-report", report], { store })).stdout.split("\n"), [
    "Releasing 1 old IPs...",
    "Released 1 IPs successfully",
    "Deleting 1 handles...",
    "Key: '.' = Deleted OK; 'x' = skip, handle missing/changed.",
    ".",
    "Released 1 handles; 0 skipped; 0 errors.",
    "You may now unlock the data store.",
    "",
  ]);
  assert.match((await run("ipam check", { store })).stdout, /found 0 problems/);
  const again = (await run(["ipam", "release", "--from-report", report], { store })).stdout;
  assert.match(again, /Released 0 IPs successfully\n1 addresses marked as leaked in the report had already/);
  assert.match(again, /\nx\nReleased 0 handles; 1 skipped; 0 errors\.\n/);
});

test("an address that was given out again since the report stays", async (t) => {
  const { store, leaked } = await leakyWorld();
  const report = join(await directory(t), "report.json");
  await run(["ipam", "check", "-o", report], { store });
  await run(["ipam", "release", "--ip", leaked], { store });
  const address = IpAddress.parse(leaked) ?? assert.fail(leaked);
  const ipam = ipamOf(store, "node1.whale.com");
  // The same owner's name: only the sequence number tells the two assignments apart.
  await ipam.assignAddress({ address, handle: "h-leaked", attributes: {} });
  const { stdout } = await run(["ipam", "release", "--from-report", report], { store });
  assert.match(stdout, /An error occurred while releasing some IPs: .* has been assigned again since\./);
  assert.match(stdout, /Released 0 IPs successfully/);
  assert.equal((await ipam.lookup(address)).kind, "allocated");
});

test("a report of another cluster, of an unlocked one, or of times gone by is refused", async (t) => {
  const path = await directory(t);
  const report = join(path, "report.json");
  const { store } = await leakyWorld(true);
  await run(["ipam", "check", "-o", report], { store });
  const release = async (at: Store, ...more: string[]) =>
    run(["ipam", "release", "--from-report", report, ...more], { store: at });
  assert.equal(
    (await release(store)).stderr,
    "data store is not locked. Either lock the data store, or re-run with --force\n",
  );
  assert.match((await release(store, "--force")).stdout, /^WARNING: Data store is not locked/);
  const entry = (await store.get(keys.resource("clusterinformations", "default"))) ?? assert.fail("gone");
  await store.update(entry.key, entry.value, entry.revision);
  assert.match((await release(store, "--force")).stderr, /^the provided reports are all stale/);
  const other = await storeOf({
    "clusterinformations/default": { kind: "ClusterInformation", spec: { clusterGUID: "other" } },
  });
  assert.match((await release(other, "--force")).stderr, /mismatched cluster GUID\. Refusing to release$/m);
});

test("one address is released by name", async () => {
  const { store, leaked } = await leakyWorld();
  assert.deepEqual(await run(["ipam", "release", `--ip=${leaked}`], { store }), {
    exitCode: 0,
    stdout: `Successfully released IP address ${leaked}\n`,
    stderr: "",
  });
  assert.equal((await store.get(keys.handle("h-leaked")))?.value, undefined);
  assert.deepEqual(await run(["ipam", "release", `--ip=${leaked}`], { store }), {
    exitCode: 1,
    stdout: "",
    stderr: `IP address ${leaked} is not assigned\n`,
  });
});

test("who releases an address that somebody has is told so", async () => {
  const { store, used } = await leakyWorld();
  const release = ["ipam", "release", `--ip=${used}`];
  const stdout = `Successfully released IP address ${used}\n`;
  assert.deepEqual(await run(release, { store }), {
    exitCode: 0,
    stdout,
    stderr: `${used} is in use by Workload(default/node1.whale.com-k8s-a-eth0) and may be given to another from now on\n`,
  });
  // Who may not read who has addresses may release them all the same.
  const { store: other } = await leakyWorld();
  const openStore = async (): Promise<Store> => ({
    ...keepOpen(other),
    list: async (prefix) => {
      if (prefix.includes("workloadendpoints")) throw new StoreError("unauthorized", "no");
      return other.list(prefix);
    },
  });
  assert.deepEqual(await run(release, { openStore }), { exitCode: 0, stdout, stderr: "" });
});

test("settings are changed in the record that IPAM reads", async () => {
  const store = await storeOf({});
  assert.deepEqual(await run("ipam configure --strictaffinity=true --max-blocks-per-host=4", { store }), {
    exitCode: 0,
    stdout: "Successfully set StrictAffinity to: true\nSuccessfully set MaxBlocksPerHost to: 4\n",
    stderr: "",
  });
  assert.deepEqual(JSON.parse((await store.get(keys.ipamConfig))?.value ?? ""), {
    strict_affinity: true,
    auto_allocate_blocks: true,
    maxBlocksPerHost: 4,
  });
  for (const [line, stderr] of [
    ["ipam configure", /^at least one configuration option must be specified$/m],
    ["ipam configure --strictaffinity=yes", /^invalid value\. Use true or false to set strictaffinity$/m],
    ["ipam configure --max-blocks-per-host=x", /^invalid value for maxblockhost\. Use a valid number$/m],
    ["ipam configure --strictaffinity=false", /maxBlocksPerHost = '4' \(needs strictAffinity to be true\)/],
  ] as const) {
    const outcome = await run(line, { store });
    assert.equal(outcome.exitCode, 1, line);
    assert.match(outcome.stderr, stderr);
  }
});

test("a pool is split into pools of the same kind, and its addresses stay", async () => {
  const { store, used } = await leakyWorld();
  assert.deepEqual(await run("ipam split 4 --name=p", { store }), {
    exitCode: 0,
    stdout:
      "IP Pool p was successfully split into 4 smaller pools.Created split-p-0 with CIDR 10.244.0.0/18.\nCreated split-p-1 with CIDR 10.244.64.0/18.\nCreated split-p-2 with CIDR 10.244.128.0/18.\nCreated split-p-3 with CIDR 10.244.192.0/18.\n",
    stderr: "",
  });
  const pools = await store.list(keys.resources("ippools"));
  assert.deepEqual(
    pools.entries.map(({ key }) => key.replace(/.*\//, "")),
    ["split-p-0", "split-p-1", "split-p-2", "split-p-3"],
  );
  assert.doesNotMatch(pools.entries.map(({ value }) => value).join(""), /"disabled":true/);
  const state = await ipamOf(store, "n").lookup(IpAddress.parse(used) ?? assert.fail(used));
  assert.equal(state.kind === "allocated" && state.affinity, "host:node1.whale.com");
});

test("a split reads the blocks once, and refuses those of another size before anything is made", async () => {
  const { store } = await leakyWorld();
  let listings = 0;
  const counting = (at: Store): Store => ({
    ...keepOpen(at),
    list: (prefix) => {
      if (prefix.includes("/assignment/")) listings += 1;
      return at.list(prefix);
    },
  });
  const openStore = async (): Promise<Store> => counting(store);
  assert.equal((await run("ipam split 64 --name=p", { openStore })).exitCode, 0);
  assert.equal(listings, 1);

  const { store: other } = await leakyWorld();
  const cidr = Prefix.parse("10.244.128.0/28") ?? assert.fail();
  await other.create(keys.block(cidr), '{"cidr":"10.244.128.0/28","allocations":[],"unallocated":[]}');
  const before = (await other.list(keys.root)).entries;
  const refused = await run("ipam split 4 --name=p", { store: other });
  assert.match(refused.stderr, /^cannot split p: .*conflicts with existing allocations that use a different/);
  assert.deepEqual((await other.list(keys.root)).entries, before);
});

test("a split that cannot be changes nothing", async () => {
  const { store } = await leakyWorld();
  const before = await store.list(keys.root);
  for (const [line, stderr] of [
    ["ipam split 3 --name=p", /into 3 CIDRs: number to split CIDR into is not a valid power of 2: 3$/m],
    ["ipam split 2048 --name=p", /IP pool size is too small/],
    ["ipam split 131072 --name=p", /more than 4096 pools/],
    ["ipam split x --name=p", /x is not a valid number/],
    ["ipam split 2 4 --name=p", /^ipam split takes one number: unexpected "4"$/m],
    ["ipam split 2", /^no name or CIDR provided/],
    ["ipam split 2 --name=q", /^unable to find IP pool with name q/],
    [
      "ipam split 2 --cidr=10.1.0.0/16",
      /^unable to find IP pool covering the specified CIDR 10\.1\.0\.0\/16$/m,
    ],
  ] as const) {
    const outcome = await run(line, { store });
    assert.equal(outcome.exitCode, 1, line);
    assert.match(outcome.stderr, stderr);
  }
  assert.deepEqual((await store.list(keys.root)).entries, before.entries);
  const unlocked = await leakyWorld(true);
  assert.match((await run("ipam split 2 --name=p", unlocked)).stderr, /^datastore is not locked\./);
});

test("a pool that is deleted leaves no claims behind", async () => {
  const { store, used } = await leakyWorld();
  await run("delete pool p --force", { store });
  assert.deepEqual((await store.list(keys.affinities("host"))).entries, []);
  const state = await ipamOf(store, "n").lookup(IpAddress.parse(used) ?? assert.fail(used));
  assert.deepEqual(state.kind === "allocated" && state.affinity, undefined);
});
