import { existsSync } from "node:fs";
import { Ipv4, Prefix } from "@caracal/net";
import type { LabContext } from "./lab-context.ts";
import type { LabDirectory } from "./lab-directory.ts";
import { LabError } from "./lab-error.ts";
import { hashedPortName, makeNode, portName, removeNamespace } from "./lab-network.ts";
import { deletePod } from "./lab-pods.ts";
import type { LabRecord, NodeRecord } from "./lab-record.ts";
import { startNodeDaemon, waitForNodeDaemon } from "./node-daemon.ts";
import { shortNames } from "./node-names.ts";
import type { OpenLab } from "./open-lab.ts";
import { findProcesses, killAll } from "./process-identity.ts";
import { Progress } from "./progress.ts";
import { runOnStore } from "./run-on-store.ts";
import type { NetworkSpec } from "./topology.ts";
import { waitUntilRouted } from "./wait-until-routed.ts";

/** Adds a node to a network of the lab's, or to the first one, with the next free address unless one is given, and waits until it is routed. */
export async function addNode(
  open: OpenLab,
  name: string,
  wanted: { readonly network: string | undefined; readonly address: string | undefined },
  ctx: LabContext,
): Promise<NodeRecord> {
  const { lab, record } = open;
  const network = chooseNetwork(open, wanted.network);
  const nodes = lab.nodes();
  const address = chooseAddress(network, nodes, wanted.address);
  const port = choosePort(record, nodes, name);
  const node: NodeRecord = {
    name,
    network: network.name,
    address,
    port,
    backend: "caracal",
    environment: {},
  };
  const isTaken = lab.namespaceParts().includes(name) || existsSync(lab.namespacePath(name));
  if (isTaken || !lab.addNode(node)) throw new LabError(`the name ${name} is taken in lab ${lab.name}`);
  const progress = new Progress(ctx.stderr);
  try {
    makeNode(lab, node, network);
    await startNodeDaemon(lab, record, node, ctx);
    await waitForNodeDaemon(lab, node, ctx);
  } catch (error) {
    await forgetNode(lab, node);
    throw error;
  }
  progress.say(`${name} (${address}) answers`);
  await waitUntilRouted(open, ctx);
  progress.say("routed");
  return node;
}

/** Takes a node away: its pods, its daemon, its Node resource, its namespace. */
export async function deleteNode(lab: LabDirectory, node: NodeRecord, ctx: LabContext): Promise<void> {
  const progress = new Progress(ctx.stderr);
  for (const pod of lab.pods().filter((candidate) => candidate.node === node.name)) {
    await deletePod(lab, pod, ctx);
    progress.say(`pod ${pod.name} removed`);
  }
  await killProcessesOf(lab, node);
  // The others hold their sessions open until the Node resource is gone, or the hold timer runs out.
  await runOnStore(lab, ["delete", "node", node.name], ctx);
  await forgetNode(lab, node);
  progress.say(`node ${node.name} removed`);
}

/** The one that was asked for, or the first; but not one whose switch expects only the nodes that the file names. */
function chooseNetwork({ lab, topology }: OpenLab, wanted: string | undefined): NetworkSpec {
  const networks = topology.networks.filter(({ kind }) => kind !== "link");
  const network = wanted === undefined ? networks[0] : networks.find(({ name }) => name === wanted);
  if (network === undefined) {
    const names = networks.map(({ name }) => name).join(", ");
    throw new LabError(`lab ${lab.name} has no network ${wanted ?? ""}: it has ${names}`);
  }
  const isNeighbor = (name: string): boolean =>
    topology.nodes.some((node) => node.name === name && node.network === network.name);
  const peering = topology.switches.find((spec) => spec.neighbors.some((peer) => isNeighbor(peer.name)));
  if (peering === undefined) return network;
  throw new LabError(
    `${peering.name} peers with the nodes of ${network.name} that the topology's file names: add the node there`,
  );
}

/** The short name among all, as for the topology's own nodes, unless another node's cable or a bridge is called so. */
function choosePort({ networks }: LabRecord, nodes: readonly NodeRecord[], name: string): string {
  const port = portName(shortNames([...nodes.map((node) => node.name), name]).get(name) ?? name, name);
  const taken = [...nodes.map((node) => node.port), ...networks.map((network) => network.name)];
  return taken.includes(port) ? hashedPortName(name) : port;
}

async function forgetNode(lab: LabDirectory, node: NodeRecord): Promise<void> {
  await killProcessesOf(lab, node);
  removeNamespace(lab, node.name);
  lab.removeNode(node.name);
}

/** The node's daemon and whatever else runs in its namespace. */
async function killProcessesOf(lab: LabDirectory, node: NodeRecord): Promise<void> {
  const left = await killAll(() => findProcesses([lab.namespacePath(node.name)]));
  if (left.length > 0) throw new LabError(`processes of ${node.name} do not end: ${left.join(", ")}`);
}

/** The address that was asked for, if it is free, or the first free one after the highest in use. */
function chooseAddress(
  network: NetworkSpec,
  nodes: readonly NodeRecord[],
  wanted: string | undefined,
): string {
  const subnet = Prefix.parse(network.subnet);
  const taken = new Set([network.gateway, ...nodes.map((node) => node.address)]);
  if (subnet?.family !== 4) throw new LabError(`the network ${network.name} has no IPv4 subnet`);
  if (wanted !== undefined) {
    const address = Ipv4.parse(wanted);
    const isInside = address !== undefined && Prefix.contains(subnet, address);
    if (!isInside || taken.has(wanted))
      throw new LabError(`${wanted} is no free address of ${network.subnet}`);
    return wanted;
  }
  const used = nodes.flatMap((node) => Ipv4.parse(node.address) ?? []).toSorted((a, b) => a - b);
  for (let next = Ipv4.add(used.at(-1) ?? subnet.address, 1); next !== undefined; next = Ipv4.add(next, 1)) {
    if (next >= Prefix.last(subnet)) break;
    if (!taken.has(Ipv4.format(next))) return Ipv4.format(next);
  }
  throw new LabError(
    `no address is free after ${Ipv4.format(used.at(-1) ?? subnet.address)} in ${network.subnet}: give --address`,
  );
}
