import { keys, type Store } from "@caracal/datastore";
import { isRecord, parseJson } from "@caracal/resources";
import type { PodName } from "../cni/cni-call.ts";

/** As Calico names Kubernetes' own kinds among its resources; the values are Kubernetes' documents. */
const podsPlural = "kubernetespods";

/** A pod's annotations as Kubernetes has them; none for a pod that it does not know. */
export async function podAnnotations(
  store: Store,
  { name, namespace }: PodName,
): Promise<ReadonlyMap<string, string>> {
  const entry = await store.get(keys.resource(podsPlural, name, namespace));
  const document = entry === undefined ? undefined : parseJson(entry.value);
  const { metadata } = document?.kind === "ok" && isRecord(document.value) ? document.value : {};
  const annotations = isRecord(metadata) ? metadata["annotations"] : undefined;
  return new Map(
    Object.entries(isRecord(annotations) ? annotations : {}).flatMap(([key, value]) =>
      typeof value === "string" ? [[key, value] as const] : [],
    ),
  );
}
