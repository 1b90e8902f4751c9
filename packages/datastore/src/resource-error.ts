import type { KindName } from "@caracal/resources";

/** Which resource a message is about. */
export interface ResourceIdentity<K extends KindName = KindName> {
  readonly kind: K;
  readonly name: string;
  readonly namespace?: string | undefined;
}

/** `IPPool(name)` or `WorkloadEndpoint(namespace/name)`: how Calico's messages name a resource. */
export function formatIdentity({ kind, name, namespace }: ResourceIdentity): string {
  return namespace === undefined ? `${kind}(${name})` : `${kind}(${namespace}/${name})`;
}

/** Calico's error texts, and one of our own for a value that is no resource. */
export const resourceMessage: {
  /** The cause is the server's own wording, where it has one. */
  readonly exists: (identity: ResourceIdentity, cause?: string) => string;
  readonly missing: (identity: ResourceIdentity, cause?: string) => string;
  readonly conflict: (identity: ResourceIdentity) => string;
  readonly unsupported: (operation: string, identity: ResourceIdentity, reason?: string) => string;
  readonly unreadable: (identity: ResourceIdentity, more?: string) => string;
} = {
  exists: (identity, cause = "<nil>") =>
    `resource already exists: ${formatIdentity(identity)} with error: ${cause}`,
  missing: (identity, cause = "<nil>") =>
    `resource does not exist: ${formatIdentity(identity)} with error: ${cause}`,
  conflict: (identity) => `update conflict: ${formatIdentity(identity)}`,
  unsupported: (operation, identity, reason) =>
    `operation ${operation} is not supported on ${formatIdentity(identity)}${reason === undefined ? "" : `: ${reason}`}`,
  unreadable: (identity, more = "") =>
    `${formatIdentity(identity)} is stored in a form that cannot be read${more}`,
};
