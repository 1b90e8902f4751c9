import { keys, type Revision } from "@caracal/datastore";
import { Prefix } from "@caracal/net";
import { countByHandle, written } from "./block.ts";
import type { IpamRecords } from "./ipam-records.ts";

/**
 * Deletes a handle that counts addresses which no block gives it, if it is still the one of `revision`; says whether it
 * did. Each block that is counted is written first, as handle-count.ts demands: an assignment that was counted and not
 * written must not succeed uncounted.
 */
export async function deleteIdleHandle(
  { blocks, handles }: IpamRecords,
  id: string,
  revision: Revision,
): Promise<boolean> {
  const handle = await handles.get(keys.handle(id));
  if (handle === undefined || handle.revision !== revision) return false;
  for (const text of Object.keys(handle.record.block)) {
    const cidr = Prefix.parse(text);
    const block = cidr === undefined ? undefined : await blocks.get(keys.block(cidr));
    if (block === undefined) continue;
    if (countByHandle(block.record).has(id)) return false;
    if ((await blocks.update(block, written(block.record))).kind !== "ok") return false;
  }
  return (await handles.delete(handle)).kind === "ok";
}
