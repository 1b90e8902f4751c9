/**
 * Whole clusters on one machine: every node, switch and pod is a network namespace, every node runs its own daemon, pods
 * are made through the CNI plugin as kubelet does it, switches run Caracal's speaker, BIRD 2 or FRR. The machine's own
 * network gets no link, address or route. A topology's file also says what must be seen, and `check` compares.
 *
 * A lab's state is its directory below `/run/caracal/labs`; whatever was killed, `down` finds and removes all of it.
 * Not here: what a node does (`node`), and nodes that are not on this machine.
 */
export { bringUp, type BringUpOptions, type UpLab } from "./bring-up.ts";
export { builtInTopologies, findTopology } from "./find-topology.ts";
export { checkLab, type CheckReport, type PairCheck } from "./lab-check.ts";
export type { LabContext, TextSink } from "./lab-context.ts";
export { LabDirectory } from "./lab-directory.ts";
export { LabError } from "./lab-error.ts";
export { execInLab, type LabPlace, placeOf } from "./lab-exec.ts";
export type { LabRecord, NodeRecord, PodRecord, StoreChoice } from "./lab-record.ts";
export { findLabView, type LabPart, type LabView } from "./lab-view.ts";
export { openLab, type OpenLab } from "./open-lab.ts";
export { runLab } from "./run-lab.ts";
export { tearDown } from "./tear-down.ts";
export { parseTopology } from "./parse-topology.ts";
export type { Topology } from "./topology.ts";
