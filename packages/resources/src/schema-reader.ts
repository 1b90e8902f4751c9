import type { Schema, SchemaNode, Static } from "./type.ts";
import { AmbiguousScalar } from "./ambiguous-scalar.ts";
import { formats } from "./formats.ts";
import type { Immutable } from "./immutable.ts";
import { display, problem, type Problem } from "./problem.ts";
import { nearest } from "./suggest.ts";

/** How to treat a document: a person's input is strict, what a store holds is read tolerantly. */
export interface ReadOptions {
  /**
   * `refuse` makes an unknown field a problem; `drop` leaves it out, as Calico does for stored values; `keep` takes it over as
   * it is, behind the others.
   */
  readonly unknownFields: "refuse" | "drop" | "keep";
  /** Whether absent optional fields take their schema default. */
  readonly defaults: boolean;
  /** Path that problems start from. */
  readonly path?: string;
}

export type Reading<T> =
  | { readonly kind: "ok"; readonly value: T }
  | { readonly kind: "bad"; readonly problems: readonly Problem[] };

/**
 * Checks `input` against `schema` and returns a fresh value: fields in schema order, nulls and empty optional
 * texts left out as Go's JSON does, text forms of numbers normalised. It knows the part of JSON Schema that the
 * resource schemas use.
 */
export function readSchema<S extends Schema<unknown>>(
  schema: S,
  input: unknown,
  options: ReadOptions,
): Reading<Immutable<Static<S>>> {
  const walk: Walk = { options, problems: [], root: schema };
  const value = readNode(schema, input, options.path ?? "", walk);
  return conforms(schema, value, walk.problems.length === 0)
    ? { kind: "ok", value }
    : { kind: "bad", problems: walk.problems };
}

/** What the reader has established: a value it built without a problem has the schema's type. */
function conforms<S extends Schema<unknown>>(
  _schema: S,
  _value: unknown,
  isClean: boolean,
): _value is Immutable<Static<S>> {
  return isClean;
}

interface Walk {
  readonly options: ReadOptions;
  readonly problems: Problem[];
  readonly root: SchemaNode;
}

function readNode(node: SchemaNode, input: unknown, path: string, walk: Walk): unknown {
  if (input instanceof AmbiguousScalar) return readAmbiguous(node, input, path, walk);
  if (node.anyOf !== undefined) return readUnion(node.anyOf, input, path, walk);
  if (node.const !== undefined || node.enum !== undefined) return readChoice(node, input, path, walk);
  switch (node.type) {
    case "object":
      return readObject(node, input, path, walk);
    case "array":
      return readArray(node, input, path, walk);
    case "string":
      return readText(node, input, path, walk);
    case "integer":
    case "number":
      return readNumber(node, input, path, walk);
    case "boolean":
      return typeof input === "boolean" ? input : refuse(walk, path, input, "must be true or false");
    case "null":
      return input === null ? input : refuse(walk, path, input, "must be null");
    default:
      return input;
  }
}

/** An unquoted value is taken where only one reading makes sense, and refused where YAML would surprise. */
function readAmbiguous(node: SchemaNode, input: AmbiguousScalar, path: string, walk: Walk): unknown {
  const { text, meaning, isOctal } = input;
  if (node.enum !== undefined || node.const !== undefined || node.anyCaseOf !== undefined) {
    return readNode(node, text, path, walk);
  }
  const isNumber = (one: SchemaNode): boolean => one.type === "integer" || one.type === "number";
  const takesNumber = isNumber(node) || node.anyOf?.some(isNumber) === true;
  if (typeof meaning === "number" && takesNumber) {
    if (!isOctal) return readNode(node, meaning, path, walk);
    return refuse(walk, path, text, "is octal to some readers of YAML: write it without the leading zero");
  }
  if (node.type === undefined && node.anyOf === undefined) return meaning;
  if (node.type !== "string" && node.anyOf === undefined) return readNode(node, meaning, path, walk);
  const reading = isOctal ? "an octal number" : String(meaning);
  return refuse(walk, path, text, `YAML reads it as ${reading}: write "${text}" in quotes`);
}

