import { startDaemon, waitForDaemon } from "../daemon-process.ts";
import { endDaemon } from "../end-daemon.ts";
import { inParallel } from "../in-parallel.ts";
import type { LabContext } from "../lab-context.ts";
import type { LabDirectory } from "../lab-directory.ts";
import { isRunning } from "../process-identity.ts";
import type { SwitchDaemon, SwitchSpec, Topology } from "../topology.ts";
import { birdRuntime } from "./bird-runtime.ts";
import { caracalRuntime } from "./caracal-runtime.ts";
import { frrRuntime } from "./frr-runtime.ts";
import type { SwitchPlace, SwitchRuntime, SwitchSession } from "./switch-runtime.ts";
import { patience } from "../patience.ts";

/** Time for a program to answer, on a busy machine. */
const PROGRAM_DEADLINE_MS = 30_000 * patience;

const runtimes: Readonly<Record<SwitchDaemon, SwitchRuntime>> = {
  caracal: caracalRuntime,
  bird: birdRuntime,
  frr: frrRuntime,
};

/** How a switch is, for people and checks. */
export interface SwitchReport {
  readonly spec: SwitchSpec;
  /** Each with whether it runs. */
  readonly programs: readonly { readonly name: string; readonly isRunning: boolean }[];
  /** `undefined` when it does not answer. */
  readonly sessions: readonly SwitchSession[] | undefined;
}

/** Refuses, before anything is made, what cannot be run on this machine. */
export function checkSwitches(lab: LabDirectory, topology: Topology, ctx: LabContext): void {
  for (const spec of topology.switches) runtimes[spec.daemon].requirements(placeOf(lab, topology, spec, ctx));
}

/** Starts the programs of all switches, each one's in order. */
export async function startSwitches(lab: LabDirectory, topology: Topology, ctx: LabContext): Promise<void> {
  const { switches } = topology;
  await inParallel(switches, switches.length, (spec) => startSwitch(lab, topology, spec, ctx));
}

async function startSwitch(
  lab: LabDirectory,
  topology: Topology,
  spec: SwitchSpec,
  ctx: LabContext,
): Promise<void> {
  const place = placeOf(lab, topology, spec, ctx);
  for (const { name, argv, answers } of runtimes[spec.daemon].prepare(place)) {
    const daemon = { switch: spec.name, program: name };
    await startDaemon(lab, daemon, { argv, env: ctx.env, namespace: lab.namespacePath(spec.name) });
    await waitForDaemon(lab, daemon, {
      title: `${name} of ${spec.name}`,
      isReady: answers,
      deadlineMs: PROGRAM_DEADLINE_MS,
      signal: ctx.signal,
    });
  }
}

/** Ends a switch's programs, if they still run, and starts them anew. */
export async function restartSwitch(
  lab: LabDirectory,
  topology: Topology,
  spec: SwitchSpec,
  ctx: LabContext,
): Promise<void> {
  for (const program of runtimes[spec.daemon].programNames.toReversed())
    await endDaemon(lab, { switch: spec.name, program });
  await startSwitch(lab, topology, spec, ctx);
}

/** What a command on the switch needs to find its programs. */
export function switchEnvironment(
  lab: LabDirectory,
  topology: Topology,
  spec: SwitchSpec,
  ctx: LabContext,
): Readonly<Record<string, string>> {
  return runtimes[spec.daemon].environment(placeOf(lab, topology, spec, ctx));
}

export async function readSwitch(
  lab: LabDirectory,
  topology: Topology,
  spec: SwitchSpec,
  ctx: LabContext,
): Promise<SwitchReport> {
  const place = placeOf(lab, topology, spec, ctx);
  const programs = runtimes[spec.daemon].programNames.map((name) => ({
    name,
    isRunning: isRunning(lab.daemon({ switch: spec.name, program: name })),
  }));
  return { spec, programs, sessions: await runtimes[spec.daemon].sessions(place) };
}

/** What a switch runs, as a drawing calls it. */
export function titleOfDaemon(daemon: SwitchDaemon): string {
  return runtimes[daemon].title;
}

function placeOf(lab: LabDirectory, topology: Topology, spec: SwitchSpec, ctx: LabContext): SwitchPlace {
  return {
    spec,
    networks: topology.networks,
    runDirectory: lab.switchRunDirectory(spec.name),
    binDirectory: lab.switchBinDirectory(spec.name),
    ctx,
  };
}
