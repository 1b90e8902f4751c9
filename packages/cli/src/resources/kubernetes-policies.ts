import { type ResourceIdentity, resourceMessage } from "@caracal/datastore";
import { kubernetesPolicyPrefix } from "@caracal/resources";

/** Calico's words where a change is of a copy of a Kubernetes policy; `undefined` for everything else. */
export function kubernetesPolicyRefusal(operation: string, identity: ResourceIdentity): string | undefined {
  if (identity.kind !== "NetworkPolicy" || !identity.name.startsWith(kubernetesPolicyPrefix))
    return undefined;
  const reason = "kubernetes network policies must be managed through the kubernetes API";
  return resourceMessage.unsupported(operation, identity, reason);
}
