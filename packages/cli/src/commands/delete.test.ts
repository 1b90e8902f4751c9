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

test("a node takes its addresses, workloads, blocks, peers and settings with it", async () => {
  const peer = { kind: "BGPPeer", spec: { node: "node1.whale.com", peerIP: "10.0.0.1", asNumber: 65001 } };
  const other = { kind: "BGPPeer", spec: { nodeSelector: "all()", peerIP: "10.0.0.1", asNumber: 65001 } };
  const store = await storeOf({
    ...nodes,
    "ippools/p": pool,
    "bgppeers/own": peer,
    "bgppeers/other": other,
    "bgpconfigurations/node.node1.whale.com": { kind: "BGPConfiguration", spec: {} },
    "bgpconfigurations/default": { kind: "BGPConfiguration", spec: {} },
  });
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
    left.filter((key) => key.includes("node1")),
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
