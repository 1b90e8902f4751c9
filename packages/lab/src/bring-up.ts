import { existsSync, readFileSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { inParallel } from "./in-parallel.ts";
import type { LabContext } from "./lab-context.ts";
import { DEFAULT_ROOT, LabDirectory } from "./lab-directory.ts";
import { LabError, messageOf } from "./lab-error.ts";
import { makeNode, makeSwitch, portName } from "./lab-network.ts";
import { addPod } from "./lab-pods.ts";
import type { LabRecord, NodeRecord, StoreChoice } from "./lab-record.ts";
import { missingRouting } from "./lab-routing.ts";
import { startStore } from "./lab-store.ts";
import { startNodeDaemon, waitForNodeDaemon } from "./node-daemon.ts";
import { shortNames } from "./node-names.ts";
import { identifyProcess, isRunning } from "./process-identity.ts";
import { Progress } from "./progress.ts";
import { tearDown } from "./tear-down.ts";
import { SWITCH_NAME, type Topology } from "./topology.ts";

/** What to bring up. */
export interface BringUpOptions {
  readonly topology: Topology;
  /** The topology's own name if absent. */
  readonly name?: string;
  readonly store: StoreChoice;
}

/** A lab that is up. */
export interface UpLab {
  readonly lab: LabDirectory;
  /** From the first daemon's start until every node had every route. */
  readonly routedMs: number;
}

const ROUTED_DEADLINE_MS = 60_000;
const ROUTED_POLL_MS = 50;
/** CNI calls at once. */
const POD_WIDTH = 8;
const MAX_MISSING_SHOWN = 20;

/**
 * Brings a lab up and waits until all its pods can reach each other. A failure or an interruption rolls everything
 * back; only a lab whose routes do not come is left up, to be looked at.
 */
export async function bringUp(options: BringUpOptions, ctx: LabContext): Promise<UpLab> {
  const { topology } = options;
  const lab = new LabDirectory(ctx.root ?? DEFAULT_ROOT, options.name ?? topology.name);
  const progress = new Progress(ctx.stderr);
  await claim(lab, topology, ctx);
  let daemonsAt: number;
  let record: LabRecord;
  try {
    record = writeRecord(lab, options);
    progress.say(`lab ${lab.name}: ${topology.nodes.length} nodes on ${topology.networks.length} network(s)`);
    makeNodes(lab, topology);
    await startStore(lab, options.store, ctx);
    progress.say(`the store answers (${describeStore(options.store)})`);
    daemonsAt = performance.now();
    await startNodes(lab, record, topology, ctx, progress);
  } catch (error) {
    progress.say(`${ctx.signal.aborted ? "interrupted" : "failed"}: rolling back`);
    await tearDown(lab);
    throw ctx.signal.aborted ? new LabError(`lab ${lab.name} was not brought up: interrupted`) : error;
  }
  await waitUntilRouted(lab, record, ctx);
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
    SWITCH_NAME,
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

function writeRecord(lab: LabDirectory, { topology, store }: BringUpOptions): LabRecord {
  const record: LabRecord = {
    name: lab.name,
    description: topology.description,
    topology: topology.name,
    createdAt: new Date().toISOString(),
    bootId: bootId(),
    maker: identifyProcess(process.pid) ?? { pid: process.pid, startTime: 0 },
    store,
    pool: topology.pool,
    environment: topology.environment,
    networks: topology.networks,
  };
  lab.writeRecord(record);
  return record;
}

function makeNodes(lab: LabDirectory, topology: Topology): void {
  makeSwitch(lab, topology.networks);
  const names = shortNames(topology.nodes.map((node) => node.name));
  for (const spec of topology.nodes) {
    const { name, network: networkName, address, backend, environment } = spec;
    const port = portName(names.get(name) ?? name, name);
    const node: NodeRecord = { name, network: networkName, address, backend, environment, port };
    const network = topology.networks.find((candidate) => candidate.name === networkName);
    if (network === undefined) throw new LabError(`there is no network ${networkName}`);
    lab.addNode(node);
    makeNode(lab, node, network);
  }
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
    progress.say(`${node.name} (${node.address}) answers${told === "" ? "" : `; pods: ${told}`}`);
  });
}

/** Waits until every node has every session and route; a lab that is late says what is missing. */
export async function waitUntilRouted(lab: LabDirectory, record: LabRecord, ctx: LabContext): Promise<void> {
  const end = performance.now() + ROUTED_DEADLINE_MS;
  for (;;) {
    const missing = await missingRouting(lab, record);
    if (missing.length === 0) return;
    if (ctx.signal.aborted || performance.now() > end) {
      const shown = missing.slice(0, MAX_MISSING_SHOWN);
      const more = missing.length > shown.length ? [`and ${missing.length - shown.length} more`] : [];
      const after = ctx.signal.aborted ? "interrupted" : `after ${ROUTED_DEADLINE_MS / 1000} s`;
      const lines = [...shown, ...more].map((line) => `\n  ${line}`).join("");
      throw new LabError(
        `lab ${lab.name} is up but not routed (${after}); look with lab exec, remove with lab down:${lines}`,
      );
    }
    await sleep(ROUTED_POLL_MS, undefined, { signal: ctx.signal }).catch(() => undefined);
  }
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
