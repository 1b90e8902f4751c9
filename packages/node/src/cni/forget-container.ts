import { nameAttachment } from "./attachment.ts";
import type { CniCall } from "./cni-call.ts";
import { deletePod } from "./delete-pod.ts";
import { parseNetworkConfig } from "./network-config.ts";
import { type CniServices, ownIpam } from "./operation.ts";

/** A container that is no Kubernetes pod, of `calico-ipam`'s addresses. */
export interface ContainerToForget {
  readonly containerId: string;
  readonly ifname: string;
  readonly network: string;
}

/**
 * Does what the DEL of a container would do that will not come. In the container's turn: whether it has gone is asked once more,
 * and says so when it was forgotten.
 */
export async function forgetContainer(
  services: CniServices,
  container: ContainerToForget,
  inTurn: (hostName: string, work: () => Promise<boolean>) => Promise<boolean>,
  isGone: () => boolean,
): Promise<boolean> {
  const config = { cniVersion: "1.0.0", name: container.network, type: "calico", ipam: { type: ownIpam } };
  const call: CniCall = {
    plugin: "calico",
    command: "DEL",
    containerId: container.containerId,
    netns: "",
    ifname: container.ifname,
    args: "",
    path: "",
    stdin: JSON.stringify(config),
  };
  const parsed = parseNetworkConfig(call.stdin);
  const attachment = nameAttachment(call, parsed, services);
  return inTurn(attachment.hostName, async () => {
    const stored = await services.records.find(attachment);
    if (stored?.endpoint?.spec.containerID !== container.containerId || !isGone()) return false;
    await deletePod(services, { call, config: parsed, attachment, checkDeadline: () => undefined });
    return true;
  });
}
