import { type IpFamily, Prefix } from "@caracal/net";
import {
  checkPoolOverlap,
  defaultAllowProfile,
  describeProblems,
  type IpPool,
  type KindName,
  kinds,
  parseJson,
  type Problem,
  type Resource,
  type Resources,
  type Reading,
  writeJson,
} from "@caracal/resources";
import { deleteNodeBelongings } from "./delete-effects.ts";
import { compareKeys } from "./key-order.ts";
import { keys } from "./keys.ts";
import { checkTierDelete, checkTierOf, formerIdentities, isVirtual } from "./policy-rules.ts";
import { type ResourceIdentity, resourceMessage } from "./resource-error.ts";
import { ResourceEntries } from "./resource-entries.ts";
import { type Entry, Revision, type Store, StoreError, type WriteOutcome } from "./store.ts";
import { completeResource, storedText } from "./stored-form.ts";

/** How a read or a change of one resource ended; a failure's message is in Calico's words. */
export type ResourceOutcome<R = Resource> = { readonly kind: "ok"; readonly resource: R } | ResourceFailure;

interface ResourceFailure {
  readonly kind: "failed";
  readonly reason: "exists" | "missing" | "conflict" | "refused";
  readonly message: string;
}

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

/** Attempts of a change that was not told a version, when others write at the same time. */
const maxAttempts = 5;

/**
 * Typed access to projectcalico.org/v3 resources, by Calico's rules for keys, metadata and conflicts: `uid` and
 * `creationTimestamp` are set once, `resourceVersion` is the store's revision and never stored. It checks what takes more
 * than one resource (immutable fields, pools against each other and against blocks); that a resource is well formed is its
 * parser's business. Failures of the store itself throw `StoreError`.
 */
export class ResourceClient {
  readonly #store: Store;
  readonly #entries: ResourceEntries;
  readonly #sources: ResourceClientSources;

  constructor(store: Store, sources: ResourceClientSources) {
    this.#store = store;
    this.#entries = new ResourceEntries(store);
    this.#sources = sources;
  }

  /** All of a kind, or of one namespace. Entries that cannot be read are left out, as Calico's client does. */
  async list<K extends KindName>(kind: K, namespace?: string): Promise<ResourceListing<Resources[K]>> {
    const within = kinds[kind].isNamespaced ? namespace : undefined;
    const listing = await this.#entries.list(keys.resources(kinds[kind].plural, within));
    const items = listing.entries.flatMap((entry) => readResource(kind, entry) ?? []);
    return {
      items: kind === "Profile" ? withDefaultProfile(kind, items) : items,
      revision: listing.revision,
    };
  }

  async get<K extends KindName>(
    kind: K,
    name: string,
    namespace?: string,
  ): Promise<ResourceOutcome<Resources[K]>> {
    const identity = identityOf(kind, name, namespace);
    if (lacksNamespace(identity)) return refused([noNamespace]);
    if (isVirtual(identity)) return readOutcome(identity, defaultProfileEntry);
    const entry = await this.#find(identity);
    if (entry === undefined) return this.#refusalAs("missing", identity);
    return readOutcome(identity, entry);
  }

  /** `isPoolChecked`: whoever makes many pools has asked `checkNewPools` about them already. */
  async create(
    resource: Resource,
    options: { readonly isPoolChecked?: boolean } = {},
  ): Promise<ResourceOutcome> {
    const version = given(resource.metadata.resourceVersion);
    if (version === undefined) return this.#create(resource, options.isPoolChecked);
    const reason = "field must not be set for a Create request";
    return refused([problemOf("resourceVersion", "Metadata.ResourceVersion", reason, version)]);
  }

  /**
   * Replaces what is stored. With a `resourceVersion` the resource must still be at it; without one, whatever is there is
   * replaced. The stored uid and creation time stay.
   */
  async update(resource: Resource): Promise<ResourceOutcome> {
    const version = given(resource.metadata.resourceVersion);
    for (let attempt = 1; ; attempt += 1) {
      const outcome = await this.#update(resource, version);
      const isWorthAnother =
        outcome.kind === "failed" && outcome.reason === "conflict" && version === undefined;
      if (!isWorthAnother || attempt >= maxAttempts) return outcome;
    }
  }

