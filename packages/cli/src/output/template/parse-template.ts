import { CliError } from "../../cli-error.ts";

/** An operand of a command: what it stands for, and the fields taken of it. */
export type Operand =
  | { readonly kind: "literal"; readonly value: unknown }
  /** `.A.B`, `$x.A`, `(…).A`: fields of the dot (`.`), of a variable (`$x`), or of a pipeline's value. */
  | { readonly kind: "fields"; readonly of: string | Pipeline; readonly fields: readonly string[] }
  | { readonly kind: "function"; readonly name: string };

/** Commands whose values are passed on, each as the last argument of the next. */
export interface Pipeline {
  readonly commands: readonly (readonly Operand[])[];
}

/** A part of a template. */
export type TemplateNode =
  | { readonly kind: "text"; readonly text: string }
  | { readonly kind: "print"; readonly pipeline: Pipeline }
  | { readonly kind: "assign"; readonly name: string; readonly pipeline: Pipeline }
  | {
      readonly kind: "if" | "with" | "range";
      /** Names for a range's index and element, the element's alone when there is one. */
      readonly variables: readonly string[];
      readonly pipeline: Pipeline;
      readonly body: readonly TemplateNode[];
      readonly otherwise: readonly TemplateNode[];
    };

/** Deepest nesting of blocks and brackets. */
const maxDepth = 100;

/**
 * Reads a template of Go's text/template: text, values, pipelines, variables, if, with and range. Throws `CliError` on what
 * is wrong, and on what is not known here: define, template, block, break, continue.
 */
export function parseTemplate(text: string): readonly TemplateNode[] {
  const pieces = split(text);
  const nodes = parseBlock(pieces, 0);
  const [rest] = pieces;
  if (rest !== undefined) throw fail(`unexpected {{${rest.text}}}`);
  return nodes;
}

interface Piece {
  readonly isAction: boolean;
  readonly text: string;
}

