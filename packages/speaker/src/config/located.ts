import { isMap, isScalar, isSeq, LineCounter, parseDocument } from "yaml";

/** Something wrong with a file, and where. */
export interface Problem {
  readonly line: number;
  /** `neighbors[2].asn`; empty for the file as a whole. */
  readonly path: string;
  readonly message: string;
}

/** A value of a YAML file that knows its line and its path, and gathers what is wrong with the file. */
export class Located {
  readonly path: string;
  readonly line: number;
  readonly #node: unknown;
  readonly #source: Source;

  private constructor(node: unknown, path: string, line: number, source: Source) {
    this.#node = node;
    this.path = path;
    this.line = line;
    this.#source = source;
  }

  /** The whole document. What YAML itself refuses is in `problems` at once. */
  static parse(text: string): Located {
    const lines = new LineCounter();
    const document = parseDocument(text, { lineCounter: lines, prettyErrors: false });
    const source: Source = { lineAt: (offset) => lines.linePos(offset).line, problems: [] };
    for (const { code, pos, message: said } of document.errors) {
      const message = code === "MULTIPLE_DOCS" ? "expected one document, here begins another" : said;
      source.problems.push({ line: source.lineAt(pos[0]), path: "", message });
    }
    return new Located(document.contents, "", 1, source);
  }

  /** All that was found wrong with the file so far. */
  get problems(): readonly Problem[] {
    return this.#source.problems;
  }

  problem(message: string): undefined {
    this.#source.problems.push({ line: this.line, path: this.path, message });
    return undefined;
  }

  /** A mapping, a list, or a single value; a key without a value is nothing. */
  get kind(): "mapping" | "list" | "value" | "nothing" {
    if (isMap(this.#node)) return "mapping";
    if (isSeq(this.#node)) return "list";
    return isScalar(this.#node) && this.#node.value !== null ? "value" : "nothing";
  }

  /** A single value as it is written: 64512, yes and "a" alike. */
  get text(): string | undefined {
    if (!isScalar(this.#node)) return undefined;
    const { source, value } = this.#node;
    return typeof value === "string" ? value : (source ?? String(value));
  }

  /** The value for a person: quoted, or what it is instead. */
  get shown(): string {
    const { kind } = this;
    return kind === "value" ? `"${this.text ?? ""}"` : kind === "nothing" ? "nothing" : `a ${kind}`;
  }

  /** The keys of a mapping, in the file's order. */
  get keys(): readonly string[] {
    if (!isMap(this.#node)) return [];
    return this.#node.items.map(({ key }) => (isScalar(key) ? String(key.value) : String(key)));
  }

  /** The elements of a list. */
  get items(): readonly Located[] {
    if (!isSeq(this.#node)) return [];
    return this.#node.items.map(
      (item, index) => new Located(item, `${this.path}[${index}]`, this.#lineOf(item), this.#source),
    );
  }

  /** The member under a key; it stands where its key does. Of kind "nothing", at this line, where it is not there. */
  member(key: string): Located {
    const path = this.path === "" ? key : `${this.path}.${key}`;
    const pair = isMap(this.#node)
      ? this.#node.items.find((item) => isScalar(item.key) && String(item.key.value) === key)
      : undefined;
    return new Located(pair?.value, path, this.#lineOf(pair?.key), this.#source);
  }

  /** What stands at a path such as `rules[2].match`; where it ends early, what is nearest. */
  find(path: string): Located {
    const [, step, rest = ""] = /^\.?(\[\d+\]|[^.[]+)(.*)$/.exec(path) ?? [];
    if (step === undefined) return this;
    const next = step.startsWith("[") ? this.items[Number(step.slice(1, -1))] : this.member(step);
    return next?.find(rest) ?? this;
  }

  #lineOf(node: unknown): number {
    const offset = isScalar(node) || isMap(node) || isSeq(node) ? node.range?.[0] : undefined;
    return offset === undefined ? this.line : this.#source.lineAt(offset);
  }
}

interface Source {
  readonly lineAt: (offset: number) => number;
  readonly problems: Problem[];
}
