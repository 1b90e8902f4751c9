import type { Resource } from "@caracal/resources";

/** A resource as another cluster could take it: without what this one gave it. */
export function withoutClusterFields<R extends Resource>(resource: R): R {
  const {
    uid: _uid,
    resourceVersion: _version,
    creationTimestamp: _time,
    namespace: _namespace,
    ownerReferences: _owners,
    ...metadata
  } = resource.metadata;
  return { ...resource, metadata };
}
