import { existsSync, readFileSync } from "node:fs";
import { messageOf } from "@caracal/net";
import { addressText } from "./address-text.ts";
import { checkBackends } from "./check-backends.ts";
import { checkTunnels } from "./check-tunnels.ts";
import { inParallel } from "./in-parallel.ts";
import type { LabContext } from "./lab-context.ts";
import { DEFAULT_ROOT, LabDirectory } from "./lab-directory.ts";
import { LabError } from "./lab-error.ts";
import { hashedPortName, makeBridges, makeNode, makeSwitch, portName } from "./lab-network.ts";
import { addPod } from "./lab-pods.ts";
import type { LabRecord, NodeRecord, StoreChoice } from "./lab-record.ts";
import { startStore } from "./lab-store.ts";
import { startNodeDaemon, waitForNodeDaemon } from "./node-daemon.ts";
import { shortNames } from "./node-names.ts";
import { identifyProcess, isRunning } from "./process-identity.ts";
import { withSwitchDaemon } from "./open-lab.ts";
import { Progress } from "./progress.ts";
import { runOnStore } from "./run-on-store.ts";
import { checkSwitches, startSwitches, titleOfDaemon } from "./switches/lab-switches.ts";
import { tearDown } from "./tear-down.ts";
import { BRIDGES_NAME, type SwitchDaemon, type Topology } from "./topology.ts";
import { waitUntilRouted } from "./wait-until-routed.ts";

/** What to bring up. */
export interface BringUpOptions {
  readonly topology: Topology;
  /** The topology's own name if absent. */
  readonly name?: string;
  readonly store: StoreChoice;
  /** What all switches run; as the topology says if absent. */
  readonly switchDaemon?: SwitchDaemon;
}

/** A lab that is up. */
export interface UpLab {
  readonly lab: LabDirectory;
  /** From the first daemon's start until every node had every route. */
  readonly routedMs: number;
}

/** CNI calls at once. */
const POD_WIDTH = 8;

/**
 * Brings a lab up and waits until all its pods can reach each other. A failure or an interruption rolls everything
 * back; only a lab whose routes do not come is left up, to be looked at.
 */
export async function bringUp(options: BringUpOptions, ctx: LabContext): Promise<UpLab> {
  const topology = withSwitchDaemon(options.topology, options.switchDaemon);
  const lab = new LabDirectory(ctx.root ?? DEFAULT_ROOT, options.name ?? topology.name);
  const progress = new Progress(ctx.stderr);
  checkSwitches(lab, topology, ctx);
  checkTunnels(topology);
  await checkBackends(topology, ctx);
  await claim(lab, topology, ctx);
  let daemonsAt: number;
  let record: LabRecord;
  try {
    record = writeRecord(lab, options);
    progress.say(`lab ${lab.name}: ${describeSize(topology)}`);
    makeNetwork(lab, topology);
    const works = [startFabric(lab, topology, ctx, progress), startData(lab, options, ctx, progress)];
    // Whichever fails, the other ends before all is rolled back.
    await inParallel(works, works.length, (work) => work);
    daemonsAt = performance.now();
    await startNodes(lab, record, topology, ctx, progress);
  } catch (error) {
    progress.say(`${ctx.signal.aborted ? "interrupted" : "failed"}: rolling back`);
    await tearDown(lab);
    throw ctx.signal.aborted ? new LabError(`lab ${lab.name} was not brought up: interrupted`) : error;
  }
  await waitUntilRouted({ lab, record, topology }, ctx);
  const routedMs = performance.now() - daemonsAt;
  lab.markReady();
  progress.say(`routed ${(routedMs / 1000).toFixed(2)} s after the daemons started`);
  return { lab, routedMs };
}

/** Takes the lab's name and makes sure that its namespaces are free; after this failure is rolled back by `tearDown`. */
async function claim(lab: LabDirectory, topology: Topology, ctx: LabContext): Promise<void> {
  ctx.signal.throwIfAborted();
  const isStale = lab.exists && lab.record !== undefined && lab.record.bootId !== bootId();
  if (isStale) await tearDown(lab);
  if (lab.exists || !lab.claim())
    throw new LabError(`lab ${lab.name} exists already (${describeState(lab)})`);
  const parts = [
    BRIDGES_NAME,
    ...topology.switches.map((spec) => spec.name),
    ...topology.nodes.flatMap((node) => [node.name, ...node.pods.map((pod) => pod.name)]),
  ];
  const taken = parts.find((part) => existsSync(lab.namespacePath(part)));
  if (taken === undefined) return;
  lab.remove();
  throw new LabError(
    `there is a network namespace ${lab.namespaceName(taken)} already: choose another --name`,
  );
}

function describeState(lab: LabDirectory): string {
  const remove = `remove it with: caracal lab down --name ${lab.name}`;
  if (lab.isReady) return remove;
  return isRunning(lab.record?.maker) ? "it is being brought up" : `it is broken; ${remove}`;
}

