import { defaultAsNumber, parseResource, type Resource } from "@caracal/resources";
import type { ResourceSpec } from "./topology.ts";
import type { YamlValue } from "./yaml-value.ts";

/** Reads `resources`: each as `calicoctl apply` takes it, refused with its line where that would refuse it. */
export function readResources(value: YamlValue | undefined): readonly ResourceSpec[] {
  return (value?.list() ?? []).map((item) => {
    const reading = parseResource(item.toJs(), "user");
    if (reading.kind === "ok") {
      const { kind, metadata } = reading.value;
      return { kind, name: metadata.name, value: reading.value };
    }
    const [first] = reading.problems;
    if (first === undefined) return item.fail("it is no resource");
    const found = first.found === undefined ? "" : `"${first.found}": `;
    const allowed = first.allowed === undefined ? "" : `; there are ${first.allowed}`;
    return item.find(first.path).fail(`${found}${first.reason}${allowed}`);
  });
}

/** The AS a node speaks as: its own, else the cluster's, else the usual one. */
export function asNumberOfNode(resources: readonly ResourceSpec[], node: string): number {
  const own = resources.find(({ kind, name }) => kind === "Node" && name === node);
  const cluster = resources.find(({ kind, name }) => kind === "BGPConfiguration" && name === "default");
  return asNumberIn(own?.value) || asNumberIn(cluster?.value) || defaultAsNumber;
}

function asNumberIn(resource: Resource | undefined): number {
  if (resource?.kind === "Node") return resource.spec.bgp?.asNumber ?? 0;
  return resource?.kind === "BGPConfiguration" ? (resource.spec.asNumber ?? 0) : 0;
}
