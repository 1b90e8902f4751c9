import type { LabContext } from "./lab-context.ts";
import { endDaemon } from "./end-daemon.ts";
import { startStore } from "./lab-store.ts";
import { startNodeDaemon, waitForNodeDaemon } from "./node-daemon.ts";
import { findNode, type OpenLab } from "./open-lab.ts";
import { restartSwitch } from "./switches/lab-switches.ts";

/** Ends a node's or switch's daemon or the store, if it still runs, starts it anew and waits until it answers. Pods stay. */
export async function restartDaemon(open: OpenLab, word: string, ctx: LabContext): Promise<void> {
  const { lab, record, topology } = open;
  if (word === "store") {
    await endDaemon(lab, "store");
    await startStore(lab, record.store, ctx);
    return;
  }
  const spec = topology.switches.find((one) => one.name === word);
  if (spec !== undefined) {
    await restartSwitch(lab, topology, spec, ctx);
    return;
  }
  const node = findNode(lab, word);
  await endDaemon(lab, { node: node.name });
  await startNodeDaemon(lab, record, node, ctx);
  await waitForNodeDaemon(lab, node, ctx);
}
