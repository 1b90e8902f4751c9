import { AmbiguousScalar, maxNesting } from "./ambiguous-scalar.ts";
import { isRecord } from "./schema-reader.ts";
import type { ReadDocument } from "./yaml-document.ts";

/**
 * Reads the part of YAML that manifests are written in, JSON with it: mappings and lists of either style, words, texts in quotes
 * on one line, plain numbers, comments. Whatever else there is (anchors, tags, text over several lines, tabs, odd numbers), and
 * whatever is wrong, gives `undefined`, and the document is for the whole parser. It is several times as fast, and nothing that
 * it returns differs from what the whole parser makes of the text.
 */
export function readQuickYaml(text: string): ReadDocument | undefined {
  if (/[\t\r\u0085\u2028\u2029\uFEFF]/.test(text)) return undefined;
  try {
    const reader = new QuickReader(text, false);
    const content = reader.readDocument();
    // The lines of words are only asked for where something is wrong: then the text is read again.
    let placed: QuickReader | undefined;
    return {
      kind: "ok",
      content,
      lineOf: (path) => {
        const line = reader.lineOf(content, path);
        if (line !== undefined) return line;
        placed ??= new QuickReader(text, true);
        return placed.lineOfWord(path);
      },
    };
  } catch (error) {
    // The other is a word of megabytes, too long for an expression.
    if (error instanceof NotQuick || error instanceof RangeError) return undefined;
    throw error;
  }
}

/** The text needs the whole parser. */
class NotQuick extends Error {}

