import {
  checkPoolOverlap,
  describeProblems,
  isKindName,
  type KindName,
  kinds,
  parseJson,
  type Problem,
  type Resource,
  type Resources,
  writeJson,
} from "@caracal/resources";
import { keys } from "./keys.ts";
import { type ResourceIdentity, resourceMessage } from "./resource-error.ts";
import { type Entry, Revision, type Store, type WriteOutcome } from "./store.ts";

/** How a read or a change of one resource ended; a failure's message is in Calico's words. */
export type ResourceOutcome<R = Resource> =
  | { readonly kind: "ok"; readonly resource: R }
  | {
      readonly kind: "failed";
      readonly reason: "exists" | "missing" | "conflict" | "refused";
      readonly message: string;
    };

/** Resources of one kind at one moment, ordered by key. */
export interface ResourceListing<R = Resource> {
  readonly items: readonly R[];
  readonly revision: Revision;
}

/** What time it is and what is unique, as arguments. */
export interface ResourceClientSources {
  /** RFC 3339 in UTC with whole seconds: `2026-01-02T03:04:05Z`. */
  readonly now: () => string;
  /** A random UUID in its usual text form. */
  readonly uuid: () => string;
}

/** Attempts of an update that was not told a version, when others write at the same time. */
const maxAttempts = 5;

/**
 * Typed access to projectcalico.org/v3 resources, by Calico's rules for keys, metadata and conflicts: `uid` and
 * `creationTimestamp` are set once, `resourceVersion` is the store's revision and never stored. It checks what takes more
 * than one resource (immutable fields, overlapping pools); that a resource is well formed is its parser's business.
 * Failures of the store itself throw `StoreError`.
 */
export class ResourceClient {
  readonly #store: Store;
  readonly #sources: ResourceClientSources;

  constructor(store: Store, sources: ResourceClientSources) {
    this.#store = store;
    this.#sources = sources;
  }

  /** All of a kind, or of one namespace. Entries that cannot be read are left out, as Calico's client does. */
  async list<K extends KindName>(kind: K, namespace?: string): Promise<ResourceListing<Resources[K]>> {
    const listing = await this.#store.list(keys.resources(kinds[kind].plural, namespace));
    return {
      items: listing.entries.flatMap((entry) => readResource(kind, entry) ?? []),
      revision: listing.revision,
    };
  }

  async get<K extends KindName>(
    kind: K,
    name: string,
    namespace?: string,
  ): Promise<ResourceOutcome<Resources[K]>> {
    const entry = await this.#store.get(keys.resource(kinds[kind].plural, name, namespace));
    const resource = entry === undefined ? undefined : readResource(kind, entry);
    return resource === undefined
      ? failed("missing", resourceMessage.missing({ kind, name, namespace }))
      : { kind: "ok", resource };
  }

