import { IpAddress, Prefix } from "@caracal/net";
import type { WorkloadEndpoint } from "@caracal/resources";
import type { ClusterFacts } from "../cluster.ts";
import type { FelixSettings } from "../felix-settings.ts";
import { compareText, type IntentProblem } from "../intent-problem.ts";

/** An address under which a workload of the node is also reached. */
export interface FloatingAddress {
  readonly external: IpAddress;
  /** The workload's own. */
  readonly internal: IpAddress;
  readonly interfaceName: string;
  /** `namespace/name` of the endpoint. */
  readonly endpoint: string;
}

/**
 * The floating addresses of a node's workloads, ordered; of several that claim one the lowest own address has it. Addresses
 * that are in use otherwise are not given away: a workload could take a node's traffic to itself.
 */
export function floatingAddresses({
  cluster,
  node,
  endpoints,
  felix,
  problems,
}: {
  readonly cluster: Pick<ClusterFacts, "nodesByAddress">;
  readonly node: string;
  readonly endpoints: readonly WorkloadEndpoint[];
  readonly felix: FelixSettings;
  readonly problems: IntentProblem[];
}): readonly FloatingAddress[] {
  const local = endpoints.filter(({ spec }) => spec.node === node);
  const claims = local.flatMap(claimsOf);
  if (claims.length === 0) return [];
  if (felix.floatingIPs !== "Enabled") {
    for (const endpoint of new Set(claims.map((claim) => claim.endpoint))) {
      const message = "asks for floating IPs, and FelixConfiguration has floatingIPs Disabled: it gets none";
      problems.push({ about: `WorkloadEndpoint(${endpoint})`, message });
    }
    return [];
  }
  const own = new Map(local.flatMap(addressesOf));
  const given = new Map<string, FloatingAddress>();
  for (const claim of claims.toSorted(compareClaims)) {
    const external = IpAddress.format(claim.external);
    const host = cluster.nodesByAddress.get(external);
    const endpoint = own.get(external) ?? given.get(external)?.endpoint;
    const holder =
      host !== undefined
        ? `Node(${host.name})`
        : endpoint === undefined
          ? undefined
          : `WorkloadEndpoint(${endpoint})`;
    if (holder === undefined) given.set(external, claim);
    else {
      const message = `asks for the floating IP ${external}, which is that of ${holder}`;
      problems.push({ about: `WorkloadEndpoint(${claim.endpoint})`, message });
    }
  }
  return [...given.values()].toSorted((a, b) => IpAddress.compare(a.external, b.external));
}

function claimsOf({ metadata, spec }: WorkloadEndpoint): readonly FloatingAddress[] {
  const { interfaceName, ipNATs = [] } = spec;
  if (interfaceName === undefined || ipNATs.length === 0) return [];
  const endpoint = nameOf({ metadata });
  return ipNATs.flatMap(({ internalIP, externalIP }) => {
    const internal = IpAddress.parse(internalIP);
    const external = IpAddress.parse(externalIP);
    if (internal === undefined || external === undefined) return [];
    if (IpAddress.family(internal) !== IpAddress.family(external)) return [];
    return [{ external, internal, interfaceName, endpoint }];
  });
}

/** Of the workload's own addresses, whose they are. */
function addressesOf({ metadata, spec }: WorkloadEndpoint): readonly (readonly [string, string])[] {
  return (spec.ipNetworks ?? []).flatMap((text) => {
    const prefix = Prefix.parse(text);
    return prefix === undefined ? [] : [[IpAddress.format(prefix.address), nameOf({ metadata })] as const];
  });
}

function nameOf({ metadata }: Pick<WorkloadEndpoint, "metadata">): string {
  return `${metadata.namespace ?? ""}/${metadata.name}`;
}

function compareClaims(a: FloatingAddress, b: FloatingAddress): number {
  return IpAddress.compare(a.internal, b.internal) || compareText(a.endpoint, b.endpoint);
}