  /** Creates, or updates what exists; a `resourceVersion` counts for the update only. */
  async apply(resource: Resource): Promise<ResourceOutcome> {
    for (let attempt = 1; ; attempt += 1) {
      const created = await this.#create(resource);
      if (created.kind === "ok" || created.reason !== "exists") return created;
      const updated = await this.update(resource);
      const isGoneAgain = updated.kind === "failed" && updated.reason === "missing";
      if (!isGoneAgain || attempt >= maxAttempts) return updated;
    }
  }

  /**
   * Removes a resource; with a version only at that version. The outcome carries what was removed. What belongs to a node
   * goes before the node, even when the node itself has already gone.
   */
  async delete<K extends KindName>(
    kind: K,
    name: string,
    namespace?: string,
    resourceVersion?: string,
  ): Promise<ResourceOutcome<Resources[K]>> {
    const identity = identityOf(kind, name, namespace);
    if (lacksNamespace(identity)) return refused([noNamespace]);
    const version = given(resourceVersion);
    if (isVirtual(identity)) return failed("refused", resourceMessage.unsupported("Delete", identity));
    if (kind === "Tier") {
      const refusal = await checkTierDelete(this, name);
      if (refusal?.kind === "failed") return refusal;
    }
    if (kind === "Node") {
      const refusal = await this.#refusalOfDelete(identity);
      if (refusal !== undefined) return refusal;
      const current = version === undefined ? undefined : await this.#entries.get(keyOf(identity));
      if (current !== undefined && current.revision !== version) {
        return failed("conflict", resourceMessage.conflict(identity));
      }
      await deleteNodeBelongings(this, name);
    }
    const revision = version === undefined ? undefined : Revision.of(version);
    const mayBeFormer = formerIdentities(identity).length > 0;
    const key = mayBeFormer ? (await this.#find(identity))?.key : undefined;
    const remove = () => this.#entries.delete(key ?? keyOf(identity), revision);
    return this.#written(identity, remove, "; it has been deleted");
  }

  async #create(resource: Resource, isPoolChecked = false): Promise<ResourceOutcome> {
    const problems = checkIdentity(resource, "a Create");
    if (problems.length > 0) return refused(problems);
    const { uid, creationTimestamp } = resource.metadata;
    const reading = completeResource(resource, {
      uid: given(uid) ?? this.#sources.uuid(),
      creationTimestamp: given(creationTimestamp) ?? this.#sources.now(),
    });
    if (reading.kind === "bad") return refused(reading.problems);
    const { value } = reading;
    const identity = identityOf(value.kind, value.metadata.name, value.metadata.namespace);
    if (isVirtual(identity) || (await this.#findFormer(identity)) !== undefined) {
      return this.#refusalAs("exists", identity);
    }
    if (value.kind === "IPPool" && !isPoolChecked) problems.push(...(await this.checkNewPools([value])));
    problems.push(...(await checkTierOf(this, value)));
    if (problems.length > 0) return refused(problems);
    return this.#written(identity, () => this.#entries.create(keyOf(identity), storedText(value)));
  }

  /** One attempt; `version` is the one that the caller insists on. */
  async #update(resource: Resource, version: string | undefined): Promise<ResourceOutcome> {
    const problems = checkIdentity(resource, "an Update");
    if (problems.length > 0) return refused(problems);
    const identity = identityOf(resource.kind, resource.metadata.name, resource.metadata.namespace);
    if (isVirtual(identity)) return failed("refused", resourceMessage.unsupported("Update", identity));
    const entry = await this.#find(identity);
    if (entry === undefined) return this.#refusalAs("missing", identity);
    const current = readOutcome(identity, entry);
    if (current.kind === "failed") return current;
    const { uid, creationTimestamp, resourceVersion = "" } = current.resource.metadata;
    if (version !== undefined && version !== resourceVersion) {
      return failed("conflict", resourceMessage.conflict(identity));
    }
    const reading = completeResource(resource, {
      uid: uid ?? this.#sources.uuid(),
      creationTimestamp: creationTimestamp ?? this.#sources.now(),
    });
    if (reading.kind === "bad") return refused(reading.problems);
    problems.push(...kinds[resource.kind].checkUpdate(current.resource, reading.value));
    if (problems.length > 0) return refused(problems);
    const at = Revision.of(resourceVersion);
    return this.#written(identity, () => this.#entries.update(entry.key, storedText(reading.value), at));
  }

