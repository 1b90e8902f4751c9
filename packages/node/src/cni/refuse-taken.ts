import { IpAddress, type IpFamily } from "@caracal/net";
import type { Attachment } from "./attachment.ts";
import { CniCode, CniError } from "./cni-error.ts";
import type { CniServices } from "./operation.ts";
import type { PodRequest } from "./pod-request.ts";

/**
 * A pod may ask for an address, but not for another's: routes and neighbour entries would bring it what is meant for a
 * node or for another pod. IPAM itself sees to the addresses that are asked of it.
 */
export async function refuseTaken(
  services: CniServices,
  attachment: Attachment,
  { addresses, unmanaged, floating }: PodRequest,
): Promise<void> {
  for (const address of [...addresses, ...unmanaged, ...floating]) refuseNodes(services, address);
  for (const address of [...unmanaged, ...floating]) await refusePods(services, attachment, address);
  for (const address of unmanaged) {
    const { pool } = await services.ipam.standingOf(address);
    if (pool === undefined) continue;
    // IPAM does not know that it is in use, and would give it to somebody else.
    const details =
      "ask for it with ipAddrs, reserve it with an IPReservation, or take one outside of all pools";
    throw refusal(address, `is of pool ${pool}, which gives it to others`, details);
  }
}

export function refuseNodes(services: CniServices, address: IpAddress): void {
  const node = services.nodeWith(address);
  if (node !== undefined) throw refusal(address, `is node ${node}'s own`);
  switch (services.kernel.hostUse(address)) {
    case "own":
      throw refusal(address, "is of this node's own interfaces");
    case "gateway":
      // Its route to the pod would lead all that the node sends to the world there too.
      throw refusal(address, "is a gateway of this node");
    case undefined:
  }
}

/** A floating address stands for one of the pod's own of the same family. */
export function refuseUnmatched({ floating }: PodRequest, families: ReadonlySet<IpFamily>): void {
  const unmatched = floating.find((address) => !families.has(IpAddress.family(address)));
  if (unmatched === undefined) return;
  const family = IpAddress.family(unmatched);
  const text = IpAddress.format(unmatched);
  const message = `floatingIPs has ${text}, and the pod has no IPv${family} address`;
  throw new CniError(CniCode.invalidConfig, message);
}

async function refusePods(services: CniServices, attachment: Attachment, address: IpAddress): Promise<void> {
  const { holder } = await services.ipam.standingOf(address);
  if (holder !== undefined && holder !== attachment.handle) {
    throw refusal(address, "is assigned already", holder === "" ? "" : `its handle is ${holder}`);
  }
  const other = await services.records.findOther(address, attachment);
  if (other !== undefined) throw refusal(address, `is another pod's`, `its endpoint is ${other}`);
}

function refusal(address: IpAddress, reason: string, details = ""): CniError {
  return new CniError(CniCode.noAddress, `the address ${IpAddress.format(address)} ${reason}`, details);
}
