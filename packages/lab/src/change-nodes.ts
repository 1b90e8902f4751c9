import { existsSync } from "node:fs";
import { IpAddress, Prefix } from "@caracal/net";
import { addressText } from "./address-text.ts";
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
import { readHost } from "./read-text.ts";
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
  const { subnet, subnet6, gateway, gateway6 } = network;
  const address = chooseAddress(subnet, nodes, gateway, wanted.address);
  const address6 = subnet6 === undefined ? undefined : chooseAddress(subnet6, nodes, gateway6, undefined);
  const port = choosePort(record, nodes, name);
  const node: NodeRecord = {
    name,
    network: network.name,
    address,
    ...(address6 === undefined ? {} : { address6 }),
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
  progress.say(`${name} (${addressText(node)}) answers`);
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

/** The address that was asked for, if it is free, or the first free one after the highest of a node. */
function chooseAddress(
  subnetText: string,
  nodes: readonly NodeRecord[],
  gateway: string | undefined,
  wanted: string | undefined,
): string {
  const subnet = Prefix.parse(subnetText);
  if (subnet === undefined) throw new LabError(`${subnetText} is no subnet`);
  const ofNodes = nodes.flatMap((node) => [node.address, node.address6 ?? []].flat());
  const taken = new Set([gateway, ...ofNodes]);
  if (wanted !== undefined) {
    const address = readHost(wanted, subnet);
    if (address === undefined || taken.has(address))
      throw new LabError(`${wanted} is no free address of ${subnetText}`);
    return address;
  }
  const highest = ofNodes
    .flatMap((text) => placeIn(subnet, text) ?? [])
    .reduce((most, place) => (place > most ? place : most), 0n);
  const last = Prefix.size(subnet) - (subnet.family === 4 ? 2n : 1n);
  for (let place = highest + 1n; place <= last; place += 1n) {
    const address = Prefix.at(subnet, place);
    const text = address === undefined ? undefined : IpAddress.format(address);
    if (text !== undefined && !taken.has(text)) return text;
  }
  const after = IpAddress.format(Prefix.at(subnet, highest) ?? subnet.address);
  throw new LabError(`no address is free after ${after} in ${subnetText}: give --address`);
}

function placeIn(subnet: Prefix, text: string): bigint | undefined {
  const address = IpAddress.parse(text);
  return address === undefined ? undefined : Prefix.indexOf(subnet, address);
}
