import { type KindName, kinds, type Resource } from "@caracal/resources";
import { CliError } from "../cli-error.ts";

/** Of namespaced resources that do not say. */
const defaultNamespace = "default";

/** The namespace that a named resource is in; a namespace for a kind without is refused. */
export function namespaceFor(kind: KindName, given: string | undefined): string | undefined {
  if (kinds[kind].isNamespaced) return given ?? defaultNamespace;
  if (given === undefined) return undefined;
  throw new CliError(
    `namespace should not be specified for a non-namespaced resource. ${kind} is not a namespaced resource`,
  );
}

/** A document's resource in the namespace it belongs to: its own, else the command line's; the two may not differ. */
export function withNamespace(resource: Resource, given: string | undefined): Resource {
  const own = resource.metadata.namespace || undefined;
  const namespace = namespaceFor(resource.kind, own ?? given);
  if (own !== undefined && given !== undefined && own !== given) {
    throw new CliError(`resource namespace does not match client namespace. ${own} != ${given}`);
  }
  if (namespace === undefined) {
    // A namespace on the command line says nothing about resources that have none.
    if (given !== undefined) namespaceFor(resource.kind, given);
    return resource;
  }
  return { ...resource, metadata: { ...resource.metadata, namespace } };
}

/** The names of a command line; an empty one, which a script's unset variable leaves, names nothing. */
export function checkedNames(names: readonly string[]): readonly string[] {
  if (names.includes("")) throw new CliError("resource name may not be empty");
  return names;
}
