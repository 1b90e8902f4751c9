import { type Document, LineCounter, parseAllDocuments, stringify } from "yaml";
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
  const documents = parseAllDocuments(text, { lineCounter: lines, prettyErrors: false });
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
  try {
    content = document.toJS({ maxAliasCount });
  } catch (error) {
    errors.push(syntaxError(lineOf(""), error instanceof Error ? error.message : display(error)));
    return;
  }
  if (content === null || content === undefined) return;
  for (const { value, path } of itemsOf(content)) {
    const reading = parseResource(value, "user");
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

function syntaxError(line: number, reason: string): ManifestError {
  const text = reason.replaceAll(/\s+/g, " ").trim();
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
