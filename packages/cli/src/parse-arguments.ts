import { CliError } from "./cli-error.ts";
import type { Arguments, Option } from "./command.ts";
import { didYouMean } from "./did-you-mean.ts";

/**
 * Sorts a command's words as calicoctl does: options anywhere, `--name value`, `--name=value`, `-nvalue`, switches joined
 * (`-RA`), `--` before words that are no options. Throws `CliError` on what is not understood.
 */
export function parseArguments(words: readonly string[], options: readonly Option[]): Arguments {
  const values = new Map<string, readonly string[]>();
  const positional: string[] = [];
  const queue = [...words];
  for (let word = queue.shift(); word !== undefined; word = queue.shift()) {
    if (word === "--") {
      positional.push(...queue.splice(0));
    } else if (word.startsWith("--")) {
      takeLong(word.slice(2), options, queue, values);
    } else if (word.startsWith("-") && word !== "-") {
      takeShort(word.slice(1), options, queue, values);
    } else {
      positional.push(word);
    }
  }
  return {
    positional,
    text: (name) => values.get(name)?.at(-1),
    texts: (name) => values.get(name) ?? [],
    flag: (name) => values.get(name)?.at(-1) === "true",
  };
}

function takeLong(
  word: string,
  options: readonly Option[],
  queue: string[],
  values: Map<string, readonly string[]>,
): void {
  const equals = word.indexOf("=");
  const name = equals < 0 ? word : word.slice(0, equals);
  const option = options.find((candidate) => candidate.name === name);
  if (option === undefined) {
    const shown = options.filter(({ isHidden }) => isHidden !== true).map((candidate) => candidate.name);
    throw new CliError(`unknown flag: --${name}${didYouMean(name, shown, "--")}`);
  }
  const value = equals < 0 ? undefined : word.slice(equals + 1);
  if (option.value === undefined) add(values, name, switchValue(name, value));
  else add(values, name, value ?? takeValue(queue, `--${name}`));
}

/** `-R`, `-fFILE`, `-f FILE`, `-RfFILE`. */
function takeShort(
  word: string,
  options: readonly Option[],
  queue: string[],
  values: Map<string, readonly string[]>,
): void {
  for (let index = 0; index < word.length; index++) {
    const letter = word.charAt(index);
    const option = options.find((candidate) => candidate.short === letter);
    if (option === undefined) throw new CliError(`unknown shorthand flag: '${letter}' in -${word}`);
    if (option.value === undefined) {
      add(values, option.name, "true");
      continue;
    }
    const rest = word.slice(index + 1).replace(/^=/, "");
    add(values, option.name, rest === "" ? takeValue(queue, `'${letter}' in -${word}`) : rest);
    return;
  }
}

function add(values: Map<string, readonly string[]>, name: string, value: string): void {
  values.set(name, [...(values.get(name) ?? []), value]);
}

function takeValue(queue: string[], shown: string): string {
  const value = queue.shift();
  if (value === undefined) throw new CliError(`flag needs an argument: ${shown}`);
  return value;
}

function switchValue(name: string, value: string | undefined): string {
  if (value === undefined || value === "true") return "true";
  if (value === "false") return "false";
  throw new CliError(`invalid argument "${value}" for "--${name}": true or false`);
}
