import type { LabDirectory } from "./lab-directory.ts";
import { countBgpRoutes } from "./lab-routing.ts";
import { inParallel } from "./in-parallel.ts";
import type { LabRecord } from "./lab-record.ts";
import { describeStore } from "./bring-up.ts";
import { answers } from "./node-daemon.ts";
import { readSessions } from "./node-sessions.ts";
import { isRunning, type ProcessIdentity } from "./process-identity.ts";
import { textTable } from "./text-table.ts";

/** How a lab is, for people. */
export async function labStatus(lab: LabDirectory, record: LabRecord): Promise<string> {
  const pods = lab.pods();
  const nodes = lab.nodes();
  const rows = await inParallel(nodes, nodes.length, async (node) => {
    const sessions = (await readSessions(lab, node.name)) ?? [];
    const up = sessions.filter((session) => session.state === "Established").length;
    return [
      node.name,
      node.address,
      await describeDaemon(lab, node.name),
      `${up}/${sessions.length}`,
      String(routeCount(lab, node.name)),
      String(pods.filter((pod) => pod.node === node.name).length),
    ];
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
    textTable(["NODE", "ADDRESS", "DAEMON", "SESSIONS", "BGP ROUTES", "PODS"], rows),
    podRows.length === 0 ? "" : `\n${textTable(["POD", "NAMESPACE", "ADDRESS", "NODE"], podRows)}`,
  ].join("");
}

async function describeDaemon(lab: LabDirectory, node: string): Promise<string> {
  const daemon = lab.daemon({ node });
  const isSilent = isRunning(daemon) && !(await answers(lab, node));
  return isSilent ? `${describeProcess(daemon)}, silent` : describeProcess(daemon);
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
