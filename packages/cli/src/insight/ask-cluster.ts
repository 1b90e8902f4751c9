import { createHash } from "node:crypto";
import type { Store } from "@caracal/datastore";
import { clusterIntents, clusterTunnels, type PlannedCluster, readCluster } from "@caracal/insight";
import { askNodes } from "@caracal/questions";

/** The cluster's resources and what each node should make of them. */
export async function knowCluster(store: Store): Promise<PlannedCluster> {
  const cluster = await readCluster(store);
  const intents = clusterIntents(cluster, digest("sha256"));
  return { cluster, intents, tunnels: clusterTunnels(cluster, digest("sha1")) };
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

function digest(name: "sha1" | "sha256"): (text: string) => Uint8Array {
  return (text) => createHash(name).update(text).digest();
}
