import { Rtnetlink } from "@caracal/linux";
import { IpAddress } from "@caracal/net";
import { RouteProtocol, RouteType } from "@caracal/netlink";
import type { LabDirectory } from "./lab-directory.ts";
import type { LabRecord, NodeRecord, PodRecord } from "./lab-record.ts";
import { ESTABLISHED, type NodeReport, readNodeReport } from "./node-report.ts";

/** What every node needs so that all pods reach each other, and is not there: one line each, for people. Empty: routed. */
export async function missingRouting(lab: LabDirectory, record: LabRecord): Promise<readonly string[]> {
  const nodes = lab.nodes();
  const pods = lab.pods();
  const missing: string[] = [];
  for (const node of nodes) {
    missing.push(
      ...(await missingSessions(lab, node, nodes)),
      ...missingRoutes(lab, record, node, nodes, pods),
    );
  }
  return missing;
}

/** Sessions that the daemon has and are not up, and in a mesh those that it does not even have. */
export async function missingSessions(
  lab: LabDirectory,
  node: NodeRecord,
  nodes: readonly NodeRecord[],
): Promise<readonly string[]> {
  return judgeSessions(await readNodeReport(lab, node.name), node, nodes);
}

function judgeSessions(
  report: NodeReport | undefined,
  node: NodeRecord,
  nodes: readonly NodeRecord[],
): readonly string[] {
  if (report === undefined) return [`the daemon of ${node.name} does not answer`];
  const { sessions } = report;
  const down = sessions
    .filter((session) => session.state !== ESTABLISHED)
    .map(({ peer, state, lastError }) => {
      const why = lastError === "" ? state : `${state}, ${lastError}`;
      return `${node.name} has no session with ${peer}: ${why}`;
    });
  const isMesh = sessions.length === 0 || sessions.some((session) => session.isMesh);
  const absent = nodes
    .filter((other) => isMesh && other.name !== node.name)
    .filter((other) => !sessions.some((session) => session.peer === other.address))
    .map((other) => `${node.name} does not know of ${other.name} (${other.address}) as a BGP peer`);
  return [...down, ...absent];
}

/** Pods of the lab that the node's kernel would not send to where they are. */
function missingRoutes(
  lab: LabDirectory,
  record: LabRecord,
  node: NodeRecord,
  nodes: readonly NodeRecord[],
  pods: readonly PodRecord[],
): readonly string[] {
  using kernel = Rtnetlink.open(lab.namespacePath(node.name));
  const gateway = record.networks.find((network) => network.name === node.network)?.gateway;
  return pods.flatMap((pod) => {
    const owner = nodes.find((other) => other.name === pod.node);
    return pod.addresses.flatMap((text) => {
      const address = IpAddress.parse(text);
      if (address === undefined || owner === undefined) return [];
      const hop = nextHop(kernel, address);
      if (leadsTo(hop, owner, node, gateway)) return [];
      return [`${node.name} has no route to ${pod.name} (${text} on ${owner.name}): ${hop}`];
    });
  });
}

/** Where the kernel sends packets to an address, in `ip route`'s words. */
function nextHop(kernel: Rtnetlink, destination: IpAddress): string {
  const route = kernel.routeTo(destination);
  if (route?.type !== RouteType.RTN_UNICAST) return "nowhere";
  const [hop] = route.nextHops;
  const name = hop?.interfaceIndex === undefined ? "" : (kernel.link(hop.interfaceIndex)?.name ?? "");
  return hop?.gateway === undefined ? `dev ${name}` : `via ${IpAddress.format(hop.gateway)} dev ${name}`;
}

function leadsTo(hop: string, owner: NodeRecord, node: NodeRecord, gateway: string | undefined): boolean {
  if (owner.name === node.name) return hop.startsWith("dev cali");
  if (owner.network === node.network) return hop.startsWith(`via ${owner.address} `);
  // To another network any route will do but the one that everything unknown takes.
  return hop !== "nowhere" && !hop.startsWith(`via ${gateway ?? ""} `);
}

/** How many routes of BGP a node's kernel has. */
export function countBgpRoutes(lab: LabDirectory, node: string): number {
  using kernel = Rtnetlink.open(lab.namespacePath(node));
  return kernel.routes({ family: 4, protocol: RouteProtocol.RTPROT_BIRD }).length;
}