function readObject(node: SchemaNode, input: unknown, path: string, walk: Walk): unknown {
  if (!isRecord(input)) return refuse(walk, path, input, "must be a mapping of fields");
  const output: Record<string, unknown> = {};
  const properties = node.properties ?? {};
  for (const [name, child] of Object.entries(properties)) {
    const at = path === "" ? name : `${path}.${name}`;
    const isRequired = node.required?.includes(name) === true;
    const given = Object.hasOwn(input, name) ? input[name] : undefined;
    if (isAbsent(given, child)) {
      if ((isRequired || walk.options.defaults) && child.default !== undefined) {
        output[name] = readNode(child, structuredCopy(child.default), at, walk);
      } else if (isRequired) {
        walk.problems.push(problem(at, undefined, "is required"));
      }
      continue;
    }
    output[name] = readNode(child, given, at, walk);
  }
  readOthers(node, properties, input, path, walk, output);
  return output;
}

/** Fields outside `properties`: entries of a map, or unknown ones. */
function readOthers(
  node: SchemaNode,
  properties: Readonly<Record<string, SchemaNode>>,
  input: Readonly<Record<string, unknown>>,
  path: string,
  walk: Walk,
  output: Record<string, unknown>,
): void {
  const [entry] = Object.values(node.patternProperties ?? {});
  for (const [name, value] of Object.entries(input)) {
    if (Object.hasOwn(properties, name)) continue;
    const at = path === "" ? name : `${path}.${name}`;
    if (entry !== undefined) {
      // Assigning `__proto__` would change the map instead of adding to it.
      if (name !== "__proto__" && value !== null) output[name] = readNode(entry, value, at, walk);
    } else if (walk.options.unknownFields === "refuse") {
      walk.problems.push(unknownField(at, name, Object.keys(properties), walk));
    } else if (walk.options.unknownFields === "keep" && name !== "__proto__") output[name] = value;
  }
}

function unknownField(path: string, name: string, siblings: readonly string[], walk: Walk): Problem {
  const sibling = nearest(name, siblings);
  const elsewhere = sibling === undefined ? findField(walk.root, name, "") : undefined;
  const hint =
    sibling !== undefined
      ? ` (did you mean ${sibling}?)`
      : elsewhere !== undefined
        ? ` (it belongs at ${elsewhere})`
        : "";
  return {
    path,
    field: name,
    reason: `field in document is not recognized or is in the wrong location: ${name}${hint}`,
    unknownField: true,
  };
}

/** Where in the schema a field of this name is, if anywhere. */
function findField(node: SchemaNode, name: string, path: string): string | undefined {
  for (const [key, child] of Object.entries(node.properties ?? {})) {
    const at = path === "" ? key : `${path}.${key}`;
    const found = key === name ? at : findField(child, name, at);
    if (found !== undefined) return found;
  }
  return undefined;
}

function readArray(node: SchemaNode, input: unknown, path: string, walk: Walk): unknown {
  if (!Array.isArray(input)) return refuse(walk, path, input, "must be a list");
  const list: readonly unknown[] = input;
  if (node.minItems !== undefined && list.length < node.minItems) {
    return refuse(walk, path, `${list.length} items`, `must have at least ${node.minItems} item(s)`);
  }
  if (node.maxItems !== undefined && list.length > node.maxItems) {
    walk.problems.push(problem(path, `${list.length} items`, `must have at most ${node.maxItems} items`));
    return undefined;
  }
  const { items } = node;
  if (items === undefined) return list;
  const output = list.map((item, index) => readNode(items, item, `${path}[${index}]`, walk));
  if (node.uniqueItems === true && walk.options.unknownFields === "refuse") refuseRepeats(output, path, walk);
  return output;
}

/** Kubernetes refuses what stands in a set twice, so no datastore takes it. The first is told of. */
function refuseRepeats(items: readonly unknown[], path: string, walk: Walk): void {
  const seen = new Map<string, number>();
  for (const [index, item] of items.entries()) {
    // What could not be read has its own problem.
    if (item === undefined) continue;
    const key = JSON.stringify(item);
    const first = seen.get(key);
    if (first !== undefined) {
      walk.problems.push(problem(`${path}[${index}]`, item, `is given twice: ${path}[${first}] is the same`));
      return;
    }
    seen.set(key, index);
  }
}

function readText(node: SchemaNode, input: unknown, path: string, walk: Walk): unknown {
  if (typeof input !== "string") return refuse(walk, path, input, "must be text");
  if (node.maxLength !== undefined && input.length > node.maxLength) {
    return refuse(walk, path, `${input.slice(0, 40)}…`, `must have at most ${node.maxLength} characters`);
  }
  if (node.anyCaseOf !== undefined) return readAnyCase(node.anyCaseOf, input, path, walk);
  const format = node.format === undefined ? undefined : formats[node.format];
  const reason = format?.check(input);
  if (reason !== undefined) return refuse(walk, path, input, reason, format?.allowed);
  if (node.pattern !== undefined && !new RegExp(node.pattern).test(input)) {
    return refuse(walk, path, input, "is malformed", node.pattern);
  }
  return format?.normalise?.(input) ?? input;
}

