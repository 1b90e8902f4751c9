import { Prefix } from "@caracal/net";
import type { BgpConfiguration } from "@caracal/resources";
import type { ClusterFacts } from "./cluster.ts";
import type { IntentProblem } from "./intent-problem.ts";

/** What the routes of a range are marked with when they are told to peers. */
export interface PrefixAdvertisement {
  readonly prefix: Prefix;
  /** `65001:100` (RFC 1997) or `65001:1:2` (RFC 8092), without leading zeros. */
  readonly communities: readonly string[];
}

/**
 * The prefix advertisements in force on a node: its own configuration's in place of the cluster's. Names of communities are
 * those of the cluster's configuration.
 */
export function prefixAdvertisements(
  cluster: ClusterFacts,
  nodeName: string,
  problems: IntentProblem[],
): readonly PrefixAdvertisement[] {
  const own = cluster.nodeSettings.get(nodeName);
  const isOwn = own?.prefixAdvertisements !== undefined;
  const advertisements = (isOwn ? own : cluster.settings).prefixAdvertisements ?? [];
  const about = `BGPConfiguration(${isOwn ? `node.${nodeName}` : "default"})`;
  const values = new Map([...named(cluster.settings), ...named(own)]);
  return advertisements.flatMap(({ cidr, communities = [] }) => {
    const prefix = Prefix.parse(cidr);
    if (prefix === undefined) return [];
    const resolved = communities.flatMap((text) => {
      const value = values.get(text) ?? text;
      if (isCommunity(value)) return [canonical(value)];
      const message = `advertises ${cidr} with the community ${text}, which spec.communities does not name; it is left out`;
      problems.push({ about, message });
      return [];
    });
    return resolved.length === 0 ? [] : [{ prefix, communities: [...new Set(resolved)] }];
  });
}

function named(settings: BgpConfiguration["spec"] | undefined): readonly (readonly [string, string])[] {
  return (settings?.communities ?? []).map(({ name, value }) => [name, value] as const);
}

function isCommunity(text: string): boolean {
  return /^[0-9]+:[0-9]+(:[0-9]+)?$/.test(text);
}

/** `065001:1` is `65001:1`. */
export function canonical(community: string): string {
  return community.split(":").map(Number).join(":");
}
