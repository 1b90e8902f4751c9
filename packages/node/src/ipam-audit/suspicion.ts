import { allocationsIn, type AuditedAllocation } from "@caracal/ipam";
import { IpAddress, Prefix } from "@caracal/net";
import type { AllocationBlock, Node, WorkloadEndpoint } from "@caracal/resources";
import { hostNameOf } from "../cni/attachment.ts";
import type { PodName } from "../cni/cni-call.ts";
import { ownAddressTexts } from "../endpoints/node-with-address.ts";

/** What is known of addresses and of those who may have them. */
export interface Evidence {
  readonly blocks: readonly AllocationBlock[];
  readonly endpoints: readonly WorkloadEndpoint[];
  readonly nodes: readonly Node[];
  /** Whether the node has an interface of that name: a pod whose interface is there may have its address, whatever is recorded. */
  readonly hasInterface: (name: string) => boolean;
  /** Of the host ends of pods; `cali` unless told. */
  readonly interfacePrefix?: string | undefined;
}

/**
 * What IPAM has given to a node's pods and nobody has. A handle's addresses go together: while one of them is somebody's, none
 * is suspected. Nor is anything of a pod that has an endpoint without addresses, or one of the very container of the handle.
 */
export function suspectsIn(evidence: Evidence, node: string): readonly AuditedAllocation[] {
  const isHeld = holderTest(evidence, node);
  const allocations = evidence.blocks
    .flatMap((block) => {
      const cidr = Prefix.parse(block.cidr);
      return cidr === undefined ? [] : allocationsIn(cidr, block);
    })
    .filter(({ isCoolingDown }) => !isCoolingDown);
  const held = new Set(allocations.filter(isHeld).map(({ handle }) => handle));
  // Without a handle nothing would keep a release from hitting the next owner.
  return allocations.filter(({ handle }) => handle !== undefined && !held.has(handle));
}

function holderTest(
  { endpoints, nodes, hasInterface, interfacePrefix }: Evidence,
  node: string,
): (allocation: AuditedAllocation) => boolean {
  const texts = [
    ...endpoints.flatMap(({ spec }) => spec.ipNetworks ?? []),
    ...nodes.flatMap((one) => ownAddressTexts(one)),
  ];
  const used = new Set(texts.flatMap((text) => Prefix.parseInterface(text)?.address ?? []).map(keyOf));
  const claimed = new Set(endpoints.map(({ spec }) => spec.interfaceName));
  const byPod = Map.groupBy(
    endpoints.filter(({ spec }) => spec.node === node),
    ({ metadata, spec }) => `${metadata.namespace ?? ""}/${spec.pod ?? ""}`,
  );
  return (allocation) => {
    const pod = podOf(allocation);
    if (pod === undefined || allocation.attribute.secondary?.["node"] !== node) return true;
    if (used.has(keyOf(allocation.address))) return true;
    const interfaceName = hostNameOf(pod, "", interfacePrefix);
    if (!claimed.has(interfaceName) && hasInterface(interfaceName)) return true;
    return (byPod.get(`${pod.namespace}/${pod.name}`) ?? []).some(
      ({ spec: { containerID, ipNetworks = [] } }) =>
        ipNetworks.length === 0 || (containerID && allocation.handle?.endsWith(`.${containerID}`)),
    );
  };
}

/** The owner, if it is a pod that has an endpoint while it lives: no tunnel, no other plugin's interface, no virtual machine. */
export function podOf({ attribute }: AuditedAllocation): PodName | undefined {
  const { pod, namespace, ...others } = attribute.secondary ?? {};
  const isPlain =
    attribute.alternateOwnerAttrs === undefined &&
    Object.keys(others).every((name) => name === "node" || name === "timestamp");
  return isPlain && pod && namespace ? { namespace, name: pod } : undefined;
}

/** IPv4 and IPv6 addresses of one number are two. */
function keyOf(address: IpAddress): string {
  return IpAddress.format(address);
}
