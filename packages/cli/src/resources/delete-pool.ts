import type { ResourceOutcome } from "@caracal/datastore";
import { Prefix } from "@caracal/net";
import type { Connection } from "../connection/with-connection.ts";
import type { CliContext } from "../context.ts";
import { openIpam } from "../ipam/open-ipam.ts";
import { editResource } from "./edit-resource.ts";

/** How long nodes get to see that a pool is disabled before it goes (Calico's figure). */
const settleMs = 500;

/** Deletes a pool, disabled first: nobody takes an address of it in its last moment. Its blocks lose their owners. */
export async function deletePool(
  ctx: CliContext,
  connection: Connection,
  name: string,
): Promise<ResourceOutcome> {
  const { resources } = connection;
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
  const range = Prefix.parseInterface(found.resource.spec.cidr)?.network;
  // Blocks of a pool that is gone would count against their nodes' limits for ever.
  if (range !== undefined) await openIpam(ctx, connection, "").releaseRange(range);
  return resources.delete("IPPool", name);
}
