import { fields, list } from "./service.ts";

/** What routing needs of a Kubernetes EndpointSlice (discovery.k8s.io/v1). */
export interface KubernetesEndpointSlice {
  readonly namespace: string;
  readonly name: string;
  /** The service it belongs to, in the same namespace. */
  readonly service: string;
  /** Kubernetes' names of the nodes with a ready endpoint, each once; the empty name for one without a node. */
  readonly readyNodes: readonly string[];
}

const serviceLabel = "kubernetes.io/service-name";

/** Reads an EndpointSlice document; `undefined` for anything else, and for one that belongs to no service. */
export function readKubernetesEndpointSlice(document: unknown): KubernetesEndpointSlice | undefined {
  const { metadata, endpoints } = fields(document);
  const { name, namespace, labels } = fields(metadata);
  const service = fields(labels)[serviceLabel];
  if (typeof name !== "string" || typeof namespace !== "string" || typeof service !== "string")
    return undefined;
  const nodes = list(endpoints)
    .map(fields)
    // Kubernetes' API: a readiness that is not told counts as ready.
    .filter(({ conditions }) => fields(conditions)["ready"] !== false)
    .map(({ nodeName }) => (typeof nodeName === "string" ? nodeName : ""));
  return { namespace, name, service, readyNodes: [...new Set(nodes)].toSorted() };
}
