import type { ApiClient } from "../api/api-client.ts";
import { fields, list, text } from "../api/json-fields.ts";
import type { Findings } from "../collections/catalogue.ts";
import type { ApiGroup } from "../collections/resource-collections.ts";

/** What the server has. */
export async function discover(client: ApiClient, told: ApiGroup | undefined): Promise<Findings> {
  const { document } = await client.request({ method: "GET", path: "/apis" });
  const groups = new Map(
    list(fields(document)["groups"]).map((group) => [text(fields(group)["name"]), fields(group)] as const),
  );
  // Beside the classic group, the other one is an API server's view of it, not another place.
  const isNative = groups.has("projectcalico.org") && !groups.has("crd.projectcalico.org");
  const sliceVersions = list(groups.get("discovery.k8s.io")?.["versions"]).map(
    (one) => fields(one)["version"],
  );
  return {
    apiGroup: told ?? (isNative ? "projectcalico.org" : "crd.projectcalico.org"),
    sliceVersion: sliceVersions.length === 0 || sliceVersions.includes("v1") ? "v1" : "v1beta1",
  };
}
