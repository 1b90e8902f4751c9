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
  /** `:=` makes a variable of its block, `=` changes the one that is there. */
  | {
      readonly kind: "declare" | "assign";
      readonly name: string;
      readonly pipeline: Pipeline;
    }
  | { readonly kind: "break" | "continue" }
  /** Runs a template that was defined, with the pipeline's value as its dot. */
  | { readonly kind: "template"; readonly name: string; readonly pipeline: Pipeline | undefined }
  | {
      readonly kind: "if" | "with" | "range";
      /** Names for a range's index and element, the element's alone when there is one. */
      readonly variables: readonly string[];
      readonly pipeline: Pipeline;
      readonly body: readonly TemplateNode[];
      readonly otherwise: readonly TemplateNode[];
    };

/** A template, and those that it defines by name. */
export interface Template {
  readonly nodes: readonly TemplateNode[];
  readonly defined: ReadonlyMap<string, readonly TemplateNode[]>;
}

/** Deepest nesting of blocks and brackets. */
const maxDepth = 100;

/**
 * Reads a template of Go's text/template: text, values, pipelines, variables, if, with, range with break and continue, define,
 * template and block. Throws `CliError` on what is wrong.
 */
export function parseTemplate(text: string): Template {
  const parser = new TemplateParser(split(text));
  return { nodes: parser.readAll(), defined: parser.defined };
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

/** Where a block stands. */
interface Place {
  readonly depth: number;
  readonly isInRange: boolean;
}

class TemplateParser {
  readonly #pieces: Piece[];
  readonly defined: Map<string, readonly TemplateNode[]> = new Map();

  constructor(pieces: Piece[]) {
    this.#pieces = pieces;
  }

  readAll(): readonly TemplateNode[] {
    const nodes = this.#readBlock({ depth: 0, isInRange: false });
    const [rest] = this.#pieces;
    if (rest !== undefined) throw fail(`unexpected {{${rest.text}}}`);
    return nodes;
  }

  /** Nodes up to the `end` or `else` that is not theirs, which stays. */
  #readBlock(place: Place): readonly TemplateNode[] {
    if (place.depth > maxDepth) throw fail("blocks are nested too deeply");
    const nodes: TemplateNode[] = [];
    for (let piece = this.#pieces[0]; piece !== undefined; piece = this.#pieces[0]) {
      if (piece.isAction && /^(end$|else\b)/.test(piece.text)) break;
      this.#pieces.shift();
      if (piece.isAction) nodes.push(...this.#readAction(piece.text, place));
      else nodes.push({ kind: "text", text: piece.text });
    }
    return nodes;
  }

  #readAction(text: string, place: Place): readonly TemplateNode[] {
    const [, word = "", rest = ""] = /^(\w+)\s*(.*)$/s.exec(text) ?? [];
    switch (word) {
      case "if":
      case "with":
      case "range":
        return [this.#readControl(word, rest, place)];
      case "break":
      case "continue":
        if (!place.isInRange || rest !== "") throw fail(`{{${text}}} stands alone, and in a range`);
        return [{ kind: word }];
      case "define":
      case "block":
        return this.#readDefinition(word, rest, place);
      case "template": {
        const { name, pipeline } = readName(word, rest);
        return [{ kind: "template", name, pipeline }];
      }
      default:
        return [readValue(text)];
    }
  }

  /** `block` is a definition that is run where it stands. */
  #readDefinition(word: "define" | "block", head: string, place: Place): readonly TemplateNode[] {
    const { name, pipeline } = readName(word, head);
    if (word === "define" && (place.depth > 0 || pipeline !== undefined)) {
      throw fail("{{define}} has a name only, and stands in no other block");
    }
    if (word === "block" && pipeline === undefined) throw fail("{{block}} needs a name and a value");
    const body = this.#readBlock({ depth: place.depth + 1, isInRange: false });
    this.#readEnd(word);
    // Go keeps the first that says something.
    const known = this.defined.get(name);
    if (known !== undefined && known.length > 0 && word === "define") {
      throw fail(`template "${name}" is defined twice`);
    }
    this.defined.set(name, body);
    return word === "block" ? [{ kind: "template", name, pipeline }] : [];
  }

  #readControl(kind: "if" | "with" | "range", head: string, place: Place): TemplateNode {
    const [, names, value] = /^((?:\$\w+\s*,\s*)?\$\w+)\s*:=\s*(.*)$/s.exec(head) ?? [];
    const variables = names === undefined ? [] : names.split(",").map((name) => name.trim().slice(1));
    const pipeline = parsePipeline(value ?? head);
    const inside = { depth: place.depth + 1, isInRange: place.isInRange || kind === "range" };
    const body = this.#readBlock(inside);
    const stop = this.#pieces.shift();
    if (stop === undefined) throw fail(`{{${kind}}} has no {{end}}`);
    if (stop.text === "end") return { kind, variables, pipeline, body, otherwise: [] };
    const outside = { depth: place.depth + 1, isInRange: place.isInRange };
    const next = /^else\s+(if|with)\s+(.*)$/s.exec(stop.text);
    if (next !== null) {
      const inner = next[1] === "with" ? "with" : "if";
      const otherwise = [this.#readControl(inner, next[2] ?? "", outside)];
      return { kind, variables, pipeline, body, otherwise };
    }
    const otherwise = this.#readBlock(outside);
    this.#readEnd(kind);
    return { kind, variables, pipeline, body, otherwise };
  }

  #readEnd(kind: string): void {
    if (this.#pieces.shift()?.text !== "end") throw fail(`{{${kind}}} has no {{end}}`);
  }
}

function readValue(text: string): TemplateNode {
  const [, name, mark, value] = /^\$(\w+)\s*(:?=)\s*(.*)$/s.exec(text) ?? [];
  if (name === undefined || value === undefined) return { kind: "print", pipeline: parsePipeline(text) };
  return { kind: mark === ":=" ? "declare" : "assign", name, pipeline: parsePipeline(value) };
}

/** The name that a template is defined or run by, and the value that it is given. */
function readName(
  word: string,
  head: string,
): { readonly name: string; readonly pipeline: Pipeline | undefined } {
  const [, quoted, rest = ""] = /^("(?:[^"\\]|\\.)*"|`[^`]*`)\s*(.*)$/s.exec(head) ?? [];
  if (quoted === undefined) throw fail(`{{${word}}} needs a name in quotes`);
  const name = quoted.startsWith("`") ? quoted.slice(1, -1) : readText(quoted);
  return { name, pipeline: rest === "" ? undefined : parsePipeline(rest) };
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
