import type { Static, Schema } from "./type.ts";
import type { Immutable } from "./immutable.ts";
import { checkMetadata, type NameRule } from "./metadata.ts";
import { display, problem, type Problem } from "./problem.ts";
import type { metadataSchema } from "./resource-schema.ts";
import { isRecord, type Reading, readSchema } from "./schema-reader.ts";

export type Metadata = Immutable<Static<typeof metadataSchema>>;

/** What every resource has. */
export interface ResourceBase {
  readonly kind: string;
  readonly apiVersion: string;
  readonly metadata: Metadata;
}

/** The changes that Calico's command accepts on a kind. */
export type Operation = "create" | "update" | "delete";

/** A field that may not change after creation, and what Calico says when it does. */
export interface ImmutableField {
  readonly path: string;
  readonly field: string;
  readonly reason: string;
  /** Only what this accepts may not change; all unless told. */
  readonly isFixed?: (value: unknown) => boolean;
}

/**
 * Where a document comes from: a person's is strict and checked, a stored one is read tolerantly, and one about to be
 * written is read as tolerantly and gets what Calico's client fills in and forces on every write.
 */
export type DocumentSource = "user" | "store" | "write";

/** All that the rest of the house needs to know about a kind. */
export interface Kind<R = ResourceBase> {
  readonly name: string;
  /** `IPPoolList`. */
  readonly listName: string;
  /** Lower case, as in store keys. */
  readonly plural: string;
  /** Lower-case names that the command line accepts. */
  readonly aliases: readonly string[];
  readonly isNamespaced: boolean;
  /** What the command may do besides reading. */
  readonly operations: readonly Operation[];
  readonly immutableFields: readonly ImmutableField[];
  /** JSON Schema of the resource. */
  readonly schema: Schema<unknown>;
  /** Reads a document: legacy forms converted, defaults filled in and, for a user's, every rule checked. */
  readonly parse: (document: unknown, source: DocumentSource) => Reading<R>;
  /** The resource with what Calico keeps beside it in the store, and takes away again when it reads. */
  readonly forStore: (resource: ResourceBase) => ResourceBase;
  /** What an update may not do to the stored resource. */
  readonly checkUpdate: (before: ResourceBase, after: ResourceBase) => readonly Problem[];
}

/** A document before its schema was checked. */
export type RawDocument = Readonly<Record<string, unknown>>;

/** What a kind's own file says; the rest has a usual value. */
export interface KindParts<S extends Schema<unknown>> {
  readonly name: string;
  readonly plural: string;
  readonly aliases: readonly string[];
  readonly schema: S;
  readonly isNamespaced?: boolean;
  readonly operations?: readonly Operation[];
  readonly immutableFields?: readonly ImmutableField[];
  readonly nameRule?: NameRule;
  /** Rewrites legacy forms of the input, before the schema sees it. */
  readonly convert?: (document: RawDocument, source: DocumentSource) => Reading<RawDocument>;
  /** Fills in defaults that depend on other fields. */
  readonly complete?: (resource: Immutable<Static<S>>) => Immutable<Static<S>>;
  /** Fills in and forces what a write does, and a reading does not. */
  readonly completeWrite?: (resource: Immutable<Static<S>>) => Immutable<Static<S>>;
  readonly forStore?: (resource: ResourceBase) => ResourceBase;
  /** Rules across fields; only run when every field is well formed. */
  readonly check?: (resource: Immutable<Static<S>>) => readonly Problem[];
}

/** Makes a kind of its parts. */
export function defineKind<S extends Schema<unknown>>(parts: KindParts<S>): Kind<Immutable<Static<S>>> {
  return {
    name: parts.name,
    listName: `${parts.name}List`,
    plural: parts.plural,
    aliases: parts.aliases,
    isNamespaced: parts.isNamespaced ?? false,
    operations: parts.operations ?? ["create", "update", "delete"],
    immutableFields: parts.immutableFields ?? [],
    schema: parts.schema,
    parse: (document, source) => parseDocument(parts, document, source),
    forStore: parts.forStore ?? asItIs,
    checkUpdate: (before, after) =>
      (parts.immutableFields ?? []).flatMap(({ path, field, reason, isFixed }) => {
        const [was, found] = [fieldAt(before, path), fieldAt(after, path)];
        const mayBe = display(was) === display(found) || isFixed?.(was) === false;
        return mayBe ? [] : [problem(path, found, reason, { field })];
      }),
  };
}

function parseDocument<S extends Schema<unknown>>(
  parts: KindParts<S>,
  document: unknown,
  source: DocumentSource,
): Reading<Immutable<Static<S>>> {
  if (!isRecord(document))
    return { kind: "bad", problems: [problem("", document, "must be a mapping of fields")] };
  const converted: Reading<RawDocument> = parts.convert?.(document, source) ?? {
    kind: "ok",
    value: document,
  };
  if (converted.kind === "bad") return converted;
  const problems =
    source === "user"
      ? checkMetadata(converted.value, parts.name, parts.isNamespaced ?? false, parts.nameRule)
      : [];
  const reading = readSchema(parts.schema, converted.value, {
    unknownFields: source === "user" ? "refuse" : "drop",
    defaults: true,
  });
  if (reading.kind === "bad")
    return { kind: "bad", problems: [...problems, ...withoutRepeats(reading.problems, problems)] };
  const completed = parts.complete?.(reading.value) ?? reading.value;
  const value = source === "store" ? completed : (parts.completeWrite?.(completed) ?? completed);
  if (source === "user") problems.push(...(parts.check?.(value) ?? []));
  return problems.length === 0 ? { kind: "ok", value } : { kind: "bad", problems };
}

function asItIs(resource: ResourceBase): ResourceBase {
  return resource;
}

/** The schema also misses what the metadata rules have already named. */
function withoutRepeats(problems: readonly Problem[], known: readonly Problem[]): readonly Problem[] {
  return problems.filter((one) => !known.some(({ path }) => path === one.path));
}

function fieldAt(resource: unknown, path: string): unknown {
  let value = resource;
  for (const name of path.split(".")) value = isRecord(value) ? value[name] : undefined;
  return value;
}
