/** What a lab holds for its pods, in kernel, store and IPAM: for finding what was left behind. */
import { keys } from "@caracal/datastore";
import { checkConsistency, readSnapshot } from "@caracal/ipam";
import { EtcdStore } from "@caracal/store-etcd";
import { run } from "@caracal/testbed";
import type { LabDirectory } from "../src/index.ts";

/** Sorted texts, to be compared whole. */
export interface LabState {
  /** `NODE DESTINATION` of every route to a pod. */
  readonly podRoutes: readonly string[];
  /** `NODE INTERFACE` of every host end. */
  readonly interfaces: readonly string[];
  readonly endpoints: readonly string[];
  readonly handles: readonly string[];
  readonly addressCount: number;
  /** What IPAM's records say against each other. */
  readonly ipamProblems: readonly string[];
}

export async function labState(lab: LabDirectory): Promise<LabState> {
  const nodes = await Promise.all(
    lab.nodes().map(async ({ name }) => {
      const namespace = lab.namespaceName(name);
      const routes = (await run(["ip", "-n", namespace, "route"])).stdout;
      const links = (await run(["ip", "-n", namespace, "-o", "link"])).stdout;
      return {
        podRoutes: [...routes.matchAll(/^(\S+) dev cali\S+/gm)].map((match) => `${name} ${match[1]}`),
        interfaces: [...links.matchAll(/ (cali[^@:]+)/g)].map((match) => `${name} ${match[1]}`),
      };
    }),
  );
  const store = new EtcdStore({ endpoints: [`unix://${lab.storeSocket}`] });
  try {
    const { entries } = await store.list(keys.root);
    const ipam = readSnapshot(entries);
    const endpoints = entries.filter(({ key }) => key.startsWith(keys.resources("workloadendpoints")));
    return {
      podRoutes: nodes.flatMap(({ podRoutes }) => podRoutes).toSorted(),
      interfaces: nodes.flatMap(({ interfaces }) => interfaces).toSorted(),
      endpoints: endpoints.map(({ key }) => key).toSorted(),
      handles: ipam.handles.map(({ id }) => id).toSorted(),
      addressCount: ipam.blocks
        .flatMap(({ record }) => record.allocations)
        .filter((allocation) => allocation !== null).length,
      ipamProblems: checkConsistency(ipam).map(({ code, key, message }) => `${code} ${key} ${message}`),
    };
  } finally {
    await store.close();
  }
}
