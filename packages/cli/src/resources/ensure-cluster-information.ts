import { randomUUID } from "node:crypto";
import { ensureTiers, type ResourceClient, StoreError } from "@caracal/datastore";

/**
 * Gives a datastore that people filled before any node started the ClusterInformation and the tiers that Calico's tools
 * expect. What is there is left as it is. What fails is not told: the person asked for something else, and a node makes it too.
 */
export async function ensureClusterInformation(resources: ResourceClient): Promise<void> {
  try {
    await ensure(resources);
  } catch (error) {
    if (!(error instanceof StoreError)) throw error;
  }
}

async function ensure(resources: ResourceClient): Promise<void> {
  await ensureTiers(resources);
  const found = await resources.get("ClusterInformation", "default");
  if (found.kind === "ok" || found.reason !== "missing") return;
  await resources.create({
    kind: "ClusterInformation",
    apiVersion: "projectcalico.org/v3",
    metadata: { name: "default" },
    spec: { clusterGUID: randomUUID().replaceAll("-", ""), datastoreReady: true },
  });
}
