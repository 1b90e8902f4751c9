import type { ResourceOutcome } from "@caracal/datastore";
import type { AddressUser } from "@caracal/ipam";
import { IpAddress, Prefix } from "@caracal/net";
import type { Connection } from "../connection/with-connection.ts";
import type { CliContext } from "../context.ts";
import { openIpam } from "../ipam/open-ipam.ts";
import { editResource } from "./edit-resource.ts";

/** How long nodes get to see that a pool is disabled before it goes (Calico's figure). */
const settleMs = 500;
/** Users that one message names. */
const maxNamed = 20;

/**
 * Deletes a pool, disabled first: nobody takes an address of it in its last moment. Its blocks lose their owners. A pool
 * whose addresses are in use stays as it is, unless forced: its pods would lose their routes.
 */
export async function deletePool(
  ctx: CliContext,
  connection: Connection,
  name: string,
  { isForced }: { readonly isForced: boolean },
): Promise<ResourceOutcome> {
  const { resources } = connection;
  const found = await resources.get("IPPool", name);
  if (found.kind === "failed") return found;
  const range = Prefix.parseInterface(found.resource.spec.cidr)?.network;
  const ipam = openIpam(ctx, connection, "");
  const usersNow = async (): Promise<readonly AddressUser[]> =>
    range === undefined || isForced ? [] : ipam.usersWithin(range);
  const users = await usersNow();
  if (users.length > 0) return inUse(name, users);
  if (found.resource.spec.disabled !== true) {
    const disabled = await setDisabled(connection, name, true);
    if (disabled.kind === "failed") return disabled;
    await ctx.sleep(settleMs);
    const late = await usersNow();
    if (late.length > 0) {
      await setDisabled(connection, name, false);
      return inUse(name, late);
    }
  }
  // Blocks of a pool that is gone would count against their nodes' limits for ever.
  if (range !== undefined) await ipam.releaseRange(range);
  return resources.delete("IPPool", name);
}

function setDisabled({ resources }: Connection, name: string, disabled: boolean): Promise<ResourceOutcome> {
  const target = { kind: "IPPool", name, namespace: undefined } as const;
  return editResource(resources, target, (pool) =>
    pool.kind === "IPPool" ? { ...pool, spec: { ...pool.spec, disabled } } : pool,
  );
}

function inUse(name: string, users: readonly AddressUser[]): ResourceOutcome {
  const named = users.slice(0, maxNamed).map((user) => `${IpAddress.format(user.address)} ${nameOf(user)}`);
  const more = users.length > maxNamed ? [`and ${users.length - maxNamed} more`] : [];
  const message =
    `IPPool(${name}) is in use: ${[...named, ...more].join(", ")}. ` +
    "Disable the pool and start these anew, or repeat with --force";
  return { kind: "failed", reason: "refused", message };
}

function nameOf({ handle, attributes }: AddressUser): string {
  const { pod, namespace, node } = attributes;
  const where = node === undefined ? "" : ` on ${node}`;
  if (pod !== undefined) return `pod ${namespace ?? ""}/${pod}${where}`;
  return `${handle === undefined ? "nobody's" : `handle ${handle}`}${where}`;
}
