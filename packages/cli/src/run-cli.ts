import { messageOf } from "@caracal/net";
import { CliError } from "./cli-error.ts";
import type { Arguments, Command } from "./command.ts";
import { commandGroups, commandTable, namesIn } from "./command-table.ts";
import type { CliContext, Guise } from "./context.ts";
import { didYouMean } from "./did-you-mean.ts";
import { globalOptions, logLevels } from "./global-options.ts";
import { commandHelp, overview, programName } from "./help.ts";
import { parseArguments } from "./parse-arguments.ts";

/** Runs one command line and gives its exit code. What goes wrong is one line on stderr and exit code 1. */
export async function runCli(words: readonly string[], ctx: CliContext): Promise<number> {
  try {
    return await dispatch([...(guiseCommands[ctx.guise] ?? []), ...words], ctx);
  } catch (error) {
    ctx.stderr.write(`${messageOf(error)}\n`);
    return 1;
  }
}

/** Names that the program is called by to run one command. */
const guiseCommands: Partial<Readonly<Record<Guise, readonly string[]>>> = {
  birdcl: ["birdcl"],
  // kubectl asks this program what may follow `kubectl calico …`.
  "kubectl_complete-calico": ["__complete"],
};

async function dispatch(words: readonly string[], ctx: CliContext): Promise<number> {
  const [first, ...others] = skipLeadingOptions(words);
  if (first === undefined || first === "help" || first === "-h" || first === "--help") {
    return help(others, ctx);
  }
  const found = await findCommand([first, ...others], ctx);
  if (found.kind === "group") {
    ctx.stdout.write(overview(ctx.guise, found.group));
    return 0;
  }
  const { command, summary, rest } = found;
  if (command.takesRawArguments === true) {
    return command.run(ctx, rawArguments(rest));
  }
  const leading = words.slice(0, words.indexOf(first));
  const args = parseArguments([...leading, ...rest], [...command.options, ...globalOptions]);
  if (args.flag("help")) {
    ctx.stdout.write(commandHelp(ctx.guise, command, summary));
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
  if (words.length === 0) {
    ctx.stdout.write(overview(ctx.guise));
    return 0;
  }
  const found = await findCommand(words, ctx);
  ctx.stdout.write(
    found.kind === "group"
      ? overview(ctx.guise, found.group)
      : commandHelp(ctx.guise, found.command, found.summary),
  );
  return 0;
}

type FoundCommand =
  | {
      readonly kind: "command";
      readonly command: Command;
      readonly summary: string;
      readonly rest: readonly string[];
    }
  /** The words name a group of commands, and none of them. */
  | { readonly kind: "group"; readonly group: string };

/** Words in the longest name of a command. */
const maxNameWords = 3;

/** The command that `words` begin with, and the words after it. The longest name wins: `explain route` before `explain`. */
async function findCommand(words: readonly string[], ctx: CliContext): Promise<FoundCommand> {
  for (let length = maxNameWords; length > 0; length -= 1) {
    const name = words.slice(0, length).join(" ");
    const listed = Object.hasOwn(commandTable, name) ? commandTable[name] : undefined;
    if (listed === undefined) continue;
    const { summary, load } = listed;
    return { kind: "command", command: await load(), summary, rest: words.slice(length) };
  }
  const [first = "", second = ""] = words;
  if (first.startsWith("-")) {
    throw new CliError(`unknown flag: ${first}; options of a command stand after its name`);
  }
  const group = [`${first} ${second}`, first].find((name) => Object.hasOwn(commandGroups, name));
  if (group === undefined) throw unknownCommand(first, programName(ctx.guise), namesIn());
  const next = words[group.split(" ").length];
  if (next === undefined || next === "--help" || next === "-h") return { kind: "group", group };
  throw unknownCommand(next, `${programName(ctx.guise)} ${group}`, namesIn(group));
}

function unknownCommand(word: string, parent: string, names: readonly string[]): CliError {
  return new CliError(`unknown command "${word}" for "${parent}"${didYouMean(word, names)}`);
}
