/** A cluster in memory whose IPAM has a leak, for tests of the commands that look after it. */
import assert from "node:assert/strict";
import { keys, type Store } from "@caracal/datastore";
import { Ipam, Nanos } from "@caracal/ipam";
import { IpAddress } from "@caracal/net";
import { nodes, pool, storeOf } from "./resources-fixture.ts";

export function ipamOf(store: Store, node: string): Ipam {
  return new Ipam({ store, node, now: () => Nanos.fromSeconds(1_700_000_000) });
}

export async function assign(
  store: Store,
  handle: string,
  more: Readonly<Record<string, string>> = {},
): Promise<string> {
  const node = "node1.whale.com";
  const result = await ipamOf(store, node).assign({ family: 4, handle, attributes: { node, ...more } });
  const [address] = result.kind === "assigned" ? result.addresses : [];
  return address === undefined ? assert.fail(JSON.stringify(result)) : IpAddress.format(address);
}

export async function addWorkload(store: Store, pod: string, address: string): Promise<void> {
  const name = `node1.whale.com-k8s-${pod}-eth0`;
  const document = {
    kind: "WorkloadEndpoint",
    apiVersion: "projectcalico.org/v3",
    metadata: { name, namespace: "default" },
    spec: {
      orchestrator: "k8s",
      node: "node1.whale.com",
      pod,
      endpoint: "eth0",
      ipNetworks: [`${address}/32`],
    },
  };
  await store.create(keys.resource("workloadendpoints", name, "default"), JSON.stringify(document));
}

function clusterInformation(datastoreReady: boolean) {
  return {
    kind: "ClusterInformation",
    spec: { clusterGUID: "0123456789abcdef0123456789abcdef", clusterType: "k8s,bgp", datastoreReady },
  };
}

export interface World {
  readonly store: Store;
  readonly used: string;
  readonly leaked: string;
}

/** One address in use, one leaked, and a workload outside all pools. */
export async function leakyWorld(datastoreReady = false): Promise<World> {
  const store = await storeOf({
    ...nodes,
    "ippools/p": pool,
    "clusterinformations/default": clusterInformation(datastoreReady),
  });
  const used = await assign(store, "h-used", { pod: "a", namespace: "default" });
  const leaked = await assign(store, "h-leaked", { pod: "gone", namespace: "default" });
  await addWorkload(store, "a", used);
  return { store, used, leaked };
}