function writeRecord(lab: LabDirectory, { topology, store, switchDaemon }: BringUpOptions): LabRecord {
  const record: LabRecord = {
    name: lab.name,
    description: topology.description,
    topology: topology.name,
    createdAt: new Date().toISOString(),
    bootId: bootId(),
    maker: identifyProcess(process.pid) ?? { pid: process.pid, startTime: 0 },
    store,
    pool: topology.pool,
    ...(topology.pool6 === undefined ? {} : { pool6: topology.pool6 }),
    environment: topology.environment,
    networks: topology.networks,
    ...(switchDaemon === undefined ? {} : { switchDaemon }),
  };
  lab.writeTopology(topology.source.text);
  lab.writeRecord(record);
  return record;
}

function makeNetwork(lab: LabDirectory, topology: Topology): void {
  makeBridges(lab, topology.networks);
  for (const spec of topology.switches) {
    lab.addSwitch(spec.name);
    makeSwitch(lab, spec, topology.networks);
  }
  const names = shortNames(topology.nodes.map((node) => node.name));
  const bridges = topology.networks.map((network) => network.name);
  for (const spec of topology.nodes) {
    const { name, network: networkName, address, address6, backend, environment } = spec;
    const shortName = names.get(name) ?? name;
    const port = bridges.includes(shortName) ? hashedPortName(name) : portName(shortName, name);
    const node: NodeRecord = {
      name,
      network: networkName,
      address,
      ...(address6 === undefined ? {} : { address6 }),
      backend,
      environment,
      port,
    };
    const network = topology.networks.find((candidate) => candidate.name === networkName);
    if (network === undefined) throw new LabError(`there is no network ${networkName}`);
    lab.addNode(node);
    makeNode(lab, node, network);
  }
}

async function startFabric(
  lab: LabDirectory,
  topology: Topology,
  ctx: LabContext,
  progress: Progress,
): Promise<void> {
  if (topology.switches.length === 0) return;
  await startSwitches(lab, topology, ctx);
  const told = topology.switches.map(({ name, daemon }) => `${name} (${titleOfDaemon(daemon)})`).join(", ");
  progress.say(`switches route: ${told}`);
}

/** The store, with the topology's resources in it: the first daemon finds them there. */
async function startData(
  lab: LabDirectory,
  { store, topology: { resources } }: BringUpOptions,
  ctx: LabContext,
  progress: Progress,
): Promise<void> {
  await startStore(lab, store, ctx);
  progress.say(`the store answers (${describeStore(store)})`);
  if (resources.length === 0) return;
  const documents = resources.map(({ value }) => value);
  await runOnStore(lab, ["apply", "-f", "-"], ctx, JSON.stringify(documents));
  const kinds = [...new Set(resources.map(({ kind }) => kind))];
  const counts = kinds.map((kind) => `${resources.filter((one) => one.kind === kind).length} ${kind}`);
  progress.say(`resources applied: ${counts.join(", ")}`);
}

/** Starts all daemons, and adds a node's pods as soon as its daemon answers. */
async function startNodes(
  lab: LabDirectory,
  record: LabRecord,
  topology: Topology,
  ctx: LabContext,
  progress: Progress,
): Promise<void> {
  const nodes = lab.nodes();
  await inParallel(nodes, nodes.length, (node) => startNodeDaemon(lab, record, node, ctx));
  progress.say(`${nodes.length} node daemons started`);
  await inParallel(nodes, nodes.length, async (node) => {
    await waitForNodeDaemon(lab, node, ctx);
    const pods = topology.nodes.find((spec) => spec.name === node.name)?.pods ?? [];
    const added = await inParallel(pods, POD_WIDTH, (pod) => addPod(lab, node.name, pod, ctx));
    const told = added.map((pod) => `${pod.name} ${pod.addresses.join(" ")}`).join(", ");
    progress.say(`${node.name} (${addressText(node)}) answers${told === "" ? "" : `; pods: ${told}`}`);
  });
}

function describeSize({ nodes, networks, switches }: Topology): string {
  const routers = switches.length === 0 ? "" : ` and ${switches.length} switches`;
  return `${nodes.length} nodes${routers} on ${networks.length} network(s)`;
}

export function describeStore(store: StoreChoice): string {
  if (store.kind === "etcd") return `etcd at ${store.endpoints.join(", ")}`;
  return store.listen === undefined ? "embedded" : `embedded, also on ${store.listen}`;
}

/** Random for each boot of the machine. */
function bootId(): string {
  try {
    return readFileSync("/proc/sys/kernel/random/boot_id", "utf8").trim();
  } catch (error) {
    throw new LabError(`cannot tell this boot from another: ${messageOf(error)}`, { cause: error });
  }
}
