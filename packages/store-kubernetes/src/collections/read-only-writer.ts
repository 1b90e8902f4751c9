import { keys, resourceMessage, StoreError, type WriteOutcome } from "@caracal/datastore";
import type { KindName } from "@caracal/resources";
import type { CollectionWriter } from "./collection.ts";

/** A change, as Calico's messages call it. */
export type Operation = "Create" | "Update" | "Delete";

/** Calico's refusal of what cannot be done to a view of Kubernetes' own objects. */
export function unsupported(operation: Operation, kind: KindName, key: string, reason?: string): StoreError {
  const named = keys.parse(key);
  const { name, namespace } = named?.kind === "resource" ? named : { name: key, namespace: undefined };
  return new StoreError("invalid", resourceMessage.unsupported(operation, { kind, name, namespace }, reason));
}

/** Refuses every change. */
export class ReadOnlyWriter implements CollectionWriter {
  readonly #kind: KindName;
  readonly #reason: string;

  constructor(kind: KindName, reason: string) {
    this.#kind = kind;
    this.#reason = reason;
  }

  async create(key: string): Promise<WriteOutcome> {
    throw unsupported("Create", this.#kind, key, this.#reason);
  }

  async update(key: string): Promise<WriteOutcome> {
    throw unsupported("Update", this.#kind, key, this.#reason);
  }

  async delete(key: string): Promise<WriteOutcome> {
    throw unsupported("Delete", this.#kind, key, this.#reason);
  }
}
