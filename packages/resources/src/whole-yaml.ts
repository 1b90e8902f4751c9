import { type Document, LineCounter, parseAllDocuments } from "yaml";
import { maxNesting } from "./ambiguous-scalar.ts";
import { display } from "./problem.ts";
import { isRecord } from "./schema-reader.ts";
import {
  aliasOfItself,
  isDeep,
  markAmbiguous,
  nestedKey,
  repeatedKey,
  unresolvedAlias,
} from "./yaml-checks.ts";
import type { YamlDocument } from "./yaml-document.ts";

/** Aliases (`*x`) that one document may expand to: more is an attack rather than a manifest. */
const maxAliasCount = 100;

/** Brackets, or dashes, that may be open in a text for the parser to be asked: it keeps all that is open, and reads on. */
const maxOpen = 10_000;

/** Reads every document of a text with all that YAML has: slowly, and with the place of whatever is wrong. */
export function readWholeYaml(text: string): readonly YamlDocument[] {
  const tooMuch = opensTooMuch(text);
  if (tooMuch !== undefined) {
    return [{ kind: "bad", line: text.slice(0, tooMuch).split("\n").length, reason: tooDeep }];
  }
  const counter = new LineCounter();
  const documents = parseAllDocuments(text, {
    lineCounter: counter,
    prettyErrors: false,
    merge: true,
    // The parser compares every key with every other.
    uniqueKeys: false,
  });
  return "empty" in documents ? [] : documents.map((document) => readDocument(document, counter));
}

function readDocument(document: Document.Parsed, counter: LineCounter): YamlDocument {
  const lineAt = (offset: number): number => counter.linePos(offset).line;
  const [broken] = document.errors;
  if (broken !== undefined) {
    // The parser says so where its own recursion ends.
    const reason = broken.message.includes("call stack") ? tooDeep : broken.message;
    return { kind: "bad", line: lineAt(broken.pos[0]), reason };
  }
  const lineOf = (path: readonly (string | number)[]): number => lineOfPath(document, lineAt, path);
  if (isDeep(document)) return { kind: "bad", line: lineOf([]), reason: tooDeep };
  const repeated = repeatedKey(document);
  if (repeated !== undefined) {
    return { kind: "bad", line: lineAt(repeated), reason: "Map keys must be unique" };
  }
  const nested = nestedKey(document);
  if (nested !== undefined) {
    return {
      kind: "bad",
      line: lineAt(nested),
      reason: "A field's name must be text, not a mapping or a list",
    };
  }
  const circular = aliasOfItself(document);
  if (circular !== undefined) {
    return { kind: "bad", line: lineAt(circular), reason: "An alias stands inside of its own anchor" };
  }
  markAmbiguous(document);
  try {
    const content: unknown = document.toJS({ maxAliasCount });
    return { kind: "ok", content, lineOf };
  } catch (error) {
    const at = unresolvedAlias(document);
    const line = at === undefined ? lineOf([]) : lineAt(at);
    return { kind: "bad", line, reason: error instanceof Error ? error.message : display(error) };
  }
}

const tooDeep = `is nested more than ${maxNesting} levels deep`;

/** Where a text has opened so much more than it has closed that it can only mean harm. */
function opensTooMuch(text: string): number | undefined {
  let openBrackets = 0;
  let marksInRow = 0;
  for (let at = 0; at < text.length; at++) {
    const mark = text[at] ?? "";
    if (mark === " ") continue;
    const isMark = mark === "," || ("-?:".includes(mark) && text[at + 1] === " ");
    marksInRow = isMark ? marksInRow + 1 : 0;
    if (mark === "[" || mark === "{") openBrackets += 1;
    else if (mark === "]" || mark === "}") openBrackets -= 1;
    if (openBrackets > maxOpen || marksInRow > maxOpen) return at;
  }
  return undefined;
}

/** The line of the deepest part of `path` that is in the document. */
function lineOfPath(
  document: Document.Parsed,
  lineAt: (offset: number) => number,
  path: readonly (string | number)[],
): number {
  for (let depth = path.length; depth >= 0; depth--) {
    const node: unknown = depth === 0 ? document.contents : document.getIn(path.slice(0, depth), true);
    if (!isRecord(node) || !Array.isArray(node.range)) continue;
    const [start]: readonly unknown[] = node.range;
    if (typeof start === "number") return lineAt(start);
  }
  return 1;
}
