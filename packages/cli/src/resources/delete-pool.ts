import type { ResourceOutcome } from "@caracal/datastore";
import type { Connection } from "../connection/with-connection.ts";
import type { CliContext } from "../context.ts";
import { editResource } from "./edit-resource.ts";

/** How long nodes get to see that a pool is disabled before it goes (Calico's figure). */
const settleMs = 500;

/** Deletes a pool, disabled first: nobody takes an address of it in its last moment. */
export async function deletePool(
  ctx: CliContext,
  { resources }: Connection,
  name: string,
): Promise<ResourceOutcome> {
  const found = await resources.get("IPPool", name);
  if (found.kind === "failed") return found;
  if (found.resource.spec.disabled !== true) {
    const target = { kind: "IPPool", name, namespace: undefined } as const;
    const disabled = await editResource(resources, target, (pool) =>
      pool.kind === "IPPool" ? { ...pool, spec: { ...pool.spec, disabled: true } } : pool,
    );
    if (disabled.kind === "failed") return disabled;
    await ctx.sleep(settleMs);
  }
  return resources.delete("IPPool", name);
}
