import { createHash } from "node:crypto";
import type { Store } from "@caracal/datastore";
import { clusterIntents, type ClusterSnapshot, readCluster } from "@caracal/insight";
import type { NodeIntent } from "@caracal/intent";
import { askNodes } from "@caracal/questions";

/** The cluster's resources and what each node should make of them. */
export interface KnownCluster {
  readonly cluster: ClusterSnapshot;
  readonly intents: ReadonlyMap<string, NodeIntent>;
}

export async function knowCluster(store: Store): Promise<KnownCluster> {
  const cluster = await readCluster(store);
  return { cluster, intents: clusterIntents(cluster, sha256) };
}

/** What every node that answers says; `read` refuses what is not of its shape. */
export async function askAll<T>(
  store: Store,
  nodes: readonly string[],
  question: { readonly method: string; readonly params: unknown },
  read: (value: unknown) => T | undefined,
): Promise<ReadonlyMap<string, T>> {
  const answers = await askNodes(store, { ...question, nodes });
  const reports = new Map<string, T>();
  for (const [node, answer] of answers) {
    const report = answer.kind === "result" ? read(answer.result) : undefined;
    if (report !== undefined) reports.set(node, report);
  }
  return reports;
}

function sha256(text: string): Uint8Array {
  return createHash("sha256").update(text).digest();
}
