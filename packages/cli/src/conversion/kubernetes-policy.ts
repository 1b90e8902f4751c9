import { calicoPolicySpec } from "@caracal/resources";
import { partOf, present, type RawDocument, refuseStray, textOf } from "./document-parts.ts";

/** A Kubernetes NetworkPolicy as a NetworkPolicy of Calico's, with the same meaning. */
export function convertKubernetesPolicy(document: RawDocument): RawDocument {
  const { name, namespace, labels, annotations } = partOf(document, "metadata");
  return {
    apiVersion: "projectcalico.org/v3",
    kind: "NetworkPolicy",
    metadata: present({ name, namespace: textOf(namespace) || "default", labels, annotations }),
    spec: calicoPolicySpec(partOf(document, "spec"), refuseStray),
  };
}
