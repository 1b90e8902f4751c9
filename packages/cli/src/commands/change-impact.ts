import { keys, MemoryStore, ResourceClient, type ResourceOutcome, type Store } from "@caracal/datastore";
import { type Impact, impactOf, isHarmful } from "@caracal/insight";
import type { Resource } from "@caracal/resources";
import { CliError } from "../cli-error.ts";
import type { CliContext } from "../context.ts";
import { knowCluster } from "../insight/ask-cluster.ts";
import { impactText } from "../insight/impact-text.ts";

/** Exit code when something that works now would not work any more. */
const harmfulExitCode = 2;

export interface ImpactQuestion {
  readonly store: Store;
  readonly wanted: readonly Resource[];
  readonly change: (resources: ResourceClient, resource: Resource) => Promise<ResourceOutcome>;
  readonly isJson: boolean;
}

/** Says what a change would do: makes it in a copy of the datastore, and compares the two clusters. */
export async function showImpact(ctx: CliContext, question: ImpactQuestion): Promise<number> {
  const { store, wanted, change, isJson } = question;
  const { impact, nodeCount } = await foresee(ctx, store, async (resources) => {
    const errors: string[] = [];
    for (const resource of wanted) {
      const outcome = await change(resources, resource);
      if (outcome.kind !== "ok") errors.push(outcome.message);
    }
    if (errors.length > 0) throw new CliError(`the change would fail: ${errors.join("; ")}`);
  });
  ctx.stdout.write(isJson ? `${JSON.stringify(impact, null, 2)}\n` : impactText(impact, nodeCount));
  return isHarmful(impact) ? harmfulExitCode : 0;
}

/** Makes a change in a copy of the datastore, and compares the cluster before and after. */
export async function foresee(
  ctx: CliContext,
  store: Store,
  change: (resources: ResourceClient) => Promise<void>,
): Promise<{ readonly impact: Impact; readonly nodeCount: number }> {
  const copy = await copyOf(store);
  await change(new ResourceClient(copy, { now: () => ctx.now().toISOString(), uuid: () => "dry-run" }));
  const before = await knowCluster(store);
  const after = await knowCluster(copy);
  try {
    return {
      impact: impactOf(after.cluster, before.intents, after.intents),
      nodeCount: after.intents.size,
    };
  } catch (error) {
    if (error instanceof RangeError)
      throw new CliError(`cannot foresee the impact: ${error.message}`, { cause: error });
    throw error;
  }
}

async function copyOf(store: Store): Promise<MemoryStore> {
  const copy = new MemoryStore();
  for (const { key, value } of (await store.list(keys.root)).entries) await copy.create(key, value);
  return copy;
}
