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

/** Refuses every change of a kind of Calico's. */
export function readOnly(kind: KindName, reason: string): CollectionWriter {
  return new ReadOnlyWriter((operation, key) => unsupported(operation, kind, key, reason));
}

/** Refuses every change of a kind that Calico only reads. */
export function readOnlyDocument(kind: string): CollectionWriter {
  return new ReadOnlyWriter((operation, key) => {
    return new StoreError(
      "invalid",
      `operation ${operation} is not supported on ${key}: ${kind} is Kubernetes' own`,
    );
  });
}

class ReadOnlyWriter implements CollectionWriter {
  readonly #refusal: (operation: Operation, key: string) => StoreError;

  constructor(refusal: (operation: Operation, key: string) => StoreError) {
    this.#refusal = refusal;
  }

  async create(key: string): Promise<WriteOutcome> {
    throw this.#refusal("Create", key);
  }

  async update(key: string): Promise<WriteOutcome> {
    throw this.#refusal("Update", key);
  }

  async delete(key: string): Promise<WriteOutcome> {
    throw this.#refusal("Delete", key);
  }
}
