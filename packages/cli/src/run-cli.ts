import { CliError, describeError } from "./cli-error.ts";
import type { Arguments, Command } from "./command.ts";
import { commandGroups, commandTable } from "./command-table.ts";
import type { CliContext } from "./context.ts";
import { didYouMean } from "./did-you-mean.ts";
import { globalOptions, logLevels } from "./global-options.ts";
import { commandHelp, overview, programName } from "./help.ts";
import { parseArguments } from "./parse-arguments.ts";

/** Runs one command line and gives its exit code. What goes wrong is one line on stderr and exit code 1. */
export async function runCli(words: readonly string[], ctx: CliContext): Promise<number> {
  try {
    return await dispatch(ctx.guise === "birdcl" ? ["birdcl", ...words] : words, ctx);
  } catch (error) {
    ctx.stderr.write(`${describeError(error)}\n`);
    return 1;
  }
}

async function dispatch(words: readonly string[], ctx: CliContext): Promise<number> {
  const [first, ...others] = skipLeadingOptions(words);
  if (first === undefined || first === "help" || first === "-h" || first === "--help") {
    return help(others, ctx);
  }
  const found = await findCommand([first, ...others], ctx);
  if (found === undefined) return help([first], ctx);
  const { command, rest } = found;
  if (command.takesRawArguments === true) {
    return command.run(ctx, rawArguments(rest));
  }
  const leading = words.slice(0, words.indexOf(first));
  const args = parseArguments([...leading, ...rest], [...command.options, ...globalOptions]);
  if (args.flag("help")) {
    ctx.stdout.write(commandHelp(ctx.guise, command));
    return 0;
  }
  checkWords(command, args);
  return command.run(ctx, args);
}

/** What no command looks at itself. */
function checkWords(command: Command, args: Arguments): void {
  const level = args.text("log-level");
  if (level !== undefined && !logLevels.includes(level)) {
    throw new CliError(`unknown log level: ${level}; it is one of ${logLevels.join(", ")}`);
  }
  const [stray] = args.positional;
  if (command.operands === undefined && stray !== undefined) {
    throw new CliError(`${command.name} takes no operands: unexpected "${stray}"`);
  }
}

function rawArguments(positional: readonly string[]): Arguments {
  return { positional, text: () => undefined, texts: () => [], flag: () => false };
}

/** Global options may stand before the command: `-l debug get nodes`. */
function skipLeadingOptions(words: readonly string[]): readonly string[] {
  let index = 0;
  for (let word = words[0]; word !== undefined; word = words[index]) {
    const option = globalOptions.find(
      ({ name, short }) => name !== "help" && (word === `--${name}` || word === `-${short ?? ""}`),
    );
    if (option === undefined && !/^--(log-level|context|allow-version-mismatch)=/.test(word)) break;
    index += option?.value === undefined ? 1 : 2;
  }
  return words.slice(index);
}

async function help(words: readonly string[], ctx: CliContext): Promise<number> {
  const [group] = words;
  if (group === undefined || (words.length === 1 && Object.hasOwn(commandGroups, group))) {
    ctx.stdout.write(await overview(ctx.guise, group));
    return 0;
  }
  const found = await findCommand(words, ctx);
  ctx.stdout.write(
    found === undefined ? await overview(ctx.guise, group) : commandHelp(ctx.guise, found.command),
  );
  return 0;
}

/** The command that `words` begin with, and the words after it; `undefined` for a group without a command. */
async function findCommand(
  words: readonly string[],
  ctx: CliContext,
): Promise<{ readonly command: Command; readonly rest: readonly string[] } | undefined> {
  const [first = "", second] = words;
  if (!Object.hasOwn(commandGroups, first)) {
    const load = Object.hasOwn(commandTable, first) ? commandTable[first] : undefined;
    if (first.startsWith("-")) {
      throw new CliError(`unknown flag: ${first}; options of a command stand after its name`);
    }
    if (load === undefined) throw unknownCommand(first, programName(ctx.guise), topLevelNames());
    return { command: await load(), rest: words.slice(1) };
  }
  if (second === undefined || second === "--help" || second === "-h") return undefined;
  const load = commandTable[`${first} ${second}`];
  if (load === undefined) {
    const names = Object.keys(commandTable).flatMap((name) =>
      name.startsWith(`${first} `) ? [name.slice(first.length + 1)] : [],
    );
    throw unknownCommand(second, `${programName(ctx.guise)} ${first}`, names);
  }
  return { command: await load(), rest: words.slice(2) };
}

function unknownCommand(word: string, parent: string, names: readonly string[]): CliError {
  return new CliError(`unknown command "${word}" for "${parent}"${didYouMean(word, names)}`);
}

function topLevelNames(): readonly string[] {
  const names = Object.keys(commandTable).map((name) => name.replace(/ .*/, ""));
  return [...new Set([...names, "help"])];
}
