import { IpAddress } from "@caracal/net";
import { namespaceLabels } from "./add-pod.ts";
import { formerHandleOf, handleOf } from "./attachment.ts";
import { type CniCall, checkAttachmentVariables, parseArguments, podOf } from "./cni-call.ts";
import { CniCode, CniError } from "./cni-error.ts";
import { type CniResult, hostRoutes } from "./cni-result.ts";
import type { NetworkConfig } from "./network-config.ts";
import { allocationAttributes, type CniServices } from "./operation.ts";
import { refuseNodes } from "./refuse-taken.ts";
import { requestedAddresses, requestedFamilies } from "./requested-address.ts";

/** ADD of plugin `calico-ipam` for another interface plugin: the addresses alone, the same ones however often it is called. */
export async function assignForPlugin(
  services: CniServices,
  call: CniCall,
  config: NetworkConfig,
): Promise<CniResult> {
  checkAttachmentVariables(call);
  const pod = podOf(parseArguments(call.args));
  const handle = handleOf(config.name, call.containerId);
  const wanted = requestedAddresses(call, config);
  for (const address of wanted) refuseNodes(services, address);
  const held = await services.ipam.addressesOf(handle);
  const families = requestedFamilies(call, config).filter(
    (family) => !held.some((address) => IpAddress.family(address) === family),
  );
  if (families.length === 0) return resultOf(held);
  const outcome = await services.ipam.assign({
    handle,
    families,
    pools: config.ipam.pools,
    namespaceLabels: namespaceLabels(
      pod,
      pod === undefined ? undefined : await services.namespaceFacts(pod.namespace),
    ),
    ...(wanted.length > 0 && { certain: wanted }),
    // An audit must not look for an endpoint: the other plugin makes none.
    attributes: { ...allocationAttributes(services, pod), note: "assigned for another plugin" },
  });
  if (outcome.kind === "refused") throw new CniError(CniCode.noAddress, outcome.reason);
  if (outcome.claimed.length > 0) await services.hooks.blocksClaimed(outcome.claimed);
  return resultOf([...held, ...outcome.addresses]);
}

export async function releaseForPlugin(
  services: CniServices,
  call: CniCall,
  config: NetworkConfig,
): Promise<void> {
  checkAttachmentVariables(call);
  const isReleased = await services.ipam.release(handleOf(config.name, call.containerId));
  // As of `calico` itself: what Calico 2 has left.
  const former = formerHandleOf(config.name, podOf(parseArguments(call.args)), call.containerId);
  if (!isReleased && former !== undefined) await services.ipam.release(former);
}

/** CHECK: every address that ADD gave is still the container's. */
export async function checkForPlugin(
  services: CniServices,
  call: CniCall,
  config: NetworkConfig,
): Promise<void> {
  checkAttachmentVariables(call);
  const held = await services.ipam.addressesOf(handleOf(config.name, call.containerId));
  const missing = (config.previous?.ips ?? []).find(({ address }) => !held.includes(address));
  if (missing !== undefined) {
    throw new CniError(
      CniCode.checkFailed,
      `${IpAddress.format(missing.address)} is not allocated to the container`,
    );
  }
  if (held.length === 0) throw new CniError(CniCode.checkFailed, "no address is allocated to the container");
}

/** Calico's form: each address alone in its network, and a route to it. */
function resultOf(addresses: readonly IpAddress[]): CniResult {
  const lengthOf = (address: IpAddress): number => (IpAddress.isIpv4(address) ? 32 : 128);
  return {
    interfaces: [],
    ips: addresses.map((address) => ({ address, prefixLength: lengthOf(address) })),
    routes: hostRoutes(addresses),
    dns: undefined,
  };
}
