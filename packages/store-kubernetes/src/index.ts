/**
 * The `Store` port over a Kubernetes API server: Calico's keys outside; custom resources and Kubernetes' own objects inside.
 *
 * Standards: the Kubernetes API conventions (list, watch, bookmarks, preconditions), Calico's custom resources in both groups.
 * Not here: controllers, and anything that needs more of Kubernetes than its API.
 */
export { anonymous, type ApiServer, type Credentials, type Identity } from "./api/api-server.ts";
export type { ApiGroup } from "./collections/resource-collections.ts";
export { crdDocuments, ownCrdDocument } from "./crds/definitions.ts";
export { KubernetesStore, type KubernetesStoreOptions } from "./kubernetes-store.ts";
export { openKubernetesStore } from "./open-kubernetes-store.ts";
export { type IssuedToken, requestToken, type TokenRequest } from "./credentials/request-token.ts";
export type { FindOptions, Variables } from "./credentials/find-api-server.ts";
