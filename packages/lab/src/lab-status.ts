import type { LabDirectory } from "./lab-directory.ts";
import { countBgpRoutes } from "./lab-routing.ts";
import { inParallel } from "./in-parallel.ts";
import type { LabRecord } from "./lab-record.ts";
import { describeStore } from "./bring-up.ts";
import { ESTABLISHED, type NodeReport, readNodeReport } from "./node-report.ts";
import { isRunning, type ProcessIdentity } from "./process-identity.ts";
import { textTable } from "./text-table.ts";

/** How a lab is, for people. */
export async function labStatus(lab: LabDirectory, record: LabRecord): Promise<string> {
  const pods = lab.pods();
  const nodes = lab.nodes();
  const reports = await inParallel(nodes, nodes.length, (node) => readNodeReport(lab, node.name));
  const rows = nodes.map((node, index) => {
    const report = reports[index];
    const sessions = report?.sessions ?? [];
    const up = sessions.filter((session) => session.state === ESTABLISHED).length;
    return [
      node.name,
      node.address,
      describeProcess(lab.daemon({ node: node.name })),
      describeReadiness(report),
      `${up}/${sessions.length}`,
      String(routeCount(lab, node.name)),
      String(pods.filter((pod) => pod.node === node.name).length),
    ];
  });
  const problems = nodes.flatMap((node, index) => {
    const report = reports[index];
    const because = report?.notReadyBecause;
    const lines = [...(because === undefined ? [] : [because]), ...(report?.problems ?? [])];
    return lines.map((line) => `${node.name}: ${line}\n`);
  });
  const store = `store: ${describeStore(record.store)}, ${describeProcess(lab.daemon("store"))}`;
  const podRows = pods.map((pod) => [
    pod.name,
    pod.namespace,
    pod.addresses.join(" ") || "none yet",
    pod.node,
  ]);
  return [
    `lab ${lab.name}: ${record.description}\n${store}\n\n`,
    textTable(["NODE", "ADDRESS", "DAEMON", "READY", "SESSIONS", "BGP ROUTES", "PODS"], rows),
    ...problems,
    podRows.length === 0 ? "" : `\n${textTable(["POD", "NAMESPACE", "ADDRESS", "NODE"], podRows)}`,
  ].join("");
}

function describeReadiness(report: NodeReport | undefined): string {
  if (report === undefined) return "silent";
  return report.isReady ? "yes" : "no";
}

function describeProcess(identity: ProcessIdentity | undefined): string {
  return identity !== undefined && isRunning(identity) ? `running (${identity.pid})` : "gone";
}

function routeCount(lab: LabDirectory, node: string): number | string {
  try {
    return countBgpRoutes(lab, node);
  } catch {
    return "?";
  }
}