  /** A write, and the server's own words where it says that the resource is there, or is not. */
  async #written<K extends KindName>(
    identity: ResourceIdentity<K>,
    write: () => Promise<WriteOutcome>,
    ifUnreadable?: string,
  ): Promise<ResourceOutcome<Resources[K]>> {
    const outcome = await written(identity, write, ifUnreadable);
    if (outcome.kind === "ok" || (outcome.reason !== "missing" && outcome.reason !== "exists"))
      return outcome;
    return this.#refusalAs(outcome.reason, identity);
  }

  async #refusalAs(state: "missing" | "exists", identity: ResourceIdentity): Promise<ResourceFailure> {
    const cause = await this.#store.wording?.(keyOf(identity), state);
    return failed(state, resourceMessage[state](identity, cause));
  }

  /** What the store says to a delete of what it keeps for another owner. At a revision that nothing has, none happens. */
  async #refusalOfDelete<K extends KindName>(
    identity: ResourceIdentity<K>,
  ): Promise<ResourceOutcome<Resources[K]> | undefined> {
    const asked = await written(identity, () => this.#entries.delete(keyOf(identity), Revision.of("0")));
    return asked.kind === "failed" && asked.reason === "refused" ? asked : undefined;
  }

  /** The entry of a resource, also where an older Calico stored it under another name. */
  async #find(identity: ResourceIdentity): Promise<Entry | undefined> {
    return (await this.#entries.get(keyOf(identity))) ?? this.#findFormer(identity);
  }

  async #findFormer(identity: ResourceIdentity): Promise<Entry | undefined> {
    for (const former of formerIdentities(identity)) {
      const entry = await this.#entries.get(keyOf(former));
      const isMeant =
        entry !== undefined && readResource(identity.kind, entry)?.metadata.name === identity.name;
      if (isMeant) return entry;
    }
    return undefined;
  }

  /**
   * A new pool may not overlap another, nor hold blocks that a pool of another block size left behind. `beside` names pools that
   * these may overlap, because they are about to take their place.
   */
  async checkNewPools(
    pools: readonly IpPool[],
    beside: ReadonlySet<string> = new Set(),
  ): Promise<readonly Problem[]> {
    const others = (await this.list("IPPool")).items.filter(({ metadata }) => !beside.has(metadata.name));
    const overlaps = pools.flatMap((pool) => checkPoolOverlap(pool, others));
    if (overlaps.length > 0) return overlaps;
    const listings = new Map<IpFamily, readonly Prefix[]>();
    for (const pool of pools) {
      const range = Prefix.parse(pool.spec.cidr);
      if (range === undefined) continue;
      const blocks = listings.get(range.family) ?? (await this.#blocks(range.family));
      listings.set(range.family, blocks);
      const { blockSize } = pool.spec;
      if (!blocks.some((cidr) => cidr.length !== blockSize && Prefix.overlaps(cidr, range))) continue;
      const reason = "IPPool blocksSize conflicts with existing allocations that use a different blockSize";
      return [{ path: "spec.blockSize", field: "IPPool.Spec.BlockSize", found: String(blockSize), reason }];
    }
    return [];
  }

  async #blocks(family: IpFamily): Promise<readonly Prefix[]> {
    const { entries } = await this.#store.list(keys.blocks(family));
    return entries.flatMap(({ key }) => {
      const named = keys.parse(key);
      return named?.kind === "block" ? [named.cidr] : [];
    });
  }
}

/** An entry as a resource of this kind, its revision as `resourceVersion`; undefined when it is none. */
export function readResource<K extends KindName>(kind: K, entry: Entry): Resources[K] | undefined {
  const reading = resourceReading(kind, entry);
  return reading.kind === "ok" ? reading.value : undefined;
}

/** As `readResource`, but says what is wrong with an entry that is none. */
export function resourceReading<K extends KindName>(kind: K, entry: Entry): Reading<Resources[K]> {
  const document = parseJson(entry.value);
  if (document.kind === "bad") return document;
  const reading = kinds[kind].parse(document.value, "store");
  if (reading.kind === "bad") return reading;
  const { value } = reading;
  return {
    kind: "ok",
    value: { ...value, metadata: { ...value.metadata, resourceVersion: entry.revision } },
  };
}

