import { type Document, LineCounter, parseAllDocuments, stringify } from "yaml";
import { markAmbiguous, maxNesting, unresolvedAlias } from "./ambiguous-scalar.ts";
import { kinds, parseResource, type Resource } from "./kinds.ts";
import { describeProblems, display, problem, type Problem } from "./problem.ts";
import { apiVersion } from "./resource-schema.ts";
import { isRecord } from "./schema-reader.ts";

/** A resource and the line of the manifest that it begins on. */
export interface ManifestResource {
  readonly resource: Resource;
  readonly line: number;
}

/** What is wrong with one document: its problems, the line of the first, and all of it in one text. */
export interface ManifestError {
  readonly line: number;
  readonly problems: readonly Problem[];
  readonly message: string;
}

/** A file of resources, in its own order. */
export interface Manifest {
  readonly resources: readonly ManifestResource[];
  readonly errors: readonly ManifestError[];
}

/** Aliases (`*x`) that one document may expand to: more is an attack rather than a manifest. */
const maxAliasCount = 100;

/**
 * Reads YAML or JSON: one or many documents, each a resource, a `List` or `<Kind>List`, or a bare list of resources.
 * Documents are strict, as a user's input is; blank ones are skipped.
 */
export function parseManifest(text: string): Manifest {
  const lines = new LineCounter();
  const resources: ManifestResource[] = [];
  const errors: ManifestError[] = [];
  const control = /(?![\t\n\r\u0085])\p{Cc}/u.exec(text);
  if (control !== null) {
    const line = text.slice(0, control.index).split("\n").length;
    return { resources, errors: [syntaxError(line, "control characters are not allowed")] };
  }
  const documents = parseAllDocuments(text, { lineCounter: lines, prettyErrors: false, merge: true });
  for (const document of "empty" in documents ? [] : documents) {
    const [broken] = document.errors;
    if (broken !== undefined) {
      errors.push(syntaxError(lines.linePos(broken.pos[0]).line, broken.message));
      continue;
    }
    readDocument(document, lines, resources, errors);
  }
  return { resources, errors };
}

/** YAML as Calico's tools print it: keys in alphabetical order, lists not indented. */
export function toYaml(value: unknown): string {
  // The 1.1 rules quote what older YAML readers would take for times, octals and yes/no.
  return stringify(value, { version: "1.1", sortMapEntries: true, lineWidth: 0, indentSeq: false });
}

/** JSON as Calico's tools print it: fields in their declared order, two spaces. */
export function toJson(value: unknown): string {
  return JSON.stringify(value, null, 2);
}

/** The list document of a kind: `IPPoolList`. */
export function toList(listName: string, items: readonly Resource[], resourceVersion?: string): unknown {
  return {
    kind: listName,
    apiVersion,
    metadata: resourceVersion === undefined ? {} : { resourceVersion },
    items,
  };
}

function readDocument(
  document: Document.Parsed,
  lines: LineCounter,
  resources: ManifestResource[],
  errors: ManifestError[],
): void {
  const lineOf = (path: string): number => lineAt(document, lines, path);
  let content: unknown;
  if (!markAmbiguous(document)) {
    errors.push(syntaxError(lineOf(""), tooDeep));
    return;
  }
  try {
    content = document.toJS({ maxAliasCount });
  } catch (error) {
    const at = unresolvedAlias(document);
    const line = at === undefined ? lineOf("") : lines.linePos(at).line;
    errors.push(syntaxError(line, error instanceof Error ? error.message : display(error)));
    return;
  }
  if (content === null || content === undefined) return;
  for (const { value, path } of itemsOf(content)) {
    const reading = parseResource(withTextMetadata(value), "user");
    if (reading.kind === "ok") resources.push({ resource: reading.value, line: lineOf(path) });
    else errors.push(toError(reading.problems, path, lineOf));
  }
}

function toError(
  problems: readonly Problem[],
  prefix: string,
  lineOf: (path: string) => number,
): ManifestError {
  const placed = problems.map((one) => ({ ...one, path: joinPath(prefix, one.path) }));
  const first = placed.find(({ unknownField }) => unknownField) ?? placed[0];
  return { line: lineOf(first?.path ?? ""), problems: placed, message: describeProblems(placed) };
}

/** Names, labels and annotations that YAML reads as a number or truth are text, as in Calico's tools. */
function withTextMetadata(document: unknown): unknown {
  if (!isRecord(document) || !isRecord(document.metadata)) return document;
  const { metadata } = document;
  const texts = Object.entries(metadata).map(([name, value]): [string, unknown] => {
    if (name === "name" || name === "namespace") return [name, asText(value)];
    if ((name !== "labels" && name !== "annotations") || !isRecord(value)) return [name, value];
    const entries = Object.entries(value).map(([key, one]): [string, unknown] => [key, asText(one)]);
    return [name, Object.fromEntries(entries)];
  });
  return { ...document, metadata: Object.fromEntries(texts) };
}

function asText(value: unknown): unknown {
  return typeof value === "number" || typeof value === "boolean" ? String(value) : value;
}

/** The resources of a document, with the path of each in it. */
function itemsOf(content: unknown): readonly { readonly value: unknown; readonly path: string }[] {
  const isList = isRecord(content) && typeof content.kind === "string" && isListName(content.kind);
  const items: unknown = isList ? (content.items ?? []) : content;
  if (!Array.isArray(items)) return [{ value: content, path: "" }];
  const list: readonly unknown[] = items;
  return list.map((value, index) => ({ value, path: `${isList ? "items" : ""}[${index}]` }));
}

function isListName(name: string): boolean {
  return name === "List" || Object.values(kinds).some(({ listName }) => listName === name);
}

const tooDeep = `is nested more than ${maxNesting} levels deep`;

function syntaxError(line: number, reason: string): ManifestError {
  // The parser says so where its own recursion ends.
  const isTooDeep = reason.includes("call stack");
  const text = isTooDeep ? tooDeep : reason.replaceAll(/\s+/g, " ").trim();
  return { line, problems: [problem("", undefined, text)], message: `line ${line}: ${text}` };
}

function joinPath(prefix: string, path: string): string {
  if (prefix === "" || path === "") return prefix + path;
  return `${prefix}.${path}`;
}

/** The line of the deepest part of `path` that is in the document. */
function lineAt(document: Document.Parsed, lines: LineCounter, path: string): number {
  const keys = [...path.matchAll(/[^.[\]]+|\[(\d+)\]/g)].map(([name, index]) =>
    index === undefined ? name : Number(index),
  );
  for (let depth = keys.length; depth >= 0; depth--) {
    const node: unknown = depth === 0 ? document.contents : document.getIn(keys.slice(0, depth), true);
    if (!isRecord(node) || !Array.isArray(node.range)) continue;
    const [start]: readonly unknown[] = node.range;
    if (typeof start === "number") return lines.linePos(start).line;
  }
  return 1;
}
