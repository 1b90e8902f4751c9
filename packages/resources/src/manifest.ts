import { stringify } from "yaml";
import { kinds, parseResource, type Resource } from "./kinds.ts";
import { describeProblems, problem, type Problem } from "./problem.ts";
import { readQuickYaml } from "./quick-yaml.ts";
import { isRecord } from "./schema-reader.ts";
import { readWholeYaml } from "./whole-yaml.ts";
import type { YamlDocument } from "./yaml-document.ts";

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

/** Wrong documents that are told of: a person mends some and tries again. */
const maxErrors = 1000;

/**
 * Reads YAML or JSON: one or many documents, each a resource, a `List` or `<Kind>List`, or a bare list of resources.
 * Documents are strict, as a user's input is; blank ones are skipped.
 */
export function parseManifest(text: string): Manifest {
  const resources: ManifestResource[] = [];
  const errors: ManifestError[] = [];
  const control = /(?![\t\n\r\u0085])\p{Cc}/u.exec(text);
  if (control !== null) {
    const line = text.slice(0, control.index).split("\n").length;
    return { resources, errors: [syntaxError(line, "control characters are not allowed")] };
  }
  for (const part of documentsOf(withoutMarks(text))) {
    for (const document of readPart(part.text)) {
      readDocument(document, part.linesBefore, resources, errors);
      if (errors.length >= maxErrors) return { resources, errors };
    }
  }
  return { resources, errors };
}

/** Without the byte order marks of files that were put together (YAML 1.2.2 §5.2). */
function withoutMarks(text: string): string {
  return text.includes("\uFEFF") ? text.replaceAll(/^\uFEFF/gm, "") : text;
}

/** The text of a document, or of several, and the lines before it. */
interface Part {
  readonly text: string;
  readonly linesBefore: number;
}

/** The documents of a text. Directives and document ends have rules of their own: with them the text is one part. */
function documentsOf(text: string): readonly Part[] {
  if (/^(?:%|\.\.\.)/m.test(text)) return [{ text, linesBefore: 0 }];
  const starts = [...text.matchAll(/^---(?=[ \t\r\n]|$)/gm)].map(({ index }) => index).filter((at) => at > 0);
  let linesBefore = 0;
  return [0, ...starts].map((start, index) => {
    const part = { text: text.slice(start, starts[index]), linesBefore };
    linesBefore += lineCount(part.text);
    return part;
  });
}

function lineCount(text: string): number {
  let count = 0;
  for (let at = text.indexOf("\n"); at >= 0; at = text.indexOf("\n", at + 1)) count += 1;
  return count;
}

function readPart(text: string): readonly YamlDocument[] {
  const quick = readQuickYaml(text);
  return quick === undefined ? readWholeYaml(text) : [quick];
}

/** YAML as Calico's tools print it: keys in alphabetical order, lists not indented. */
export function toYaml(value: unknown): string {
  // The 1.1 rules quote what older YAML readers would take for times, octals and yes/no.
  return stringify(value, { version: "1.1", sortMapEntries: true, lineWidth: 0, indentSeq: false });
}

function readDocument(
  document: YamlDocument,
  linesBefore: number,
  resources: ManifestResource[],
  errors: ManifestError[],
): void {
  if (document.kind === "bad") {
    errors.push(syntaxError(linesBefore + document.line, document.reason));
    return;
  }
  const { content } = document;
  if (content === null || content === undefined) return;
  const lineOf = (path: string): number => linesBefore + document.lineOf(keysOf(path));
  for (const { value, path } of itemsOf(content)) {
    const reading = parseResource(withTextMetadata(value), "user");
    if (reading.kind === "ok") resources.push({ resource: reading.value, line: lineOf(path) });
    else errors.push(toError(reading.problems, path, lineOf));
    if (errors.length >= maxErrors) return;
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
  if (!Array.isArray(items))
    return isList ? [{ value: items, path: "items" }] : [{ value: content, path: "" }];
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

/** The names and places of a path such as `items[2].spec.cidr`. */
function keysOf(path: string): readonly (string | number)[] {
  return [...path.matchAll(/[^.[\]]+|\[(\d+)\]/g)].map(([name, index]) =>
    index === undefined ? name : Number(index),
  );
}
