import { IpAddress, Prefix } from "@caracal/net";
import type { ClusterSnapshot } from "../cluster/read-cluster.ts";
import { podsOf } from "../plan/pod-pairs.ts";

/** What a route is asked about, and whose it is by the records. */
export interface RouteTarget {
  /** As it was asked for, in full: `default/web (10.244.1.5)`, `10.244.1.0/26`. */
  readonly text: string;
  readonly prefix: Prefix;
  readonly pool?: { readonly name: string; readonly cidr: string; readonly encapsulation: string };
  /** The block that it is in, and the node that the block belongs to. */
  readonly block?: { readonly cidr: string; readonly owner: string };
  /** The pod that has the address. */
  readonly pod?: { readonly name: string; readonly node: string };
  /** The node that packets for it should come to. */
  readonly home?: string;
}

/** What the words may mean: an address or prefix, a pod, or a node, which stands for its blocks. */
export type TargetLookup =
  | { readonly kind: "found"; readonly targets: readonly RouteTarget[] }
  /** A node that has no block, so that there is no route to it as far as pods are concerned. */
  | { readonly kind: "no-block"; readonly node: string }
  | { readonly kind: "unknown" };

export function findTargets(cluster: ClusterSnapshot, words: string): TargetLookup {
  const prefix = Prefix.parse(words);
  if (prefix !== undefined) return { kind: "found", targets: [targetOf(cluster, prefix, words)] };
  const pods = podsOf(cluster).filter(({ name }) => name === words || name.split("/")[1] === words);
  if (pods.length > 0) {
    const targets = pods.map((pod) =>
      targetOf(cluster, Prefix.host(pod.address), `${pod.name} (${IpAddress.format(pod.address)})`),
    );
    return { kind: "found", targets };
  }
  if (!cluster.resources.nodes.some(({ metadata }) => metadata.name === words)) return { kind: "unknown" };
  const blocks = cluster.affinities.filter(({ node, state }) => node === words && state === "confirmed");
  if (blocks.length === 0) return { kind: "no-block", node: words };
  return {
    kind: "found",
    targets: blocks.map(({ block }) =>
      targetOf(cluster, block, `${Prefix.format(block)}, a block of ${words}`),
    ),
  };
}

function targetOf(cluster: ClusterSnapshot, prefix: Prefix, text: string): RouteTarget {
  const pool = cluster.resources.pools.find(({ spec }) => {
    const cidr = Prefix.parse(spec.cidr);
    return cidr !== undefined && Prefix.covers(cidr, prefix);
  });
  const affinity = cluster.affinities.find(
    ({ block, state }) => state === "confirmed" && Prefix.covers(block, prefix),
  );
  const pod = podsOf(cluster).find((one) => Prefix.equals(Prefix.host(one.address), prefix));
  const home = pod?.node ?? affinity?.node;
  return {
    text,
    prefix,
    ...(pool === undefined ? {} : { pool: poolOf(pool) }),
    ...(affinity === undefined
      ? {}
      : { block: { cidr: Prefix.format(affinity.block), owner: affinity.node } }),
    ...(pod === undefined ? {} : { pod: { name: pod.name, node: pod.node } }),
    ...(home === undefined ? {} : { home }),
  };
}

function poolOf({
  metadata,
  spec,
}: ClusterSnapshot["resources"]["pools"][number]): NonNullable<RouteTarget["pool"]> {
  const { ipipMode = "Never", vxlanMode = "Never" } = spec;
  const encapsulation =
    vxlanMode !== "Never"
      ? `VXLAN ${vxlanMode}`
      : ipipMode !== "Never"
        ? `IPIP ${ipipMode}`
        : "no encapsulation";
  return { name: metadata.name, cidr: spec.cidr, encapsulation };
}