/** Text and actions in turn; `{{-` and `-}}` take the blanks beside them. */
function split(text: string): Piece[] {
  const pieces: Piece[] = [];
  let rest = text;
  let isTrimmed = false;
  for (;;) {
    const start = rest.indexOf("{{");
    const before = start < 0 ? rest : rest.slice(0, start);
    const opensTrim = start >= 0 && /^\{\{-\s/.test(rest.slice(start));
    const plain = opensTrim ? before.trimEnd() : before;
    pieces.push({ isAction: false, text: isTrimmed ? plain.trimStart() : plain });
    if (start < 0) return pieces.filter(({ isAction, text: own }) => isAction || own !== "");
    const match = /^\{\{(?:-\s)?((?:"(?:[^"\\]|\\.)*"|`[^`]*`|[^"`])*?)(\s-)?\}\}/s.exec(rest.slice(start));
    if (match === null) throw fail("unclosed action");
    const action = (match[1] ?? "").trim();
    if (!/^\/\*.*\*\/$/s.test(action)) pieces.push({ isAction: true, text: action });
    isTrimmed = match[2] !== undefined;
    rest = rest.slice(start + match[0].length);
  }
}

const unsupported: ReadonlySet<string> = new Set(["define", "template", "block", "break", "continue"]);

/** Nodes up to the `end` or `else` that is not theirs, which stays. */
function parseBlock(pieces: Piece[], depth: number): readonly TemplateNode[] {
  if (depth > maxDepth) throw fail("blocks are nested too deeply");
  const nodes: TemplateNode[] = [];
  for (let piece = pieces[0]; piece !== undefined; piece = pieces[0]) {
    if (piece.isAction && /^(end$|else\b)/.test(piece.text)) break;
    pieces.shift();
    nodes.push(piece.isAction ? parseAction(piece.text, pieces, depth) : { kind: "text", text: piece.text });
  }
  return nodes;
}

function parseAction(text: string, pieces: Piece[], depth: number): TemplateNode {
  const [, word = "", rest = ""] = /^(\w+)\s*(.*)$/s.exec(text) ?? [];
  if (unsupported.has(word)) throw fail(`"${word}" is not supported; use json, yaml or custom-columns`);
  if (word === "if" || word === "with" || word === "range") return parseControl(word, rest, pieces, depth);
  const [, name, value] = /^\$(\w+)\s*:?=\s*(.*)$/s.exec(text) ?? [];
  if (name !== undefined && value !== undefined) {
    return { kind: "assign", name, pipeline: parsePipeline(value) };
  }
  return { kind: "print", pipeline: parsePipeline(text) };
}

function parseControl(
  kind: "if" | "with" | "range",
  head: string,
  pieces: Piece[],
  depth: number,
): TemplateNode {
  const [, names, value] = /^((?:\$\w+\s*,\s*)?\$\w+)\s*:=\s*(.*)$/s.exec(head) ?? [];
  const variables = names === undefined ? [] : names.split(",").map((name) => name.trim().slice(1));
  const pipeline = parsePipeline(value ?? head);
  const body = parseBlock(pieces, depth + 1);
  const stop = pieces.shift();
  if (stop === undefined) throw fail(`{{${kind}}} has no {{end}}`);
  if (stop.text === "end") return { kind, variables, pipeline, body, otherwise: [] };
  const next = /^else\s+(if|with)\s+(.*)$/s.exec(stop.text);
  if (next !== null) {
    const inner = next[1] === "with" ? "with" : "if";
    return {
      kind,
      variables,
      pipeline,
      body,
      otherwise: [parseControl(inner, next[2] ?? "", pieces, depth + 1)],
    };
  }
  const otherwise = parseBlock(pieces, depth + 1);
  if (pieces.shift()?.text !== "end") throw fail(`{{${kind}}} has no {{end}}`);
  return { kind, variables, pipeline, body, otherwise };
}

const tokenPattern =
  /\s*("(?:[^"\\]|\\.)*"|`[^`]*`|-?\d+(?:\.\d+)?|[()|]|\$\w*(?:\.\w+)*|(?:\.\w+)+|\.|[A-Za-z_]\w*|\S)/gy;

function parsePipeline(text: string): Pipeline {
  const tokens = [...text.trim().matchAll(tokenPattern)].map(([, token = ""]) => token);
  if (tokens.length === 0) throw fail("an action is empty");
  const pipeline = readPipeline(tokens, 0);
  const [stray] = tokens;
  if (stray !== undefined) throw fail(`unexpected "${stray}"`);
  return pipeline;
}

function readPipeline(tokens: string[], depth: number): Pipeline {
  if (depth > maxDepth) throw fail("brackets are nested too deeply");
  const commands: Operand[][] = [[]];
  for (let token = tokens[0]; token !== undefined && token !== ")"; token = tokens[0]) {
    tokens.shift();
    if (token === "|") {
      commands.push([]);
    } else if (token === "(") {
      const inner = readPipeline(tokens, depth + 1);
      if (tokens.shift() !== ")") throw fail("unclosed bracket");
      const fields = /^\.\w/.test(tokens[0] ?? "") ? fieldsOf(tokens.shift() ?? "") : [];
      commands.at(-1)?.push({ kind: "fields", of: inner, fields });
    } else {
      commands.at(-1)?.push(readOperand(token));
    }
  }
  if (commands.some((command) => command.length === 0)) throw fail("a command is missing");
  return { commands };
}

function readOperand(token: string): Operand {
  if (token.startsWith("`")) return { kind: "literal", value: token.slice(1, -1) };
  if (token.startsWith('"')) return { kind: "literal", value: readText(token) };
  if (/^-?\d/.test(token)) return { kind: "literal", value: Number(token) };
  if (token === "true" || token === "false") return { kind: "literal", value: token === "true" };
  if (token === "nil") return { kind: "literal", value: undefined };
  if (token.startsWith(".")) return { kind: "fields", of: ".", fields: fieldsOf(token) };
  if (token.startsWith("$")) {
    const [name = "", ...fields] = token.slice(1).split(".");
    return { kind: "fields", of: `$${name}`, fields };
  }
  if (/^[A-Za-z_]\w*$/.test(token)) return { kind: "function", name: token };
  throw fail(`unexpected "${token}"`);
}

function fieldsOf(token: string): readonly string[] {
  return token.split(".").filter((field) => field !== "");
}

function readText(token: string): string {
  try {
    const value: unknown = JSON.parse(token);
    return String(value);
  } catch {
    throw fail(`${token} is not text`);
  }
}

function fail(why: string): CliError {
  return new CliError(`error in go-template: ${why}`);
}
