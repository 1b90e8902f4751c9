import type { NodeIntent } from "@caracal/intent";
import { IpAddress, Prefix, PrefixTable } from "@caracal/net";
import type { ClusterSnapshot } from "../cluster/read-cluster.ts";
import type { KernelRoute, KernelRoutes } from "./kernel-routes.ts";

/** A workload of the cluster and where it is. */
export interface Pod {
  readonly name: string;
  readonly node: string;
  readonly address: IpAddress;
}

/** Whether packets from a node to an address arrive by the routes of the cluster. */
export type Reach = (fromNode: string, to: Pod) => boolean;

/** Hops outside the node that a packet may take: routers of a fabric are few. */
const maxHops = 16;

/** The pods of the cluster, by name. */
export function podsOf(cluster: ClusterSnapshot): readonly Pod[] {
  return cluster.endpoints.flatMap(({ metadata, spec }) =>
    (spec.ipNetworks ?? []).flatMap((text): readonly Pod[] => {
      const network = Prefix.parse(text);
      const { node } = spec;
      if (network === undefined || node === undefined) return [];
      const name = `${metadata.namespace ?? "default"}/${spec.pod ?? metadata.name}`;
      return [{ name, node, address: network.address }];
    }),
  );
}

/** Follows the kernels' routes after a run from router to router. */
export function reachOf(intents: ReadonlyMap<string, NodeIntent>, kernels: KernelRoutes): Reach {
  const routers = [...kernels.routers];
  const tables = new Map(routers.map((name) => [name, tableOf(kernels.of(name))]));
  const outside = [...tables].filter(([name]) => !intents.has(name)).map(([, table]) => table);
  const routerAt = new Map<string, string>(routers.map((name) => [name, name]));
  for (const [node, { bgp, addresses }] of intents) {
    for (const address of addresses.values()) routerAt.set(IpAddress.format(address), node);
    for (const { sourceAddress } of bgp?.peers ?? []) {
      if (sourceAddress !== undefined) routerAt.set(IpAddress.format(sourceAddress), node);
    }
  }
  return (fromNode, to) => {
    let at: string | undefined = fromNode;
    for (let hop = 0; at !== undefined && hop < maxHops; hop += 1) {
      if (at === to.node) return true;
      const route = tables.get(at)?.match(to.address);
      // A route of its own leads to pods of its own, and this one is not among them.
      if (route?.nextHop === undefined) return false;
      // Unwrapped packets pass a gateway, which drops them unless the fabric was told of pods.
      const isCarried = !route.isBeyondSubnet || outside.some((table) => table.match(to.address));
      if (!isCarried) return false;
      at = routerAt.get(IpAddress.format(route.nextHop));
      // A router outside the cluster does not unwrap what it is sent.
      if (route.device !== undefined && (at === undefined || !intents.has(at))) return false;
    }
    return false;
  };
}

function tableOf(routes: readonly KernelRoute[]): PrefixTable<KernelRoute> {
  const table = new PrefixTable<KernelRoute>();
  for (const route of routes) table.set(route.prefix, route);
  return table;
}
