import { kinds, type Reading, type Resource, writeJson } from "@caracal/resources";
import { compareKeys } from "./key-order.ts";

/**
 * The resource as it will be stored and read again: with this metadata, the labels that Calico forces, and defaults. The
 * reader also puts the fields in Calico's order, and shows here, before anything is stored, what could not be read again.
 */
export function completeResource(
  resource: Resource,
  set: { readonly uid: string; readonly creationTimestamp: string },
): Reading<Resource> {
  const { annotations } = resource.metadata;
  const labels =
    resource.kind === "WorkloadEndpoint"
      ? {
          ...resource.metadata.labels,
          "projectcalico.org/namespace": resource.metadata.namespace ?? "",
          "projectcalico.org/orchestrator": resource.spec.orchestrator ?? "",
        }
      : resource.metadata.labels;
  const metadata = {
    ...resource.metadata,
    ...set,
    ...(labels === undefined ? {} : { labels: sorted(labels) }),
    ...(annotations === undefined ? {} : { annotations: sorted(annotations) }),
  };
  const { parse } = kinds[resource.kind];
  const reading: Reading<Resource> = parse({ ...resource, metadata }, "store");
  // Defaults that follow from other fields, a pool's block size, only find their place when read again.
  return reading.kind === "ok" ? parse(reading.value, "store") : reading;
}

/** The JSON text to store: `resourceVersion` and `selfLink` are of one reading, not of the resource. */
export function storedText(resource: Resource): string {
  const { resourceVersion: _version, selfLink: _link, ...metadata } = resource.metadata;
  return writeJson({ ...resource, metadata });
}

/** Go writes maps ordered by key. */
function sorted(map: Readonly<Record<string, string>>): Readonly<Record<string, string>> {
  return Object.fromEntries(Object.entries(map).toSorted(([a], [b]) => compareKeys(a, b)));
}
