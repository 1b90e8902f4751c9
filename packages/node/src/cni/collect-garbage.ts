import { parseWorkloadEndpointName } from "@caracal/resources";
import { type Attachment, handleOf, hostNameOf } from "./attachment.ts";
import type { CniCall, PodName } from "./cni-call.ts";
import { CniCode, CniError } from "./cni-error.ts";
import { deletePod } from "./delete-pod.ts";
import { networkAnnotation } from "./endpoint-records.ts";
import type { NetworkConfig } from "./network-config.ts";
import { type CniServices, type Operation, ownIpam } from "./operation.ts";

/** Runs a removal when the orphan's pod has its turn. */
export type InTurn = (
  orphan: Attachment,
  remove: (operation: Operation) => Promise<void>,
) => Promise<unknown>;

/**
 * GC: removes what the node holds for attachments of this network that the runtime does not know. An allocation's handle
 * starts with its network's name, and that is the proof of which network an endpoint belongs to; endpoints without an
 * allocation of Calico's IPAM are marked with it. Another IPAM plugin is then told to collect its own.
 */
export async function collectGarbage(
  services: CniServices,
  call: CniCall,
  config: NetworkConfig,
  inTurn: InTurn,
): Promise<void> {
  const valid = config.validAttachments;
  if (valid === undefined) throw new CniError(CniCode.invalidConfig, "GC needs cni.dev/valid-attachments");
  const isOwn = config.ipam.type === ownIpam;
  const known = new Set(valid.map(({ containerId }) => containerId));
  const prefix = handleOf(config.name, "");
  const stored = await services.records.list(services.node);
  const handles = isOwn ? await services.ipam.handlesOf(prefix) : [];
  const byContainer = new Map(stored.map((one) => [one.endpoint?.spec.containerID, one.endpoint]));
  const marked = stored.flatMap(({ endpoint }) => {
    const { metadata, spec } = endpoint ?? {};
    if (metadata?.annotations?.[networkAnnotation] !== config.name || spec?.containerID === undefined)
      return [];
    return [handleOf(config.name, spec.containerID)];
  });
  const failures: unknown[] = [];
  for (const handle of new Set([...handles, ...marked])) {
    const containerId = handle.slice(prefix.length);
    if (known.has(containerId)) continue;
    const endpoint = byContainer.get(containerId);
    const orphan = orphanOf(services, handle, containerId, endpoint?.metadata);
    try {
      await inTurn(orphan, (operation) => deletePod(services, operation));
    } catch (error) {
      failures.push(error);
    }
  }
  // CNI 1.1.0, "Delegated plugin execution procedure": delegated plugins are executed too.
  if (!isOwn) await services.runIpamPlugin(config.ipam.type, call, "GC");
  if (failures.length > 0) throw failures[0];
}

/** The DEL that the runtime did not make, as a delegated plugin is called for it. */
export function deletionOf(call: CniCall, { containerId, ifname, pod }: Attachment): CniCall {
  const args =
    pod === undefined ? "" : `IgnoreUnknown=1;K8S_POD_NAMESPACE=${pod.namespace};K8S_POD_NAME=${pod.name}`;
  return { ...call, command: "DEL", containerId, ifname, netns: "", args };
}

interface EndpointMetadata {
  readonly name?: string | undefined;
  readonly namespace?: string | undefined;
}

/** The attachment as its ADD named it, from what that ADD left. */
function orphanOf(
  { interfacePrefix }: Pick<CniServices, "interfacePrefix">,
  handle: string,
  containerId: string,
  metadata: EndpointMetadata | undefined,
): Attachment {
  const endpointName = metadata?.name ?? "";
  const endpointNamespace = metadata?.namespace ?? "default";
  const parts = parseWorkloadEndpointName(endpointName);
  const pod: PodName | undefined =
    parts?.orchestrator === "k8s" ? { namespace: endpointNamespace, name: parts.workload } : undefined;
  return {
    containerId,
    netns: "",
    ifname: parts?.endpoint ?? "",
    pod,
    orchestrator: pod === undefined ? "cni" : "k8s",
    handle,
    hostName: hostNameOf(pod, containerId, interfacePrefix),
    endpointName,
    endpointNamespace,
  };
}
