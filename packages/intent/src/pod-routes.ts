import { Prefix } from "@caracal/net";
import type { WorkloadEndpoint } from "@caracal/resources";
import type { IntentProblem } from "./intent-problem.ts";
import { compareText } from "./intent-problem.ts";

/** The route to one of our own workloads: `10.244.83.129 dev cali… scope link`. */
export interface PodRoute {
  readonly prefix: Prefix;
  /** The host's end of the workload's interface. */
  readonly interfaceName: string;
  /** `namespace/name` of the endpoint. */
  readonly endpoint: string;
}

/** Routes to a node's own workloads, ordered by prefix; of two endpoints with one address the first by name has it. */
export function podRoutes(
  node: string,
  endpoints: readonly WorkloadEndpoint[],
  problems: IntentProblem[],
): readonly PodRoute[] {
  const routes = new Map<string, PodRoute>();
  const local = endpoints.filter(({ spec }) => spec.node === node);
  for (const { metadata, spec } of local.toSorted((a, b) => compareText(identity(a), identity(b)))) {
    const endpoint = `${metadata.namespace ?? ""}/${metadata.name}`;
    const about = `WorkloadEndpoint(${endpoint})`;
    if (spec.interfaceName === undefined) {
      problems.push({ about, message: "has no interfaceName, so nothing is routed to it" });
      continue;
    }
    for (const { prefix, key } of networksOf(spec)) {
      const holder = routes.get(key);
      if (holder === undefined) routes.set(key, { prefix, interfaceName: spec.interfaceName, endpoint });
      else
        problems.push({ about, message: `has the address ${key} of WorkloadEndpoint(${holder.endpoint})` });
    }
  }
  return [...routes.values()].toSorted((a, b) => Prefix.compare(a.prefix, b.prefix));
}

interface Network {
  readonly prefix: Prefix;
  readonly key: string;
}

/** A node's pods are gone through at every change of one of them, and what is read once stays as it is. */
const networks = new WeakMap<WorkloadEndpoint["spec"], readonly Network[]>();

function networksOf(spec: WorkloadEndpoint["spec"]): readonly Network[] {
  const known = networks.get(spec);
  if (known !== undefined) return known;
  const found = (spec.ipNetworks ?? []).flatMap((text) => {
    const prefix = Prefix.parse(text);
    return prefix === undefined ? [] : [{ prefix, key: Prefix.key(prefix) }];
  });
  networks.set(spec, found);
  return found;
}

function identity({ metadata }: WorkloadEndpoint): string {
  return `${metadata.namespace ?? ""}/${metadata.name}`;
}
