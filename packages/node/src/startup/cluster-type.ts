/** `clusterType` only grows: what is there stays, and each component adds what it knows (facts: etcd datastore §3.4). */
export function mergeClusterType(stored: string | undefined, added: string): string {
  const types = [...(stored ?? "").split(","), ...added.split(",")].map((type) => type.trim());
  return [...new Set(types.filter((type) => type !== ""))].join(",");
}
