import { apiVersion, fixedTiers } from "@caracal/resources";
import type { ResourceClient } from "./resource-client.ts";

/** Creates those of the tiers that every cluster has which are not there. Another may create them at the same time. */
export async function ensureTiers(client: ResourceClient): Promise<void> {
  const { items } = await client.list("Tier");
  const known = new Set(items.map(({ metadata }) => metadata.name));
  for (const [name, spec] of Object.entries(fixedTiers)) {
    if (!known.has(name)) await client.create({ kind: "Tier", apiVersion, metadata: { name }, spec });
  }
}
