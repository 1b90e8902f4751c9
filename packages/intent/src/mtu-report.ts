import type { Node } from "@caracal/resources";
import { compareText, type IntentProblem } from "./intent-problem.ts";

/** The annotation by which a node tells the others its MTUs: a JSON object of `host` and `pod`. */
export const mtuAnnotation = "caracal/mtu";

/** What a node tells of its MTUs. */
export interface MtuReport {
  /** Of the interfaces that lead to other machines. */
  readonly host: number;
  /** Of new pods. */
  readonly pod: number;
}

/** So many nodes are named. */
const namedMax = 3;

export function formatMtuReport({ host, pod }: MtuReport): string {
  return JSON.stringify({ host, pod });
}

/** What a Node says of its MTUs; a node that runs Calico itself says nothing. */
export function mtuReportOf({ metadata }: Node): MtuReport | undefined {
  const text = metadata.annotations?.[mtuAnnotation];
  if (text === undefined) return undefined;
  // Two numbers: anything else was not written by a daemon.
  const [, host, pod] = /^\{"host":([0-9]{2,5}),"pod":([0-9]{2,5})\}$/.exec(text) ?? [];
  return host === undefined || pod === undefined ? undefined : { host: Number(host), pod: Number(pod) };
}

/**
 * Nodes whose pods have another MTU than most: what a pod sends at its own MTU must fit where it goes. One problem for each
 * such MTU; of two that are equally common the larger counts as meant.
 */
export function mtuProblems(nodes: readonly Node[]): readonly IntentProblem[] {
  const reports = nodes.flatMap((node) => {
    const report = mtuReportOf(node);
    return report === undefined ? [] : [{ name: node.metadata.name, ...report }];
  });
  const groups = [...Map.groupBy(reports, ({ pod }) => pod)].toSorted(
    ([a, many], [b, few]) => few.length - many.length || b - a,
  );
  const [meant, ...others] = groups;
  if (meant === undefined) return [];
  const [usual, most] = meant;
  return others.map(([pod, group]) => {
    const names = group.map(({ name }) => name).toSorted(compareText);
    const [first = "", ...rest] = names;
    const hosts = [...new Set(group.map(({ host }) => host))].toSorted((a, b) => a - b);
    const lost = pod < usual ? `larger packets to them are lost` : `their larger packets are lost elsewhere`;
    return {
      about: `Node(${first})`,
      message: `${also(rest)}has an MTU of ${pod} for pods (its interfaces: ${hosts.join(", ")}), where ${most.length} node(s) have ${usual}: ${lost}; give all nodes' interfaces one MTU, or set ipipMTU, vxlanMTU and vxlanMTUV6`,
    };
  });
}

function also(names: readonly string[]): string {
  if (names.length === 0) return "";
  const more = names.length > namedMax ? ` and ${names.length - namedMax} more` : "";
  return `(with ${names.slice(0, namedMax).join(", ")}${more}) `;
}
