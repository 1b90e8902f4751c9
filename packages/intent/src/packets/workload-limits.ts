import { type DirectionQos, directionQos, type WorkloadEndpoint } from "@caracal/resources";
import { compareText } from "../intent-problem.ts";

/** What a workload may send and receive beside bytes, as it sees it: ingress is what it receives. */
export interface WorkloadLimits {
  readonly interfaceName: string;
  readonly ingress: DirectionLimits;
  readonly egress: DirectionLimits;
  /** Differentiated services of what leaves the cluster: 0 to 63 or a name such as "ef" (RFC 2474). */
  readonly dscp?: number | string;
}

export interface DirectionLimits {
  readonly packets?: { readonly perSecond: number; readonly burst: number };
  /** TCP connections at once. */
  readonly connections?: number;
}

const dscpNames = /^(df|ef|af[1-4][1-3]|cs[0-7])$/;

/** Limits of a node's workloads, ordered by interface. Anyone may have written an endpoint: what makes no sense is left out. */
export function workloadLimits(
  node: string,
  endpoints: readonly WorkloadEndpoint[],
): readonly WorkloadLimits[] {
  const found = endpoints.flatMap(({ spec }): readonly WorkloadLimits[] => {
    const { interfaceName, qosControls: controls } = spec;
    if (spec.node !== node || interfaceName === undefined || controls === undefined) return [];
    const ingress = limitsOf(directionQos(controls, "ingress"));
    const egress = limitsOf(directionQos(controls, "egress"));
    const dscp = dscpOf(controls["dscp"]);
    if (Object.keys({ ...ingress, ...egress }).length === 0 && dscp === undefined) return [];
    return [{ interfaceName, ingress, egress, ...(dscp !== undefined && { dscp }) }];
  });
  return found.toSorted((a, b) => compareText(a.interfaceName, b.interfaceName));
}

function limitsOf({ packetRate, packetBurst, maxConnections }: DirectionQos): DirectionLimits {
  return {
    ...(packetRate !== undefined && { packets: { perSecond: packetRate, burst: packetBurst } }),
    ...(maxConnections !== undefined && { connections: maxConnections }),
  };
}

function dscpOf(value: unknown): number | string | undefined {
  if (typeof value === "number")
    return Number.isInteger(value) && value >= 0 && value <= 63 ? value : undefined;
  const name = typeof value === "string" ? value.toLowerCase() : "";
  return dscpNames.test(name) ? name : undefined;
}
