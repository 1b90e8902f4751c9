import type { ResourceClient, ResourceOutcome } from "@caracal/datastore";
import { CliError } from "../cli-error.ts";

/** Whether the cluster's networking is locked against changes: `datastoreReady: false` in ClusterInformation. */
export async function isLocked(resources: ResourceClient): Promise<boolean> {
  const found = await resources.get("ClusterInformation", "default");
  if (found.kind === "failed") {
    throw new CliError(`error while checking if datastore was locked: ${found.message}`);
  }
  return found.resource.spec.datastoreReady === false;
}

/** Attempts when others write at the same time. */
const maxAttempts = 5;

/** Locks the cluster's networking, or lets it go on. */
export async function setLocked(resources: ResourceClient, isToLock: boolean): Promise<ResourceOutcome> {
  for (let attempt = 1; ; attempt += 1) {
    const found = await resources.get("ClusterInformation", "default");
    if (found.kind === "failed") return found;
    const { spec } = found.resource;
    const outcome = await resources.update({
      ...found.resource,
      spec: { ...spec, datastoreReady: !isToLock },
    });
    const isLate = outcome.kind === "failed" && outcome.reason === "conflict";
    if (!isLate || attempt >= maxAttempts) return outcome;
  }
}
