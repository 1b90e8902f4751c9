import { IpAddress, Prefix } from "@caracal/net";
import { defaultRoutesOf, podInterface } from "./add-pod.ts";
import { CniCode, CniError } from "./cni-error.ts";
import { type CniInterface, emptyResult } from "./cni-result.ts";
import { readPodRequest } from "./pod-request.ts";
import { type CniServices, type Operation, ownIpam } from "./operation.ts";

/** CHECK of plugin `calico`: throws unless record, allocation and kernel are as ADD left them. */
export async function checkPod(services: CniServices, operation: Operation): Promise<void> {
  const { attachment, config, call } = operation;
  const { previous } = config;
  if (previous === undefined) throw new CniError(CniCode.invalidConfig, "CHECK needs prevResult");
  if (!services.kernel.hasNamespace(attachment.netns)) {
    throw new CniError(CniCode.unknownContainer, "CNI_NETNS leads to no network namespace", attachment.netns);
  }
  const spec = (await services.records.find(attachment))?.endpoint?.spec;
  if (spec === undefined || spec.containerID !== attachment.containerId) {
    throw new CniError(
      CniCode.unknownContainer,
      `the datastore has no endpoint of container ${attachment.containerId}`,
    );
  }
  const addresses = (spec.ipNetworks ?? []).flatMap((text) => Prefix.parseInterface(text)?.address ?? []);
  const differences = previousDifferences(operation, addresses);
  const request = readPodRequest(call, config);
  if (request.unmanaged.length > 0) {
    differences.push(...missingFrom(request.unmanaged, addresses, "is not the endpoint's"));
  } else if (config.ipam.type === ownIpam) {
    differences.push(
      ...missingFrom(addresses, await services.ipam.addressesOf(attachment.handle), "is not allocated"),
    );
  } else {
    await services.runIpamPlugin(config.ipam.type, call, "CHECK");
  }
  // Routes of a delegated IPAM plugin are not recorded; the host's default stands for them.
  const routes = config.ipam.type === ownIpam ? defaultRoutesOf(addresses) : [];
  // CNI 1.1.0, "CHECK": a later plugin of the chain may have changed what its result then says. A Kubernetes datastore keeps no MAC.
  const made = interfaceIn(operation);
  const shape = { mtu: made?.mtu, mac: made?.mac?.toLowerCase() ?? spec.mac };
  const state = services.kernel.inspect({
    ...podInterface(services, operation, { addresses, routes, request }),
    ...shape,
  });
  if (state === undefined)
    differences.push(`${attachment.ifname} and ${attachment.hostName} are not there as a pair`);
  else differences.push(...state.differences);
  const [first] = differences;
  if (first !== undefined) throw new CniError(CniCode.checkFailed, first, differences.slice(1).join("; "));
}

/** The runtime's memory of the ADD against the record. */
function previousDifferences(operation: Operation, addresses: readonly IpAddress[]): string[] {
  const { attachment, config } = operation;
  const { interfaces, ips } = config.previous ?? emptyResult;
  const made = interfaceIn(operation);
  const index = made === undefined ? -1 : interfaces.indexOf(made);
  if (index < 0) return [`prevResult has no interface ${attachment.ifname} in the container`];
  const remembered = ips.filter((ip) => ip.interface === index).map(({ address }) => address);
  return [
    ...missingFrom(addresses, remembered, "is not in prevResult"),
    ...missingFrom(remembered, addresses, "is in prevResult but not the endpoint's"),
  ];
}

/** The pod's interface as the chain's last plugin left it. */
function interfaceIn({ attachment, config }: Operation): CniInterface | undefined {
  return config.previous?.interfaces.find(
    ({ name, sandbox }) => name === attachment.ifname && (sandbox ?? "") !== "",
  );
}

function missingFrom(
  wanted: readonly IpAddress[],
  found: readonly IpAddress[],
  complaint: string,
): readonly string[] {
  return wanted
    .filter((address) => !found.includes(address))
    .map((address) => `${IpAddress.format(address)} ${complaint}`);
}
