import type { Collection } from "./collection.ts";
import { ipamCollections } from "./ipam-collections.ts";
import { kubernetesCollections } from "./kubernetes-collections.ts";
import { nodeCollection } from "./node-collection.ts";
import { ownEntries } from "./own-entries.ts";
import { podCollection } from "./pod-collection.ts";
import { profileCollections } from "./profile-collections.ts";
import { type ApiGroup, resourceCollections } from "./resource-collections.ts";

/** What a server has of that which differs between clusters. */
export interface Findings {
  /** Where Calico's resources are. */
  readonly apiGroup: ApiGroup;
  /** The version of discovery.k8s.io. */
  readonly sliceVersion: string;
}

/**
 * Everything that the store shows of a cluster. Where two collections share a prefix, the one with the narrower keys comes
 * first.
 */
export function catalogue({ apiGroup, sliceVersion }: Findings): readonly Collection[] {
  return [
    ...kubernetesCollections(sliceVersion),
    nodeCollection,
    podCollection,
    ...profileCollections,
    ...resourceCollections(apiGroup),
    ...ipamCollections(apiGroup),
    ownEntries,
  ];
}
