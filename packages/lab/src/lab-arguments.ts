import { LabError } from "./lab-error.ts";

/** A command's words, read. */
export interface LabArguments {
  readonly operands: readonly string[];
  /** What stands after `--`; `undefined` without one. */
  readonly command: readonly string[] | undefined;
  readonly flags: ReadonlySet<string>;
  /** The last value of each option. */
  readonly values: Readonly<Record<string, string>>;
  /** Every value of `--annotation`. */
  readonly annotations: Readonly<Record<string, string>>;
}

/** What a command takes. */
export interface ArgumentRules {
  /** As the usage line shows them. */
  readonly usage: string;
  readonly operandCount: number;
  readonly flags?: readonly string[];
  readonly values?: readonly string[];
}

/** Reads a command's words; anything it does not take is a `LabError` that ends with the usage line. */
export function parseLabArguments(words: readonly string[], rules: ArgumentRules): LabArguments {
  const fail = (why: string): never => {
    throw new LabError(`${why}; usage: caracal lab ${rules.usage}`);
  };
  const end = words.indexOf("--");
  const command = end < 0 ? undefined : words.slice(end + 1);
  const operands: string[] = [];
  const flags = new Set<string>();
  const values: Record<string, string> = {};
  const annotations: Record<string, string> = {};
  const queue = words.slice(0, end < 0 ? words.length : end);
  for (let word = queue.shift(); word !== undefined; word = queue.shift()) {
    if (!word.startsWith("-")) {
      operands.push(word);
      continue;
    }
    const [option, inline] = splitOnce(word);
    if (rules.flags?.includes(option) === true && inline === undefined) {
      flags.add(option);
    } else if (rules.values?.includes(option) === true) {
      const value = inline ?? queue.shift() ?? fail(`${option} needs a value`);
      if (option === "--annotation") addAnnotation(annotations, value, fail);
      else values[option] = value;
    } else {
      fail(`unknown option ${word}`);
    }
  }
  if (operands.length < rules.operandCount) fail("a word is missing");
  if (operands.length > rules.operandCount) fail(`unexpected ${operands[rules.operandCount] ?? ""}`);
  return { operands, command, flags, values, annotations };
}

function addAnnotation(into: Record<string, string>, text: string, fail: (why: string) => never): void {
  const [key, value] = splitOnce(text);
  if (key === "" || value === undefined) fail(`--annotation ${text}: KEY=VALUE is needed`);
  else into[key] = value;
}

function splitOnce(text: string): readonly [string, string | undefined] {
  const at = text.indexOf("=");
  return at < 0 ? [text, undefined] : [text.slice(0, at), text.slice(at + 1)];
}
