import { findByShortName } from "./node-names.ts";
import type { LabContext } from "./lab-context.ts";
import { DEFAULT_ROOT, LabDirectory, labNames } from "./lab-directory.ts";
import { LabError } from "./lab-error.ts";
import type { LabRecord, NodeRecord, PodRecord } from "./lab-record.ts";
import { parseTopology } from "./parse-topology.ts";
import { LAB_NAME, LAB_NAME_RULE, type SwitchDaemon, type Topology } from "./topology.ts";

/** A lab that is there, with what it is made of. */
export interface OpenLab {
  readonly lab: LabDirectory;
  readonly record: LabRecord;
  readonly topology: Topology;
}

/** The lab of that name; without a name, the only one there is. */
export function openLab(name: string | undefined, ctx: Pick<LabContext, "root">): OpenLab {
  const lab = findLab(name, ctx);
  const { record, topologyText } = lab;
  if (record === undefined || topologyText === undefined) {
    throw new LabError(`lab ${lab.name} is broken: remove it with: caracal lab down --name ${lab.name}`);
  }
  const topology = parseTopology(topologyText, `${lab.path}/topology.yaml`);
  return { lab, record, topology: withSwitchDaemon(topology, record.switchDaemon) };
}

/** The topology with one daemon for all its switches, if one is given. */
export function withSwitchDaemon(topology: Topology, daemon: SwitchDaemon | undefined): Topology {
  if (daemon === undefined) return topology;
  return { ...topology, switches: topology.switches.map((spec) => ({ ...spec, daemon })) };
}

/** The same, whole or broken. */
export function findLab(name: string | undefined, ctx: Pick<LabContext, "root">): LabDirectory {
  const root = ctx.root ?? DEFAULT_ROOT;
  const names = labNames(root);
  const [only, another] = names;
  if (name === undefined && another !== undefined) {
    throw new LabError(`there are several labs, so --name is needed: ${names.join(", ")}`);
  }
  const chosen = name ?? only;
  if (chosen === undefined) throw new LabError("there is no lab: make one with: caracal lab up full-mesh");
  if (!LAB_NAME.test(chosen)) throw new LabError(`"${chosen}" is not ${LAB_NAME_RULE}`);
  if (!names.includes(chosen)) {
    const others = names.length === 0 ? "there is none" : `there are ${names.join(", ")}`;
    throw new LabError(`there is no lab ${chosen}: ${others}`);
  }
  return new LabDirectory(root, chosen);
}

/** A node by its whole or short name; what is told when there is none depends on what was sought. */
export function findNode(
  lab: LabDirectory,
  word: string,
  sought: "node" | "node or pod" = "node",
): NodeRecord {
  const nodes = lab.nodes();
  const name = findByShortName(
    word,
    nodes.map((node) => node.name),
  );
  const node = nodes.find((candidate) => candidate.name === name);
  if (node !== undefined) return node;
  const others = sought === "node" ? nodes : [...nodes, ...lab.pods()];
  throw new LabError(
    `lab ${lab.name} has no ${sought} ${word}: it has ${others.map((one) => one.name).join(", ")}`,
  );
}

export function findPod(lab: LabDirectory, name: string): PodRecord {
  const pods = lab.pods();
  const pod = pods.find((candidate) => candidate.name === name);
  if (pod !== undefined) return pod;
  const names = pods.map((one) => one.name).join(", ") || "none";
  throw new LabError(`lab ${lab.name} has no pod ${name}: it has ${names}`);
}
