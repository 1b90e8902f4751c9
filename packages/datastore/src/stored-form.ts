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
  const { parse } = kinds[resource.kind];
  const metadata = { ...resource.metadata, ...set };
  const reading: Reading<Resource> = parse({ ...resource, metadata }, "write");
  // Defaults that follow from other fields, a pool's block size, only find their place when read again.
  const again = reading.kind === "ok" ? parse(reading.value, "write") : reading;
  return again.kind === "ok" ? { kind: "ok", value: withSortedMaps(again.value) } : again;
}

/** The JSON text to store: `resourceVersion` and `selfLink` are of one reading, not of the resource. */
export function storedText(resource: Resource): string {
  const stored = kinds[resource.kind].forStore(resource);
  const { resourceVersion: _version, selfLink: _link, ...metadata } = stored.metadata;
  return writeJson({ ...stored, metadata });
}

/** Maps that grew on the way, in the order they would be read in. */
function withSortedMaps(resource: Resource): Resource {
  const { labels, annotations } = resource.metadata;
  const maps = {
    ...(labels === undefined ? {} : { labels: sorted(labels) }),
    ...(annotations === undefined ? {} : { annotations: sorted(annotations) }),
  };
  return { ...resource, metadata: { ...resource.metadata, ...maps } };
}

/** Go writes maps ordered by key. */
function sorted(map: Readonly<Record<string, string>>): Readonly<Record<string, string>> {
  return Object.fromEntries(Object.entries(map).toSorted(([a], [b]) => compareKeys(a, b)));
}
