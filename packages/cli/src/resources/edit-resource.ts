import { type ResourceClient, type ResourceOutcome, resourceMessage } from "@caracal/datastore";
import { type KindName, kinds, type Resource } from "@caracal/resources";

/** Attempts when others write at the same time. */
const maxAttempts = 5;

/** Reads a resource, changes it and writes it back; what another wrote meanwhile is read anew and changed instead. */
export async function editResource(
  resources: ResourceClient,
  {
    kind,
    name,
    namespace,
  }: { readonly kind: KindName; readonly name: string; readonly namespace: string | undefined },
  change: (resource: Resource) => Resource,
): Promise<ResourceOutcome> {
  if (!kinds[kind].operations.includes("update")) {
    return {
      kind: "failed",
      reason: "refused",
      message: resourceMessage.unsupported("Update", { kind, name, namespace }),
    };
  }
  for (let attempt = 1; ; attempt++) {
    const found = await resources.get(kind, name, namespace);
    if (found.kind === "failed") return found;
    const outcome = await resources.update(change(found.resource));
    const isConflict = outcome.kind === "failed" && outcome.reason === "conflict";
    if (!isConflict || attempt >= maxAttempts) return outcome;
  }
}
