import { type Document, isMap, isNode, isScalar, isSeq, LineCounter, parseDocument } from "yaml";
import { LabError } from "./lab-error.ts";

/** Aliases (`*x`) that one value may expand to: more is an attack rather than a topology. */
const MAX_ALIASES = 100;

/** A value in a YAML file that knows where it stands, so that whatever is wrong with it is said with line and key. */
export class YamlValue {
  readonly #node: unknown;
  readonly #path: string;
  readonly #line: number;
  readonly #source: Source;

  private constructor(node: unknown, path: string, line: number, source: Source) {
    this.#node = node;
    this.#path = path;
    this.#line = line;
    this.#source = source;
  }

  /** The whole document; `file` is only for messages. */
  static parse(text: string, file: string): YamlValue {
    const lines = new LineCounter();
    const document = parseDocument(text, { lineCounter: lines, prettyErrors: false });
    const source: Source = { file, document, lineAt: (offset) => lines.linePos(offset).line };
    const [problem] = document.errors;
    if (problem !== undefined)
      throw new LabError(`${file}:${source.lineAt(problem.pos[0])}: ${problem.message}`);
    return new YamlValue(document.contents, "", 1, source);
  }

  /** Refuses the value, with its place. */
  fail(message: string): never {
    throw new LabError(
      `${this.#source.file}:${this.#line}: ${this.#path}${this.#path === "" ? "" : ": "}${message}`,
    );
  }

  /** Checks that it is a mapping with no other keys than these. */
  withKeys(allowed: readonly string[]): this {
    for (const [key] of this.entries()) {
      if (!allowed.includes(key))
        this.#member(key).fail(`there is no such key; there are ${allowed.join(", ")}`);
    }
    return this;
  }

  /** The members of a mapping, in the file's order. */
  entries(): readonly (readonly [key: string, value: YamlValue])[] {
    if (!isMap(this.#node)) return this.fail("a mapping of keys is needed here");
    return this.#node.items.map((pair) => {
      const key = isScalar(pair.key) ? String(pair.key.value) : this.fail("a key must be plain text");
      return [key, this.#member(key)];
    });
  }

  /** The member under a key, or `undefined`; a key without a value counts as absent. */
  optional(key: string): YamlValue | undefined {
    const value = isMap(this.#node) ? this.#node.get(key, true) : undefined;
    return value === undefined || (isScalar(value) && value.value === null) ? undefined : this.#member(key);
  }

  required(key: string): YamlValue {
    return this.optional(key) ?? this.fail(`the key ${key} is missing`);
  }

  list(): readonly YamlValue[] {
    if (!isSeq(this.#node)) return this.fail("a list is needed here");
    return this.#node.items.map(
      (item, index) => new YamlValue(item, `${this.#path}[${index}]`, this.#lineOf(item), this.#source),
    );
  }

  get isText(): boolean {
    return isScalar(this.#node);
  }

  /** Any scalar as text: `yes`, 26 and "a" alike. */
  text(): string {
    if (!isScalar(this.#node)) return this.fail("a single value is needed here");
    const { source, value } = this.#node;
    return typeof value === "string" ? value : (source ?? String(value));
  }

  /** The value as plain data. */
  toJs(): unknown {
    return isNode(this.#node)
      ? this.#node.toJS(this.#source.document, { maxAliasCount: MAX_ALIASES })
      : this.#node;
  }

  /** What stands at a path such as `spec.peers[2].ip`, or as far along it as there is something. */
  find(path: string): YamlValue {
    const [, key, index, rest = ""] = /^(?:([^.[\]]+)|\[([0-9]+)\])\.?(.*)$/.exec(path) ?? [];
    const next = key === undefined ? this.#item(Number(index)) : this.optional(key);
    return next === undefined ? this : next.find(rest);
  }

  /** Text that `read` understands; `expected` says what it takes. */
  as<T>(expected: string, read: (text: string) => T | undefined): T {
    const text = this.text();
    return read(text) ?? this.fail(`"${text}" is not ${expected}`);
  }

  #item(index: number): YamlValue | undefined {
    return isSeq(this.#node) ? this.list()[index] : undefined;
  }

  #member(key: string): YamlValue {
    const path = this.#path === "" ? key : `${this.#path}.${key}`;
    if (!isMap(this.#node)) return this.fail("a mapping of keys is needed here");
    const pair = this.#node.items.find((item) => isScalar(item.key) && String(item.key.value) === key);
    return new YamlValue(pair?.value, path, this.#lineOf(pair?.key), this.#source);
  }

  #lineOf(node: unknown): number {
    const offset = isScalar(node) || isMap(node) || isSeq(node) ? node.range?.[0] : undefined;
    return offset === undefined ? this.#line : this.#source.lineAt(offset);
  }
}

interface Source {
  readonly file: string;
  readonly document: Document.Parsed;
  readonly lineAt: (offset: number) => number;
}
