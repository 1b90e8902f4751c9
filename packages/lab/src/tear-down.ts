import type { LabDirectory } from "./lab-directory.ts";
import { LabError } from "./lab-error.ts";
import { removeNamespace } from "./lab-network.ts";
import { isRunning, killAll, labProcesses } from "./process-identity.ts";

/**
 * Removes a lab in whatever state it is: its processes, then its namespaces, then its directory. Each step can be
 * repeated, and the directory goes last, so a removal that was itself killed is finished by the next one.
 */
export async function tearDown(lab: LabDirectory): Promise<void> {
  const left = await killAll(() => {
    // Read anew each time: a process that was being started may have added to it.
    const paths = lab.namespaceParts().map((part) => lab.namespacePath(part));
    return labProcesses(lab.path, paths);
  });
  if (left.length > 0) throw new LabError(`processes of lab ${lab.name} do not end: ${left.join(", ")}`);
  for (const part of lab.namespaceParts()) removeNamespace(lab, part);
  lab.remove();
}

/** Refuses while another process is still bringing the lab up: that one would go on making what is removed here. */
export function refuseWhileMade(lab: LabDirectory): void {
  const maker = lab.record?.maker;
  if (maker === undefined || lab.isReady || maker.pid === process.pid || !isRunning(maker)) return;
  throw new LabError(
    `lab ${lab.name} is being brought up by process ${maker.pid}: wait, or interrupt that one`,
  );
}
