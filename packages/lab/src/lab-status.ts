import { Rtnetlink } from "@caracal/linux";
import { RouteProtocol } from "@caracal/netlink";
import type { LabContext } from "./lab-context.ts";
import type { LabDirectory } from "./lab-directory.ts";
import { inParallel } from "./in-parallel.ts";
import type { OpenLab } from "./open-lab.ts";
import { describeStore } from "./bring-up.ts";
import { addressText } from "./address-text.ts";
import { ESTABLISHED, type NodeReport, readNodeReport } from "./node-report.ts";
import { isRunning, type ProcessIdentity } from "./process-identity.ts";
import { readSwitch } from "./switches/lab-switches.ts";
import { textTable } from "./text-table.ts";

/** How a lab is, for people. */
export async function labStatus(open: OpenLab, ctx: LabContext): Promise<string> {
  const { lab, record } = open;
  const pods = lab.pods();
  const nodes = lab.nodes();
  const reports = await inParallel(nodes, nodes.length, (node) => readNodeReport(lab, node.name));
  const rows = nodes.map((node, index) => {
    const report = reports[index];
    const sessions = report?.sessions ?? [];
    const up = sessions.filter((session) => session.state === ESTABLISHED).length;
    return [
      node.name,
      addressText(node),
      describeProcess(lab.daemon({ node: node.name })),
      describeReadiness(report),
      `${up}/${sessions.length}`,
      String(countBgpRoutes(lab, node.name)),
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
    await switchTable(open, ctx),
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

/** The switches, if there are any. */
async function switchTable({ lab, topology }: OpenLab, ctx: LabContext): Promise<string> {
  const { switches } = topology;
  if (switches.length === 0) return "";
  const reports = await inParallel(switches, switches.length, (spec) => readSwitch(lab, topology, spec, ctx));
  const rows = reports.map(({ spec, programs, sessions }) => [
    spec.name,
    `AS ${spec.asNumber}`,
    spec.interfaces.map(addressText).join(" "),
    programs.map(({ name, isRunning: runs }) => `${name} ${runs ? "running" : "gone"}`).join(", "),
    `${(sessions ?? []).filter(({ state }) => state === ESTABLISHED).length}/${spec.neighbors.length}`,
    String(countBgpRoutes(lab, spec.name)),
  ]);
  return `${textTable(["SWITCH", "AS", "ADDRESSES", "DAEMON", "SESSIONS", "BGP ROUTES"], rows)}\n`;
}

/** FRR's own number for BGP; BIRD and Caracal use BIRD's. */
const RTPROT_BGP = 186;

function countBgpRoutes(lab: LabDirectory, place: string): number | string {
  try {
    using kernel = Rtnetlink.open(lab.namespacePath(place));
    const routes = kernel.routes();
    return routes.filter(({ protocol }) => protocol === RouteProtocol.RTPROT_BIRD || protocol === RTPROT_BGP)
      .length;
  } catch {
    return "?";
  }
}