  async create(resource: Resource): Promise<ResourceOutcome> {
    const identity = identityOf(resource);
    if (resource.metadata.resourceVersion !== undefined) {
      return failed(
        "refused",
        `error with field Metadata.ResourceVersion = '${resource.metadata.resourceVersion}' (field must not be set for a Create request)`,
      );
    }
    const refusal = await this.#refusal(undefined, resource);
    if (refusal !== undefined) return refusal;
    const { metadata } = resource;
    const complete = withMetadata(resource, {
      uid: metadata.uid ?? this.#sources.uuid(),
      creationTimestamp: metadata.creationTimestamp ?? this.#sources.now(),
    });
    return outcomeOf(identity, await this.#store.create(keyOf(identity), storedText(complete)));
  }

  /**
   * Replaces what is stored. With a `resourceVersion` the resource must still be at it; without one, whatever is there is
   * replaced. The stored uid and creation time stay.
   */
  async update(resource: Resource): Promise<ResourceOutcome> {
    const identity = identityOf(resource);
    const version = resource.metadata.resourceVersion;
    for (let attempt = 1; ; attempt += 1) {
      const current = await this.get(identity.kind, identity.name, identity.namespace);
      if (current.kind === "failed") return current;
      const refusal = await this.#refusal(current.resource, resource);
      if (refusal !== undefined) return refusal;
      const { uid, creationTimestamp, resourceVersion = "" } = current.resource.metadata;
      const complete = withMetadata(resource, {
        uid: uid ?? this.#sources.uuid(),
        creationTimestamp: creationTimestamp ?? this.#sources.now(),
      });
      const at = Revision.of(version ?? resourceVersion);
      const outcome = outcomeOf(
        identity,
        await this.#store.update(keyOf(identity), storedText(complete), at),
      );
      const isWorthAnother =
        outcome.kind === "failed" && outcome.reason === "conflict" && version === undefined;
      if (!isWorthAnother || attempt >= maxAttempts) return outcome;
    }
  }

  /** Creates, or updates what exists. */
  async apply(resource: Resource): Promise<ResourceOutcome> {
    if (resource.metadata.resourceVersion === undefined) {
      const created = await this.create(resource);
      if (created.kind === "ok" || created.reason !== "exists") return created;
    }
    return this.update(resource);
  }

  /** Removes a resource; with a version only at that version. The outcome carries what was removed. */
  async delete<K extends KindName>(
    kind: K,
    name: string,
    namespace?: string,
    resourceVersion?: string,
  ): Promise<ResourceOutcome> {
    const identity = { kind, name, namespace };
    const revision = resourceVersion === undefined ? undefined : Revision.of(resourceVersion);
    return outcomeOf(identity, await this.#store.delete(keyOf(identity), revision));
  }

  /** What the change may not do, whatever the store would say. */
  async #refusal(
    before: Resource | undefined,
    after: Resource,
  ): Promise<Extract<ResourceOutcome, { kind: "failed" }> | undefined> {
    const problems: Problem[] = before === undefined ? [] : [...kinds[after.kind].checkUpdate(before, after)];
    if (problems.length === 0 && after.kind === "IPPool") {
      const others = await this.list("IPPool");
      problems.push(...checkPoolOverlap(after, others.items));
    }
    return problems.length === 0 ? undefined : failed("refused", describeProblems(problems));
  }
}

/** An entry as a resource of this kind, its revision as `resourceVersion`; undefined when it is none. */
export function readResource<K extends KindName>(kind: K, entry: Entry): Resources[K] | undefined {
  const document = parseJson(entry.value);
  if (document.kind === "bad") return undefined;
  const reading = kinds[kind].parse(document.value, "store");
  if (reading.kind === "bad") return undefined;
  const { value } = reading;
  return { ...value, metadata: { ...value.metadata, resourceVersion: entry.revision } };
}

function failed(
  reason: Extract<ResourceOutcome, { kind: "failed" }>["reason"],
  message: string,
): Extract<ResourceOutcome, { kind: "failed" }> {
  return { kind: "failed", reason, message };
}

function identityOf(resource: Resource): ResourceIdentity {
  const { name, namespace } = resource.metadata;
  return kinds[resource.kind].isNamespaced
    ? { kind: resource.kind, name, namespace }
    : { kind: resource.kind, name };
}

function keyOf({ kind, name, namespace }: ResourceIdentity): string {
  return keys.resource(kinds[kind].plural, name, namespace);
}

function withMetadata(
  resource: Resource,
  set: { readonly uid: string; readonly creationTimestamp: string },
): Resource {
  const labels =
    resource.kind === "WorkloadEndpoint"
      ? {
          ...resource.metadata.labels,
          "projectcalico.org/namespace": resource.metadata.namespace ?? "",
          "projectcalico.org/orchestrator": resource.spec.orchestrator ?? "",
        }
      : resource.metadata.labels;
  const metadata = { ...resource.metadata, ...set, ...(labels === undefined ? {} : { labels }) };
  return { ...resource, metadata };
}

/** `resourceVersion` and `selfLink` are of one reading, not of the resource. */
function storedText(resource: Resource): string {
  const { resourceVersion: _version, selfLink: _link, ...metadata } = resource.metadata;
  return writeJson({ ...resource, metadata });
}

function outcomeOf(identity: ResourceIdentity, outcome: WriteOutcome): ResourceOutcome {
  switch (outcome.kind) {
    case "ok": {
      const resource = isKindName(identity.kind) ? readResource(identity.kind, outcome.entry) : undefined;
      return resource === undefined
        ? failed("refused", `${identity.kind}(${identity.name}) is stored in a form that cannot be read`)
        : { kind: "ok", resource };
    }
    case "exists":
      return failed("exists", resourceMessage.exists(identity));
    case "conflict":
      return failed("conflict", resourceMessage.conflict(identity));
    case "missing":
      return failed("missing", resourceMessage.missing(identity));
  }
}
