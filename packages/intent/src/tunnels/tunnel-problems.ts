import { IpAddress, type IpFamily, Prefix } from "@caracal/net";
import type { WorkloadEndpoint } from "@caracal/resources";
import type { NodeFacts, PoolFacts } from "../cluster.ts";
import { compareText, type IntentProblem } from "../intent-problem.ts";
import { hasIpip, hasVxlan, type Overlay, poolOf } from "./overlay.ts";
import type { RoutedBlock } from "./routed-block.ts";
import type { Tunnel } from "./tunnel-intent.ts";
import type { NodeTunnels } from "./vteps.ts";

/** Nodes that a line names; the rest is counted. */
const namesMax = 3;

export interface ProblemInput {
  readonly overlay: Overlay;
  readonly ends: NodeTunnels;
  readonly self: NodeFacts;
  readonly blocks: readonly RoutedBlock[];
}

/** What in the resources keeps tunnels from doing all that pools ask for. */
export function tunnelProblems(input: ProblemInput): readonly IntentProblem[] {
  return [...switchedOff(input), ...overlaps(input.overlay), ...withoutAddress(input)];
}

function switchedOff({ overlay, self }: ProblemInput): readonly IntentProblem[] {
  const problem = (name: string, setting: string): IntentProblem => ({
    about: `IPPool(${name})`,
    message: `wants an encapsulation that FelixConfiguration's ${setting} forbids: its addresses on other nodes are not reached`,
  });
  return overlay.pools.flatMap((pool) => {
    if (pool.prefix.family !== 4 || !self.addresses.has(4)) return [];
    if (hasVxlan(pool) && !overlay.usesVxlan.has(4)) return [problem(pool.name, "vxlanEnabled")];
    if (!hasIpip(pool)) return [];
    if (!overlay.usesIpip) return [problem(pool.name, "ipipEnabled")];
    if (overlay.programsIpip || overlay.leavesIpip) return [];
    const message =
      "has IPIP routes that nobody programs: set programClusterRoutes of FelixConfiguration or of BGPConfiguration";
    return [{ about: `IPPool(${pool.name})`, message }];
  });
}

function overlaps({ pools }: Overlay): readonly IntentProblem[] {
  return pools.flatMap((inner) =>
    pools
      .filter((outer) => outer !== inner && isAround(outer, inner))
      .map((outer) => ({
        about: `IPPool(${inner.name})`,
        message:
          outer.prefix.length === inner.prefix.length
            ? `has the very range of IPPool(${outer.name}), which decides how its addresses are reached`
            : `lies in ${Prefix.format(outer.prefix)} of IPPool(${outer.name}): where both have an address, this one decides how it is reached`,
      })),
  );
}

/** Of two with the same range the first by name is around the other. */
function isAround(outer: PoolFacts, inner: PoolFacts): boolean {
  if (Prefix.equals(outer.prefix, inner.prefix)) return compareText(outer.name, inner.name) < 0;
  return outer.prefix.length < inner.prefix.length && Prefix.covers(outer.prefix, inner.prefix);
}

/** A node that no pool selects has no tunnel address, and needs none: nothing leads to it. */
function withoutAddress({ overlay, ends, self, blocks }: ProblemInput): readonly IntentProblem[] {
  return [...overlay.usesVxlan].flatMap((family) => {
    const field = family === 4 ? "ipv4VXLANTunnelAddr" : "ipv6VXLANTunnelAddr";
    const waiting = new Set<string>();
    for (const { node, address } of ends.vxlan.get(family)?.values() ?? [])
      if (address === undefined) waiting.add(node.name);
    const found = waiting.size === 0 ? [] : holdersOf(overlay, blocks, family);
    const names = [...new Set(found)].filter((name) => waiting.has(name)).toSorted(compareText);
    const others = names.filter((name) => name !== self.name);
    const problems: IntentProblem[] = [];
    if (others.length < names.length) {
      const message = `has no ${field} yet, so other nodes do not reach it through VXLAN`;
      problems.push({ about: `Node(${self.name})`, message });
    }
    const [first] = others;
    if (first !== undefined) {
      const rest = others.length - 1;
      const message = `has no ${field} yet, so it is not reached through VXLAN`;
      const also = rest === 0 ? "" : `, nor are ${others.slice(1, namesMax).join(", ")}${more(rest)}`;
      problems.push({ about: `Node(${first})`, message: message + also });
    }
    return problems;
  });
}

/** The nodes that have blocks of VXLAN pools. */
function holdersOf(overlay: Overlay, blocks: readonly RoutedBlock[], family: IpFamily): readonly string[] {
  return blocks.flatMap(({ prefix, node }) => {
    if (node === undefined || prefix.family !== family) return [];
    const pool = poolOf(overlay.pools, prefix);
    return pool !== undefined && hasVxlan(pool) ? [node] : [];
  });
}

function more(rest: number): string {
  return rest < namesMax ? "" : ` and ${rest - namesMax + 1} more`;
}

/** Pods of a node that have the address of a tunnel's end: one of the two is not reached. */
export function takenTunnelAddresses(
  tunnels: readonly Tunnel[],
  nodeName: string,
  endpoints: readonly WorkloadEndpoint[],
): readonly IntentProblem[] {
  const holders = new Map<string, string>();
  for (const tunnel of tunnels) {
    if (tunnel.address !== undefined) holders.set(IpAddress.format(tunnel.address), "this node");
    if (tunnel.kind !== "vxlan") continue;
    for (const { address, node } of tunnel.vteps) holders.set(IpAddress.format(address), `Node(${node})`);
  }
  if (holders.size === 0) return [];
  return endpoints
    .filter(({ spec }) => spec.node === nodeName)
    .flatMap(({ metadata, spec }) =>
      (spec.ipNetworks ?? []).flatMap((network) => {
        const [text = ""] = network.split("/");
        const address = IpAddress.parse(text);
        const holder = address === undefined ? undefined : holders.get(IpAddress.format(address));
        if (holder === undefined) return [];
        const about = `WorkloadEndpoint(${metadata.namespace ?? ""}/${metadata.name})`;
        return [{ about, message: `has ${text}, the tunnel address of ${holder}: make the pod anew` }];
      }),
    );
}