// A plain word may hold blanks between its parts, a colon before no blank, and a hash after none.
const blockPlain = /(?:[^\s:#]+|:(?=\S)|(?<=\S)#| +(?=[^\s#]))+/y;
const flowPlain = /(?:[^\s:#,[\]{}]+|:(?=[^\s,[\]{}])|(?<=\S)#| +(?=[^\s#,[\]{}]))+/y;
// Unrolled: a quote that is never closed must not be tried in every way.
const doubleQuoted = /"[^"\\\n]*(?:\\[^\n][^"\\\n]*)*"/y;
const singleQuoted = /'[^'\n]*(?:''[^'\n]*)*'/y;
const keyWord = /[A-Za-z_][A-Za-z0-9_./-]*/y;
const lineRest = / *(?: #[^\n]*)?(?:\n|$)/y;

class QuickReader {
  readonly #text: string;
  /** Where the line's next token begins. */
  #at = 0;
  /** Column of the line's first token; -1 at the end. */
  #indent = -1;
  #line = 1;
  #depth = 0;
  /** The line that each mapping and list begins on. */
  readonly #lines: Map<unknown, number> = new Map();
  /** Of the words and texts inside each mapping and list, where asked for. */
  readonly #wordLines: Map<unknown, Map<string | number, number>> | undefined;
  #wordLine = 1;
  #content: { readonly value: unknown } | undefined;

  constructor(text: string, keepsWordLines: boolean) {
    this.#text = text;
    this.#wordLines = keepsWordLines ? new Map() : undefined;
  }

  /** The line of a mapping or list. */
  lineOf(content: unknown, path: readonly (string | number)[]): number | undefined {
    return this.#lines.get(path.reduce(entryOf, content));
  }

  /** The line of the deepest part of a path, a word or text it may be. */
  lineOfWord(path: readonly (string | number)[]): number {
    this.#content ??= { value: this.readDocument() };
    let { value } = this.#content;
    let line = this.#lines.get(value) ?? this.#wordLine;
    for (const name of path) {
      const inner = this.#wordLines?.get(value)?.get(name);
      if (inner !== undefined) return inner;
      value = entryOf(value, name);
      const next = this.#lines.get(value);
      if (next === undefined) return line;
      line = next;
    }
    return line;
  }

  #noteWord(container: unknown, name: string | number, value: unknown): void {
    if (this.#wordLines === undefined || this.#lines.has(value)) return;
    const known = this.#wordLines.get(container);
    if (known === undefined) this.#wordLines.set(container, new Map([[name, this.#wordLine]]));
    else known.set(name, this.#wordLine);
  }

  readDocument(): unknown {
    if (this.#text.startsWith("---")) {
      this.#at = 3;
      this.#endLine();
    } else {
      this.#nextLine();
    }
    if (this.#indent < 0) return null;
    const content = this.#readBlock(-1);
    if (this.#indent >= 0) throw new NotQuick();
    return content;
  }

  /** Goes to the first token of the next line that has one. */
  #nextLine(): void {
    let start = this.#at;
    for (;;) {
      while (this.#text.charCodeAt(start) === space) start += 1;
      const end = this.#text[start] === "#" ? this.#text.indexOf("\n", start) : start;
      if (end < 0 || end >= this.#text.length) {
        this.#indent = -1;
        this.#at = this.#text.length;
        return;
      }
      if (this.#text[end] !== "\n") break;
      this.#line += 1;
      start = end + 1;
      this.#at = start;
    }
    this.#indent = start - this.#at;
    this.#at = start;
  }

  /** After a value: nothing but a comment may follow on the line. */
  #endLine(): void {
    lineRest.lastIndex = this.#at;
    const rest = lineRest.exec(this.#text)?.[0];
    if (rest === undefined) throw new NotQuick();
    this.#at += rest.length;
    if (rest.endsWith("\n")) this.#line += 1;
    this.#nextLine();
  }

  /** A mapping, list or value that begins where the reader is, inside something indented by `parent`. */
  #readBlock(parent: number): unknown {
    this.#depth += 1;
    if (this.#depth > maxNesting) throw new NotQuick();
    const value = this.#isItem()
      ? this.#readList(this.#indent)
      : this.#startsKey()
        ? this.#readMapping(this.#indent)
        : this.#readValue(parent);
    this.#depth -= 1;
    return value;
  }

  #isItem(): boolean {
    if (this.#text[this.#at] !== "-") return false;
    const next = this.#text[this.#at + 1];
    return next === " " || next === "\n" || next === undefined;
  }

  /** Whether the line goes `key:`; the reader stays. */
  #startsKey(): boolean {
    const before = this.#at;
    const isKey = this.#skipKey() && this.#text[this.#at] === ":" && this.#isBlankAt(this.#at + 1);
    this.#at = before;
    return isKey;
  }

  #skipKey(): boolean {
    return this.#text[this.#at] === '"' || this.#text[this.#at] === "'"
      ? this.#take(this.#text[this.#at] === '"' ? doubleQuoted : singleQuoted) !== undefined
      : this.#take(keyWord) !== undefined;
  }

  #isBlankAt(at: number): boolean {
    const next = this.#text[at];
    return next === " " || next === "\n" || next === undefined;
  }

  #readMapping(indent: number): unknown {
    const output: Record<string, unknown> = {};
    this.#lines.set(output, this.#line);
    while (this.#indent === indent && !this.#isItem()) {
      const key = this.#readKey(output);
      if (this.#text[this.#at] !== ":" || !this.#isBlankAt(this.#at + 1)) throw new NotQuick();
      this.#at += 1;
      while (this.#text.charCodeAt(this.#at) === space) this.#at += 1;
      const value = this.#isLineEnd() ? this.#readBelow(indent, true) : this.#readValue(indent);
      output[key] = value;
      this.#noteWord(output, key, value);
    }
    if (this.#indent > indent) throw new NotQuick();
    return output;
  }

  /** A key that the mapping does not have yet. */
  #readKey(output: Readonly<Record<string, unknown>>): string {
    const first = this.#text[this.#at];
    const key = first === '"' || first === "'" ? this.#readQuoted(first) : this.#take(keyWord);
    // The whole parser has a word for keys given twice, and its own ways with these.
    if (key === undefined || /^(null|true|false|__proto__|<<)$/i.test(key)) throw new NotQuick();
    if (key.length > maxKeyLength || Object.hasOwn(output, key)) throw new NotQuick();
    return key;
  }

  #readList(indent: number): unknown {
    const output: unknown[] = [];
    this.#lines.set(output, this.#line);
    while (this.#indent === indent && this.#isItem()) {
      this.#at += 1;
      while (this.#text.charCodeAt(this.#at) === space) this.#at += 1;
      const value = this.#isLineEnd() ? this.#readBelow(indent, false) : this.#readAfterDash(indent);
      this.#noteWord(output, output.length, value);
      output.push(value);
    }
    if (this.#indent > indent) throw new NotQuick();
    return output;
  }

  /** What stands after the dash is as if it stood on a line of its own. */
  #readAfterDash(indent: number): unknown {
    const lineBegin = this.#text.lastIndexOf("\n", this.#at) + 1;
    this.#indent = this.#at - lineBegin;
    return this.#readBlock(indent);
  }

  #isLineEnd(): boolean {
    const next = this.#text[this.#at];
    return next === undefined || next === "\n" || (next === "#" && this.#text[this.#at - 1] === " ");
  }

  /** The value of a key or dash that has none on its own line. */
  #readBelow(indent: number, isKey: boolean): unknown {
    const line = this.#line;
    this.#endLine();
    if (this.#indent > indent) return this.#readBlock(indent);
    // A list may stand right below its key.
    if (isKey && this.#indent === indent && this.#isItem()) return this.#readBlock(indent - 1);
    this.#wordLine = line;
    return null;
  }

  /** A value on its line: in quotes, in brackets, or plain. */
  #readValue(parent: number): unknown {
    const first = this.#text[this.#at] ?? "";
    this.#wordLine = this.#line;
    const value =
      first === "{" || first === "["
        ? this.#readFlow(parent)
        : first === '"' || first === "'"
          ? this.#readQuoted(first)
          : this.#readPlain(blockPlain);
    this.#endLine();
    // A plain text would go on there, and nothing else may.
    if (this.#indent > parent) throw new NotQuick();
    return value;
  }

  #readQuoted(quote: string): string {
    const token = this.#take(quote === '"' ? doubleQuoted : singleQuoted);
    if (token === undefined) throw new NotQuick();
    if (quote === "'") return token.slice(1, -1).replaceAll("''", "'");
    if (!token.includes("\\")) return token.slice(1, -1);
    try {
      const text: unknown = JSON.parse(token);
      if (typeof text === "string") return text;
    } catch {
      // An escape that JSON does not have.
    }
    throw new NotQuick();
  }

  #readPlain(form: RegExp): unknown {
    const first = this.#text[this.#at] ?? "";
    const next = this.#text[this.#at + 1] ?? "\n";
    const isIndicator = "?:-".includes(first) ? /[\s,[\]{}]/.test(next) : indicators.includes(first);
    const token = isIndicator ? undefined : this.#take(form);
    if (token === undefined) throw new NotQuick();
    return resolveWord(token);
  }

  #readFlow(parent: number): unknown {
    this.#depth += 1;
    if (this.#depth > maxNesting) throw new NotQuick();
    const value = this.#text[this.#at] === "[" ? this.#readFlowList(parent) : this.#readFlowMapping(parent);
    this.#depth -= 1;
    return value;
  }

  #readFlowList(parent: number): unknown {
    const output: unknown[] = [];
    this.#lines.set(output, this.#line);
    this.#at += 1;
    for (;;) {
      this.#skipFlowBlanks(parent);
      if (this.#skip("]")) return output;
      const value = this.#readFlowValue(parent);
      this.#noteWord(output, output.length, value);
      output.push(value);
      this.#skipFlowBlanks(parent);
      if (this.#skip("]")) return output;
      if (!this.#skip(",")) throw new NotQuick();
    }
  }

  #readFlowMapping(parent: number): unknown {
    const output: Record<string, unknown> = {};
    this.#lines.set(output, this.#line);
    this.#at += 1;
    for (;;) {
      this.#skipFlowBlanks(parent);
      if (this.#skip("}")) return output;
      const isQuoted = this.#text[this.#at] === '"';
      const key = this.#readKey(output);
      // Only after a key in quotes the value may follow without a blank, as in JSON.
      if (!this.#skip(":") || !(isQuoted || this.#isBlankAt(this.#at))) throw new NotQuick();
      this.#skipFlowBlanks(parent);
      const value = this.#readFlowValue(parent);
      output[key] = value;
      this.#noteWord(output, key, value);
      this.#skipFlowBlanks(parent);
      if (this.#skip("}")) return output;
      if (!this.#skip(",")) throw new NotQuick();
    }
  }

  #readFlowValue(parent: number): unknown {
    const first = this.#text[this.#at] ?? "";
    if (first === "{" || first === "[") return this.#readFlow(parent);
    this.#wordLine = this.#line;
    if (first !== '"' && first !== "'") return this.#readPlain(flowPlain);
    return this.#readQuoted(first);
  }

  /** Blanks, line ends and comments; inside a block, each line is indented more than it. */
  #skipFlowBlanks(parent: number): void {
    for (;;) {
      while (this.#text.charCodeAt(this.#at) === space) this.#at += 1;
      if (this.#text[this.#at] === "#") {
        if (!this.#isBlankAt(this.#at - 1)) throw new NotQuick();
        this.#at = this.#text.indexOf("\n", this.#at);
        if (this.#at < 0) throw new NotQuick();
      }
      if (this.#text[this.#at] !== "\n") return;
      this.#nextLine();
      if (this.#indent <= parent) throw new NotQuick();
    }
  }

  #skip(mark: string): boolean {
    if (this.#text[this.#at] !== mark) return false;
    this.#at += 1;
    return true;
  }

  #take(form: RegExp): string | undefined {
    form.lastIndex = this.#at;
    const token = form.exec(this.#text)?.[0];
    this.#at += token?.length ?? 0;
    return token;
  }
}

function entryOf(container: unknown, name: string | number): unknown {
  if (Array.isArray(container)) {
    const list: readonly unknown[] = container;
    return typeof name === "number" ? list[name] : undefined;
  }
  return isRecord(container) && Object.hasOwn(container, name) ? container[name] : undefined;
}

/** YAML's keys end on their line, within 1024 characters. */
const maxKeyLength = 1000;

const space = 0x20;
const indicators = ",[]{}#&*!|>'\"%@`";

const constants: ReadonlyMap<string, unknown> = new Map<string, unknown>([
  ["null", null],
  ["Null", null],
  ["NULL", null],
  ["~", null],
  ["true", true],
  ["True", true],
  ["TRUE", true],
  ["false", false],
  ["False", false],
  ["FALSE", false],
]);

function resolveWord(token: string): unknown {
  const first = token.charCodeAt(0);
  // Digits, signs and points begin numbers.
  if ((first >= 0x30 && first <= 0x39) || first === 0x2b || first === 0x2d || first === 0x2e) {
    return resolveNumber(token);
  }
  if (constants.has(token)) return constants.get(token);
  if (/^(yes|no|on|off)$/i.test(token)) return new AmbiguousScalar(token, /^(yes|on)$/i.test(token));
  return token;
}

/** A number written as JavaScript writes it, or a word. */
function resolveNumber(token: string): unknown {
  if (/^-?(?:0|[1-9][0-9]{0,14})(?:\.[0-9]{1,9})?$/.test(token)) {
    const value = Number(token);
    if (String(value) !== token) throw new NotQuick();
    return value;
  }
  // Other numbers, and what other readers of YAML take for numbers.
  if (/^[-+]?(?:[0-9_]*\.?[0-9_]*(?:[eE][-+0-9_]*)?|0[xob].*|\.inf|\.nan)$/i.test(token))
    throw new NotQuick();
  return token;
}
