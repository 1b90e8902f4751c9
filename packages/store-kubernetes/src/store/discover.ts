import { StoreError } from "@caracal/datastore";
import type { ApiClient } from "../api/api-client.ts";
import { fields, list, text } from "../api/json-fields.ts";
import type { Findings } from "../collections/catalogue.ts";
import type { ApiGroup } from "../collections/resource-collections.ts";

/** What is assumed of a server that does not let us ask: what it has for us, it will say of each request. */
const assumed: Findings = { apiGroup: "crd.projectcalico.org", sliceVersion: "v1" };

/** What the server has; `isCertain` is false when it was not to be found out. */
export async function discover(
  client: ApiClient,
  told: ApiGroup | undefined,
): Promise<Findings & { readonly isCertain: boolean }> {
  let document: unknown;
  try {
    ({ document } = await client.request({ method: "GET", path: "/apis" }));
  } catch (error) {
    if (!(error instanceof StoreError) || error.code !== "unauthorized") throw error;
    return { ...assumed, ...(told === undefined ? {} : { apiGroup: told }), isCertain: false };
  }
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
    // Where neither group is yet, either may come.
    isCertain: told !== undefined || groups.has("crd.projectcalico.org") || groups.has("projectcalico.org"),
  };
}