/** What a reading of the profile that is always there finds. */
const defaultProfileEntry: Entry = {
  key: keys.resource(kinds.Profile.plural, defaultAllowProfile.metadata.name),
  value: writeJson(defaultAllowProfile),
  revision: Revision.of(defaultAllowProfile.metadata.resourceVersion ?? "1"),
};

/** It is in every list, where its name puts it. */
function withDefaultProfile<K extends KindName>(
  kind: K,
  items: readonly Resources[K][],
): readonly Resources[K][] {
  const profile = readResource(kind, defaultProfileEntry);
  if (profile === undefined) return items;
  return [...items, profile].toSorted((a, b) => compareKeys(a.metadata.name, b.metadata.name));
}

function failed(reason: ResourceFailure["reason"], message: string): ResourceFailure {
  return { kind: "failed", reason, message };
}

function refused(problems: readonly Problem[]): ResourceFailure {
  return failed("refused", describeProblems(problems));
}

/** Go knows no unset text: empty means unset. */
function given(text: string | undefined): string | undefined {
  return text === "" ? undefined : text;
}

/** A cluster-wide kind has no namespace, whatever the caller's is. */
function identityOf<K extends KindName>(kind: K, name: string, namespace?: string): ResourceIdentity<K> {
  return kinds[kind].isNamespaced ? { kind, name, namespace: given(namespace) } : { kind, name };
}

function lacksNamespace({ kind, namespace }: ResourceIdentity): boolean {
  return kinds[kind].isNamespaced && namespace === undefined;
}

function problemOf(name: keyof Resource["metadata"], field: string, reason: string, found?: string): Problem {
  const path = `metadata.${name}`;
  return found === undefined ? { path, field, reason } : { path, field, reason, found };
}

const noNamespace = problemOf(
  "namespace",
  "Metadata.Namespace",
  "namespace is not specified on namespaced resource",
);

/** What must be known before a resource has a key. */
function checkIdentity({ kind, metadata }: Resource, request: string): Problem[] {
  if (metadata.name === "") {
    const hint = given(metadata.generateName) === undefined ? "" : " (GenerateName is not supported)";
    const reason = `field must be set for ${request} request${hint}`;
    return [problemOf("name", "Metadata.Name", reason, "")];
  }
  return lacksNamespace(identityOf(kind, metadata.name, metadata.namespace)) ? [noNamespace] : [];
}

function keyOf({ kind, name, namespace }: ResourceIdentity): string {
  return keys.resource(kinds[kind].plural, name, namespace);
}

/** The outcome of a write. One that the store does not do is this resource's failure, not the store's. */
async function written<K extends KindName>(
  identity: ResourceIdentity<K>,
  write: () => Promise<WriteOutcome>,
  ifUnreadable?: string,
): Promise<ResourceOutcome<Resources[K]>> {
  try {
    return outcomeOf(identity, await write(), ifUnreadable);
  } catch (error) {
    if (!(error instanceof StoreError) || error.code !== "invalid") throw error;
    return failed("refused", error.message);
  }
}

function outcomeOf<K extends KindName>(
  identity: ResourceIdentity<K>,
  outcome: WriteOutcome,
  ifUnreadable?: string,
): ResourceOutcome<Resources[K]> {
  switch (outcome.kind) {
    case "ok":
      return readOutcome(identity, outcome.entry, ifUnreadable);
    case "exists":
      return failed("exists", resourceMessage.exists(identity));
    case "conflict":
      return failed("conflict", resourceMessage.conflict(identity));
    case "missing":
      return failed("missing", resourceMessage.missing(identity));
  }
}

function readOutcome<K extends KindName>(
  identity: ResourceIdentity<K>,
  entry: Entry,
  ifUnreadable?: string,
): ResourceOutcome<Resources[K]> {
  const resource = readResource(identity.kind, entry);
  return resource === undefined
    ? failed("refused", resourceMessage.unreadable(identity, ifUnreadable))
    : { kind: "ok", resource };
}
