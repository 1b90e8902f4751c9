import type { Resource } from "./kinds.ts";
import { apiVersion } from "./resource-schema.ts";

/** The list document of a kind: `IPPoolList`. */
export function toList(listName: string, items: readonly Resource[], resourceVersion?: string): unknown {
  return {
    kind: listName,
    apiVersion,
    metadata: resourceVersion === undefined ? {} : { resourceVersion },
    items,
  };
}
