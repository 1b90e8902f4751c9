/**
 * Aim: what is deleted leaves nothing behind that was only there for it, and nothing else goes. Method: whole command lines
 * over a store in memory in which IPAM itself has assigned the addresses.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import { keys, type Store } from "@caracal/datastore";
import { Ipam, Nanos } from "@caracal/ipam";
import { IpAddress } from "@caracal/net";
import { nodes, pool, storeOf } from "../../test/resources-fixture.ts";
import { run } from "../../test/test-context.ts";

function ipamOf(store: Store, node: string): Ipam {
  return new Ipam({ store, node, now: () => Nanos.fromSeconds(1_700_000_000) });
}

async function assign(store: Store, node: string, handle: string): Promise<string> {
  const result = await ipamOf(store, node).assign({ family: 4, handle, attributes: { node } });
  const [address] = result.kind === "assigned" ? result.addresses : [];
  return address === undefined ? assert.fail(JSON.stringify(result)) : IpAddress.format(address);
}

function workload(node: string, address: string) {
  return {
    kind: "WorkloadEndpoint",
    spec: { orchestrator: "k8s", node, pod: "p", endpoint: "eth0", ipNetworks: [`${address}/32`] },
  };
}

test("a node takes its addresses, workloads, blocks, peers, host endpoints and settings with it", async () => {
  const peer = { kind: "BGPPeer", spec: { node: "node1.whale.com", peerIP: "10.0.0.1", asNumber: 65001 } };
  const other = { kind: "BGPPeer", spec: { nodeSelector: "all()", peerIP: "10.0.0.1", asNumber: 65001 } };
  const store = await storeOf({
    ...nodes,
    "ippools/p": pool,
    "bgppeers/own": peer,
    "bgppeers/other": other,
    "bgpconfigurations/node.node1.whale.com": { kind: "BGPConfiguration", spec: {} },
    "bgpconfigurations/default": { kind: "BGPConfiguration", spec: {} },
    "felixconfigurations/node.node1.whale.com": { kind: "FelixConfiguration", spec: {} },
    "felixconfigurations/default": { kind: "FelixConfiguration", spec: {} },
    "hostendpoints/own": { kind: "HostEndpoint", spec: { node: "node1.whale.com", interfaceName: "eth0" } },
    "hostendpoints/other": { kind: "HostEndpoint", spec: { node: "node2.whale.com", interfaceName: "eth0" } },
  });
  // Of a daemon that was stopped before it named the address in its Node.
  await assign(store, "node1.whale.com", "vxlan-tunnel-addr-node1.whale.com");
  const gone = await assign(store, "node1.whale.com", "h1");
  const kept = await assign(store, "node2.whale.com", "h2");
  for (const [node, address] of [
    ["node1.whale.com", gone],
    ["node2.whale.com", kept],
  ] as const) {
    const key = keys.resource("workloadendpoints", `${node}-k8s-p-eth0`, "default");
    const metadata = { name: `${node}-k8s-p-eth0`, namespace: "default" };
    await store.create(
      key,
      JSON.stringify({ apiVersion: "projectcalico.org/v3", metadata, ...workload(node, address) }),
    );
  }

  assert.deepEqual(await run("delete node node1.whale.com", { store }), {
    exitCode: 0,
    stdout: "Successfully deleted 1 'Node' resource(s)\n",
    stderr: "",
  });

  const left = (await store.list(keys.root)).entries.map(({ key }) => key);
  assert.deepEqual(
    left.filter((key) => key.includes("node1") || key.endsWith("/own")),
    [],
  );
  assert.deepEqual(
    left.filter((key) => key.includes("handle")),
    [keys.handle("h2")],
  );
  assert.equal(left.filter((key) => key.includes("/assignment/")).length, 1);
  for (const key of [
    keys.resource("bgppeers", "other"),
    keys.resource("bgpconfigurations", "default"),
    keys.resource("felixconfigurations", "default"),
    keys.resource("hostendpoints", "other"),
    keys.resource("workloadendpoints", "node2.whale.com-k8s-p-eth0", "default"),
  ]) {
    assert.ok(left.includes(key), key);
  }
  assert.deepEqual(await ipamOf(store, "node2.whale.com").check(), []);
});

test("a node that does not exist changes nothing", async () => {
  const store = await storeOf({
    "bgppeers/own": { kind: "BGPPeer", spec: { node: "x", peerIP: "10.0.0.1" } },
  });
  const outcome = await run("delete node x", { store });
  assert.equal(
    outcome.stderr,
    "Failed to delete 'Node' resource: resource does not exist: Node(x) with error: <nil>\n",
  );
  assert.equal((await store.list(keys.root)).entries.length, 1);
});

test("a pool is disabled, and time passes, before it goes", async () => {
  const store = await storeOf({ "ippools/p": pool });
  const seen: string[] = [];
  const sleep = async (ms: number) => {
    const entry = await store.get(keys.resource("ippools", "p"));
    seen.push(`${ms} ${/"disabled":true/.test(entry?.value ?? "")}`);
  };
  assert.equal(
    (await run("delete pool p", { store, sleep })).stdout,
    "Successfully deleted 1 'IPPool' resource(s)\n",
  );
  assert.deepEqual(seen, ["500 true"]);
  assert.equal((await store.list(keys.root)).entries.length, 0);
});

test("a pool in use stays as it is, with the list of its users; forced, it goes and its blocks lose their owner", async () => {
  const store = await storeOf({ ...nodes, "ippools/p": pool });
  const ipam = ipamOf(store, "node1.whale.com");
  const tunnel = { node: "node1.whale.com", type: "vxlanTunnelAddress" };
  await ipam.assign({ family: 4, handle: "vxlan-tunnel-addr-node1.whale.com", attributes: tunnel });
  const addresses: string[] = [];
  for (let index = 0; index < 21; index += 1) {
    const attributes = { node: "node1.whale.com", pod: `p${index}`, namespace: "default" };
    const result = await ipam.assign({ family: 4, handle: `h${index}`, attributes });
    assert.ok(result.kind === "assigned");
    addresses.push(...result.addresses.map(IpAddress.format));
  }
  const before = (await store.list(keys.root)).entries;
  const outcome = await run("delete pool p", { store });
  assert.notEqual(outcome.exitCode, 0);
  assert.ok(
    outcome.stderr.startsWith(
      `Failed to delete 'IPPool' resource: IPPool(p) is in use: ${addresses[0]} pod default/p0 on node1.whale.com, `,
    ),
    outcome.stderr,
  );
  assert.match(
    outcome.stderr,
    /, and 1 more\. Disable the pool and start these anew, or repeat with --force\n$/,
  );
  assert.deepEqual((await store.list(keys.root)).entries, before);

  const sleep = (): Promise<void> => Promise.resolve();
  const forced = await run("delete pool p --force", { store, sleep });
  assert.equal(forced.stdout, "Successfully deleted 1 'IPPool' resource(s)\n");
  assert.deepEqual(await ipam.blocks(), []);
  assert.deepEqual(await ipam.check(), []);
});

test("a pool of which somebody took an address in its last moment is given back", async () => {
  const store = await storeOf({ ...nodes, "ippools/p": pool });
  const ipam = ipamOf(store, "node1.whale.com");
  let isLate = true;
  const sleep = async (): Promise<void> => {
    // As a node that has not seen yet that the pool is disabled.
    const key = keys.resource("ippools", "p");
    const entry = await store.get(key);
    assert.ok(entry !== undefined && isLate);
    isLate = false;
    const enabled = entry.value.replace('"disabled":true', '"disabled":false');
    await store.update(key, enabled, entry.revision);
    await assign(store, "node1.whale.com", "late");
    const current = await store.get(key);
    assert.ok(current !== undefined);
    await store.update(key, entry.value, current.revision);
  };
  const outcome = await run("delete pool p", { store, sleep });
  assert.match(outcome.stderr, /IPPool\(p\) is in use: .* handle late on node1\.whale\.com\. /);
  assert.match((await store.get(keys.resource("ippools", "p")))?.value ?? "", /"disabled":false/);
  assert.equal((await ipam.blocks()).length, 1);
});
