import { IpAddress } from "@caracal/net";
import type { NodeRecord, PodRecord } from "../lab-record.ts";
import type { OpenLab } from "../open-lab.ts";
import type { Finding } from "./finding.ts";
import { type Forwarding, readForwarding } from "./forwarding.ts";
import type { LabChecks, UnreachableRule } from "./lab-checks.ts";
import { matchRoute, poolPrefixes } from "./match-routes.ts";
import { describeTrace, tracePath } from "./trace-path.ts";

/** The tables of all nodes and switches. */
export function forwardingOf({ lab, topology }: OpenLab): Forwarding {
  const nodes = lab.nodes().map(({ name }) => name);
  return readForwarding(lab, [...nodes, ...topology.switches.map(({ name }) => name)]);
}

/** The routes that the topology names, and where the kernels' tables lead from every node to every pod. */
export function checkRouting(open: OpenLab, forwarding: Forwarding): readonly Finding[] {
  return [...checkRoutes(open, forwarding), ...checkPaths(open, forwarding)];
}

function checkRoutes({ lab, record, topology }: OpenLab, forwarding: Forwarding): readonly Finding[] {
  const pools = poolPrefixes(record);
  const places = new Set([...lab.nodes(), ...topology.switches].map(({ name }) => name));
  return [...topology.checks.routes]
    .filter(([on]) => places.has(on))
    .flatMap(([on, patterns]) =>
      patterns.map((pattern): Finding => {
        const { expected, found, ok } = matchRoute(forwarding, pools, on, pattern);
        return { kind: "route", on, expected, found: found.join(", ") || "none", ok };
      }),
    );
}

function checkPaths({ lab, topology }: OpenLab, forwarding: Forwarding): readonly Finding[] {
  const pods = lab.pods();
  return lab
    .nodes()
    .flatMap((node) => pods.flatMap((pod) => checkPath(topology.checks, forwarding, node, pod)));
}

function checkPath(
  checks: LabChecks,
  forwarding: Forwarding,
  node: NodeRecord,
  pod: PodRecord,
): readonly Finding[] {
  const rule = unreachableRule(checks, node.name, pod.node);
  return pod.addresses.flatMap((text): readonly Finding[] => {
    const address = IpAddress.parse(text);
    if (address === undefined) return [];
    const trace = tracePath(forwarding, node.name, address);
    const goal = `${pod.name} (${text} on ${pod.node})`;
    const where = rule?.at === undefined ? "" : `, packets ending at ${rule.at}`;
    const isLost = trace.kind === "lost" && (rule?.at ?? trace.at) === trace.at;
    const isThere = trace.kind === "delivered" && trace.at === pod.node;
    return [
      {
        kind: "path",
        on: node.name,
        expected: rule === undefined ? `a way to ${goal}` : `no way to ${goal}${where}`,
        found: describeTrace(trace),
        ok: rule === undefined ? isThere : isLost,
      },
    ];
  });
}

/** The rule by which pods of one node must not reach those of another. */
export function unreachableRule(checks: LabChecks, from: string, to: string): UnreachableRule | undefined {
  if (from === to) return undefined;
  return checks.unreachable.find((rule) => rule.from.includes(from) && rule.to.includes(to));
}
