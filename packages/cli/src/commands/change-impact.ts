import { keys, MemoryStore, ResourceClient, type ResourceOutcome, type Store } from "@caracal/datastore";
import { type ClusterSnapshot, type Impact, impactOf, isHarmful } from "@caracal/insight";
import { kinds, type Resource, type WorkloadEndpoint } from "@caracal/resources";
import { CliError } from "../cli-error.ts";
import type { Connection } from "../connection/with-connection.ts";
import type { CliContext } from "../context.ts";
import { knowCluster } from "../insight/ask-cluster.ts";
import { impactText } from "../insight/impact-text.ts";

/** Exit code when something that works now would not work any more. */
const harmfulExitCode = 2;

export interface ImpactQuestion {
  readonly store: Store;
  /** Makes the change, and gives what failed of it. */
  readonly change: (copy: Connection) => Promise<readonly string[]>;
  readonly isJson: boolean;
}

/** Says what a change would do: makes it in a copy of the datastore, and compares the two clusters. */
export async function showImpact(
  ctx: CliContext,
  { store, change, isJson }: ImpactQuestion,
): Promise<number> {
  const { impact, nodeCount } = await foresee(ctx, store, async (copy) => {
    const errors = await change(copy);
    if (errors.length > 0) throw new CliError(`the change would fail: ${errors.join("; ")}`);
  });
  ctx.stdout.write(isJson ? `${JSON.stringify(impact, null, 2)}\n` : impactText(impact, nodeCount));
  return isHarmful(impact) ? harmfulExitCode : 0;
}

/** Resources to create or update, as `showImpact` wants a change. */
export function changesOf({
  store,
  wanted,
  isAllowed,
  change,
}: {
  readonly store: Store;
  readonly wanted: readonly Resource[];
  /** Why people may not change it, if they may not. */
  readonly isAllowed: (resource: Resource) => string | undefined;
  readonly change: (resources: ResourceClient, resource: Resource) => Promise<ResourceOutcome>;
}): ImpactQuestion["change"] {
  return async ({ resources }) => {
    const errors: string[] = [];
    for (const resource of wanted) {
      const refusal = isAllowed(resource);
      if (refusal !== undefined) {
        errors.push(refusal);
        continue;
      }
      const outcome = await change(resources, await atCopiedVersion(resource, store, resources));
      if (outcome.kind !== "ok") errors.push(outcome.message);
    }
    return errors;
  };
}

/**
 * The resource for a copy of `store`: the version that a person read it at is the store's own, and the copy has others. An
 * old version stays, and conflicts.
 */
export async function atCopiedVersion(
  resource: Resource,
  store: Store,
  copy: ResourceClient,
): Promise<Resource> {
  const { resourceVersion, name, namespace } = resource.metadata;
  if (resourceVersion === undefined || resourceVersion === "") return resource;
  const { plural, isNamespaced } = kinds[resource.kind];
  const entry = await store.get(keys.resource(plural, name, isNamespaced ? namespace : undefined));
  if (entry?.revision !== resourceVersion) return resource;
  const found = await copy.get(resource.kind, name, namespace);
  if (found.kind === "failed") return resource;
  const { resourceVersion: copied } = found.resource.metadata;
  return copied === undefined
    ? resource
    : { ...resource, metadata: { ...resource.metadata, resourceVersion: copied } };
}

/** Makes a change in a copy of the datastore, and compares the cluster before and after. */
export async function foresee(
  ctx: CliContext,
  store: Store,
  change: (copy: Connection) => Promise<void>,
): Promise<{ readonly impact: Impact; readonly nodeCount: number }> {
  const copy = await copyOf(store);
  const resources = new ResourceClient(copy, { now: () => ctx.now().toISOString(), uuid: () => "dry-run" });
  await change({ store: copy, resources, datastoreType: "etcdv3" });
  const before = await knowCluster(store);
  const after = await knowCluster(copy);
  try {
    return {
      impact: impactOf(before, { ...after, cluster: withPodsOf(after.cluster, before.cluster) }),
      nodeCount: after.intents.size,
    };
  } catch (error) {
    if (error instanceof RangeError)
      throw new CliError(`cannot foresee the impact: ${error.message}`, { cause: error });
    throw error;
  }
}

/** A pod whose record goes is a pod that is lost. */
function withPodsOf(after: ClusterSnapshot, before: ClusterSnapshot): ClusterSnapshot {
  const endpoints = new Map<string, WorkloadEndpoint>();
  for (const endpoint of [...before.endpoints, ...after.endpoints]) {
    endpoints.set(`${endpoint.metadata.namespace ?? ""}/${endpoint.metadata.name}`, endpoint);
  }
  return { ...after, endpoints: [...endpoints.values()] };
}

/** A copy of all that Calico keeps in a datastore, to try things in. */
export async function copyOf(store: Store): Promise<MemoryStore> {
  const copy = new MemoryStore({ wording: async (key, state) => store.wording?.(key, state) });
  for (const { key, value } of (await store.list(keys.root)).entries) await copy.create(key, value);
  return copy;
}
