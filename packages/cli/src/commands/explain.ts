import { apiVersion, findKind, isKindName, isRecord, jsonSchemaOf, kinds, toJson } from "@caracal/resources";
import { CliError } from "../cli-error.ts";
import type { Command } from "../command.ts";
import { didYouMean } from "../did-you-mean.ts";
import { kindNamed } from "../resources/find-kind.ts";

/** The part of JSON Schema that is told of. */
type Schema = Readonly<Record<string, unknown>>;

export const explain: Command = {
  name: "explain",
  operands: "KIND[.FIELD]…",
  description: "A field is named by its path: ippool.spec.cidr. Nothing is asked of a datastore.",
  options: [
    { name: "recursive", summary: "The fields inside the fields too, by name and type only." },
    {
      name: "output",
      short: "o",
      value: "FORMAT",
      choices: ["json-schema"],
      summary: "json-schema: the kind's or the field's JSON Schema, for editors and other tools.",
    },
  ],
  run: async (ctx, args) => {
    const [words, ...stray] = args.positional;
    if (words === undefined || stray.length > 0) {
      throw new CliError("usage: explain KIND[.FIELD]…, or explain route PREFIX|IP|POD|NODE");
    }
    const [kindWord = "", ...path] = words.split(".");
    if (kindWord !== "route" && findKind(kindWord) === undefined) {
      const hint = didYouMean(kindWord, [...Object.keys(kinds), "route"]);
      throw new CliError(`resource type '${kindWord}' is not supported${hint}`);
    }
    const kind = kindNamed(kindWord);
    if (!isKindName(kind)) return 1;
    const found = walk(jsonSchemaOf(kind), path, words);
    const output = args.text("output");
    if (output !== undefined) {
      if (output !== "json-schema") {
        const hint = didYouMean(output, ["json-schema"]) || "; it is json-schema";
        throw new CliError(`unrecognized output format '${output}'${hint}`);
      }
      ctx.stdout.write(`${toJson(found.schema)}\n`);
      return 0;
    }
    const [group = "", version = ""] = apiVersion.split("/");
    const lines = [`GROUP:      ${group}`, `KIND:       ${kind}`, `VERSION:    ${version}`, ""];
    if (path.length > 0)
      lines.push(
        `FIELD: ${path.at(-1)} <${typeName(found.schema)}>${found.isRequired ? " -required-" : ""}`,
        "",
      );
    lines.push(...about(found.schema), ...fields(found.schema, args.flag("recursive")));
    ctx.stdout.write(`${lines.join("\n").trimEnd()}\n`);
    return 0;
  },
};

/** The schema at a path; lists and maps are passed through, as in kubectl. */
function walk(
  root: Schema,
  path: readonly string[],
  words: string,
): { readonly schema: Schema; readonly isRequired: boolean } {
  let schema = root;
  let isRequired = false;
  for (const name of path) {
    const inner = innermost(schema);
    const children = propertiesOf(inner);
    const child = Object.hasOwn(children, name) ? children[name] : undefined;
    if (child === undefined) {
      const hint = didYouMean(name, Object.keys(children));
      throw new CliError(`field "${name}" does not exist in ${words}${hint}`);
    }
    isRequired = requiredOf(inner).includes(name);
    schema = child;
  }
  return { schema, isRequired };
}

/** The paths that a path may go on with, for a shell to offer: `ippool.spec.ci` may be `ippool.spec.cidr`. */
export function childFields(words: string): readonly string[] {
  const [kindWord = "", ...path] = words.split(".");
  const kind = findKind(kindWord)?.name;
  if (kind === undefined || !isKindName(kind)) return [];
  const parents = path.slice(0, -1);
  let schema: Schema = jsonSchemaOf(kind);
  for (const name of parents) {
    const children = propertiesOf(innermost(schema));
    const child = Object.hasOwn(children, name) ? children[name] : undefined;
    if (child === undefined) return [];
    schema = child;
  }
  return Object.keys(propertiesOf(innermost(schema))).map((name) => [kindWord, ...parents, name].join("."));
}

/** What a list or a map is made of. */
function innermost(schema: Schema): Schema {
  const { items, patternProperties } = schema;
  if (isRecord(items)) return innermost(items);
  const [entry] = isRecord(patternProperties) ? Object.values(patternProperties) : [];
  return isRecord(entry) ? innermost(entry) : schema;
}

function propertiesOf({ properties }: Schema): Readonly<Record<string, Schema>> {
  if (!isRecord(properties)) return {};
  return Object.fromEntries(
    Object.entries(properties).flatMap(([name, child]) => (isRecord(child) ? [[name, child]] : [])),
  );
}

function requiredOf({ required }: Schema): readonly unknown[] {
  return Array.isArray(required) ? required : [];
}

function typeName(schema: Schema): string {
  const { type, items, patternProperties, anyOf } = schema;
  if (isRecord(items)) return `[]${typeName(items)}`;
  const [entry] = isRecord(patternProperties) ? Object.values(patternProperties) : [];
  if (isRecord(entry)) return `map[string]${typeName(entry)}`;
  if (Array.isArray(anyOf)) {
    const options: readonly unknown[] = anyOf;
    return options.flatMap((option) => (isRecord(option) ? typeName(option) : [])).join(" or ");
  }
  if (type === "object") return "Object";
  return typeof type === "string" ? type : "string";
}

/** What is known of a value: its words, what it may be, and what it is when nobody says. */
function about(schema: Schema): readonly string[] {
  const remarks = remarksOf(schema);
  return remarks.length === 0 ? [] : ["DESCRIPTION:", ...remarks.map((line) => `    ${line}`), ""];
}

function remarksOf(schema: Schema): readonly string[] {
  const { description, maxItems } = schema;
  const inner = innermost(schema);
  const { format, minimum, maximum } = inner;
  const remarks: string[] = [];
  if (typeof description === "string") remarks.push(description);
  const { enum: choices, const: only } = inner;
  const values: readonly unknown[] = Array.isArray(choices) ? choices : only === undefined ? [] : [only];
  if (values.length > 0) remarks.push(`One of: ${values.map(String).join(", ")}.`);
  if (typeof format === "string") remarks.push(`Form: ${format}.`);
  if (typeof minimum === "number") remarks.push(`At least ${minimum}.`);
  if (typeof maximum === "number") remarks.push(`At most ${maximum}.`);
  if (typeof maxItems === "number") remarks.push(`At most ${maxItems} items.`);
  const fallback = schema.default;
  const isWorthTelling =
    fallback !== undefined && !(isRecord(fallback) && Object.keys(fallback).length === 0);
  if (isWorthTelling) {
    remarks.push(`Default: ${typeof fallback === "string" ? fallback : JSON.stringify(fallback)}.`);
  }
  return remarks;
}

function fields(schema: Schema, isRecursive: boolean): readonly string[] {
  const inner = innermost(schema);
  const children = Object.entries(propertiesOf(inner));
  if (children.length === 0) return [];
  const lines = ["FIELDS:"];
  for (const [name, child] of children) {
    const required = requiredOf(inner).includes(name) ? " -required-" : "";
    lines.push(`  ${name}\t<${typeName(child)}>${required}`);
    if (isRecursive) lines.push(...nested(child, "    "));
    else lines.push(...remarksOf(child).map((line) => `    ${line}`), "");
  }
  return lines;
}

function nested(schema: Schema, indent: string): readonly string[] {
  return Object.entries(propertiesOf(innermost(schema))).flatMap(([name, child]) => [
    `${indent}${name}\t<${typeName(child)}>`,
    ...nested(child, `${indent}  `),
  ]);
}
