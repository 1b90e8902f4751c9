import { existsSync, readdirSync, readFileSync, rmdirSync, rmSync } from "node:fs";
import { basename, join } from "node:path";
import { FileLock } from "@caracal/linux";
import { IpAddress } from "@caracal/net";
import { handleOf } from "./attachment.ts";
import { CniCode, CniError } from "./cni-error.ts";
import { allocationAttributes, type CniServices } from "./operation.ts";

/** Where host-local keeps the addresses of Calico's network unless told otherwise. */
export const hostLocalDirectory = "/var/lib/cni/networks/k8s-pod-network";
const lockName = "lock";

/** What became of host-local's addresses. */
export interface Migrated {
  readonly assigned: number;
  /** Of containers that have no endpoint: nobody has them. */
  readonly forgotten: number;
}

/**
 * Takes over the addresses that host-local has given to the node's pods into Calico's IPAM, and removes host-local's record of
 * each (`calico-ipam -upgrade`). Killed half-way, it can be done again: an address whose file is still there and that is
 * assigned already is its own. Throws a `CniError` when an address cannot be taken over; what was done until then stays.
 */
export async function migrateHostLocal(services: CniServices, directory: string): Promise<Migrated> {
  if (!existsSync(directory)) return { assigned: 0, forgotten: 0 };
  // host-local's own: no address is given while this goes on.
  using lock = FileLock.tryOpen(join(directory, lockName));
  if (lock === undefined) {
    throw new CniError(CniCode.tryAgainLater, `host-local is at work in ${directory}`);
  }
  const stored = await services.records.list(services.node);
  const endpoints = new Map(stored.map(({ endpoint }) => [endpoint?.spec.containerID, endpoint]));
  let assigned = 0;
  let forgotten = 0;
  for (const name of readdirSync(directory)) {
    const address = IpAddress.parse(name.replaceAll("_", ":"));
    if (address === undefined) continue;
    const path = join(directory, name);
    // The container's id, and in a second line its interface.
    const containerId = (readFileSync(path, "utf8").split(/[\r\n]/)[0] ?? "").trim();
    const endpoint = endpoints.get(containerId);
    if (endpoint === undefined) {
      forgotten += 1;
    } else {
      const { pod } = endpoint.spec;
      const { namespace = "default" } = endpoint.metadata;
      const owner = pod === undefined ? undefined : { namespace, name: pod };
      await takeOver(services, handleOf(basename(directory), containerId), address, owner);
      assigned += 1;
    }
    rmSync(path);
  }
  removeRest(directory);
  return { assigned, forgotten };
}

async function takeOver(
  services: CniServices,
  handle: string,
  address: IpAddress,
  owner: { readonly namespace: string; readonly name: string } | undefined,
): Promise<void> {
  if ((await services.ipam.addressesOf(handle)).includes(address)) return;
  const outcome = await services.ipam.assign({
    handle,
    families: [IpAddress.family(address)],
    pools: { 4: [], 6: [] },
    certain: [address],
    attributes: allocationAttributes(services, owner),
  });
  if (outcome.kind === "assigned") {
    if (outcome.claimed.length > 0) await services.hooks.blocksClaimed(outcome.claimed);
    return;
  }
  const message = `host-local's address ${IpAddress.format(address)} cannot be taken over: ${outcome.reason}`;
  throw new CniError(CniCode.noAddress, message);
}

/** What host-local keeps besides addresses; anything else stays, and the directory with it. */
function removeRest(directory: string): void {
  for (const name of readdirSync(directory)) {
    if (name === lockName || name.startsWith("last_reserved_ip"))
      rmSync(join(directory, name), { force: true });
  }
  if (readdirSync(directory).length === 0) rmdirSync(directory);
}