/** The text stays as it was written: Calico keeps the spelling too. */
function readAnyCase(words: readonly string[], input: string, path: string, walk: Walk): unknown {
  if (words.some((word) => word.toLowerCase() === input.toLowerCase())) return input;
  const hint = nearest(input, words);
  const reason =
    hint === undefined ? "is not an allowed value" : `is not an allowed value, did you mean ${hint}?`;
  return refuse(walk, path, input, reason, words.join(", "));
}

function readNumber(node: SchemaNode, input: unknown, path: string, walk: Walk): unknown {
  // int64 values (nanosecond sequence numbers) do not fit a JavaScript number.
  if (node.format === "int64") {
    if (typeof input === "bigint") return input;
    return Number.isSafeInteger(input)
      ? BigInt(Number(input))
      : refuse(walk, path, input, "must be a number");
  }
  const format = node.format === undefined ? undefined : formats[node.format];
  const value = typeof input === "string" ? format?.toNumber?.(input) : input;
  if (typeof value !== "number" || !Number.isFinite(value)) {
    return refuse(
      walk,
      path,
      input,
      format?.allowed === undefined ? "must be a number" : "is malformed",
      format?.allowed,
    );
  }
  if (node.type === "integer" && !Number.isInteger(value)) {
    // YAML reads an unquoted 1.10 as the number 1.1.
    const hint = format?.toNumber === undefined ? "" : '; the form high.low needs quotes: "1.10"';
    return refuse(walk, path, input, `must be a whole number${hint}`);
  }
  const { minimum = -Infinity, maximum = Infinity } = node;
  if (value >= minimum && value <= maximum) return value;
  return refuse(walk, path, input, "is out of range", describeRange(minimum, maximum));
}

function readChoice(node: SchemaNode, input: unknown, path: string, walk: Walk): unknown {
  const choices = node.enum ?? [node.const];
  if (choices.includes(input)) return input;
  const texts = choices.filter((choice) => typeof choice === "string");
  const hint = typeof input === "string" ? nearest(input, texts) : undefined;
  const reason =
    hint === undefined ? "is not an allowed value" : `is not an allowed value, did you mean ${hint}?`;
  return refuse(walk, path, input, reason, choices.map(display).join(", "));
}

/** A union takes the first alternative of the value's own type. */
function readUnion(options: readonly SchemaNode[], input: unknown, path: string, walk: Walk): unknown {
  const fitting = options.find((option) => hasTypeOf(option, input));
  if (fitting !== undefined) return readNode(fitting, input, path, walk);
  const names = options.map(typeName).join(" or ");
  return refuse(walk, path, input, `must be ${names}`);
}

function typeName({ type }: SchemaNode): string {
  const names: Readonly<Record<string, string>> = { integer: "a whole number", number: "a number" };
  return type === undefined || type === "string" ? "text" : (names[type] ?? type);
}

function hasTypeOf(node: SchemaNode, input: unknown): boolean {
  if (node.enum !== undefined) return node.enum.some((one) => typeof one === typeof input);
  switch (node.type) {
    case "null":
      return input === null;
    case "array":
      return Array.isArray(input);
    case "object":
      return isRecord(input);
    case "integer":
    case "number":
      return typeof input === "number" || typeof input === "bigint";
    default:
      return typeof input === node.type;
  }
}

/** Go's JSON treats null as unset, and Calico's checks treat empty text as unset. */
function isAbsent(given: unknown, node: SchemaNode): boolean {
  if (given === undefined) return true;
  if (given === null)
    return node.anyOf?.some((option) => option.type === "null") !== true && node.type !== "null";
  return given === "" && node.anyOf === undefined;
}

function refuse(walk: Walk, path: string, found: unknown, reason: string, allowed?: string): undefined {
  walk.problems.push(problem(path, found ?? "null", reason, allowed === undefined ? {} : { allowed }));
  return undefined;
}

function describeRange(minimum: number, maximum: number): string {
  if (maximum === Infinity) return `${minimum} or more`;
  return minimum === -Infinity ? `${maximum} or less` : `${minimum} to ${maximum}`;
}

/** Whether `value` is a plain mapping. */
export function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function structuredCopy(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(structuredCopy);
  if (!isRecord(value)) return value;
  return Object.fromEntries(Object.entries(value).map(([key, child]) => [key, structuredCopy(child)]));
}
