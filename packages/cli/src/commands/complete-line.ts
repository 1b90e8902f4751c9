import { kinds } from "@caracal/resources";
import type { Arguments, Command, Option } from "../command.ts";
import { commandGroups, commandTable, namesIn } from "../command-table.ts";
import type { CliContext } from "../context.ts";
import { globalOptions } from "../global-options.ts";
import { completeNames } from "./complete-names.ts";

/** What a shell is to do besides offering the words: kubectl passes it on. */
const Directive = { alsoFiles: 0, noFiles: 4 } as const;

interface Offer {
  readonly words: readonly string[];
  readonly directive: (typeof Directive)[keyof typeof Directive];
}

/** Commands whose first operand is a kind, and the others its resources. */
const kindCommands: ReadonlySet<string> = new Set(["get", "delete", "patch", "label"]);

/**
 * The words that may stand where a line ends, one a line, and last what else the shell may offer (`:4` is nothing): what kubectl asks a
 * plugin's `kubectl_complete-calico` for.
 */
export const completeLine: Command = {
  name: "__complete",
  summary: "The words that may stand at the end of a line.",
  operands: "WORD…",
  options: [],
  takesRawArguments: true,
  run: async (ctx, { positional }) => {
    const { words, directive } = await offer(ctx, positional);
    const last = positional.at(-1) ?? "";
    const fitting = words.filter((word) => word.startsWith(last));
    ctx.stdout.write([...fitting, `:${directive}`].map((line) => `${line}\n`).join(""));
    return 0;
  },
};

async function offer(ctx: CliContext, line: readonly string[]): Promise<Offer> {
  const before = line.slice(0, -1);
  const last = line.at(-1) ?? "";
  const found = await commandOf(before);
  if (found === undefined) {
    const group = before.join(" ");
    const isGroup = before.length === 0 || Object.hasOwn(commandGroups, group);
    return {
      words: isGroup ? namesIn(before.length === 0 ? undefined : group) : [],
      directive: Directive.noFiles,
    };
  }
  const { command, rest } = found;
  const options = [...command.options, ...globalOptions].filter((option) => option.isHidden !== true);
  const asked = optionAwaiting(rest, options);
  if (asked !== undefined) {
    const { choices } = asked;
    const takesPath = choices === undefined && ["FILE", "DIR"].includes(asked.value ?? "");
    return { words: choices ?? [], directive: takesPath ? Directive.alsoFiles : Directive.noFiles };
  }
  if (last.startsWith("-")) {
    const words = options.flatMap(({ name, short }) =>
      short === undefined ? [`--${name}`] : [`--${name}`, `-${short}`],
    );
    return { words, directive: Directive.noFiles };
  }
  return {
    words: await operandWords(ctx, command, operandsOf(rest, options), rest),
    directive: Directive.noFiles,
  };
}

/** The command that whole words name, and the words after its name. */
async function commandOf(
  words: readonly string[],
): Promise<{ readonly command: Command; readonly rest: readonly string[] } | undefined> {
  for (let length = Math.min(words.length, 3); length > 0; length -= 1) {
    const name = words.slice(0, length).join(" ");
    const load = Object.hasOwn(commandTable, name) ? commandTable[name] : undefined;
    if (load !== undefined) return { command: await load(), rest: words.slice(length) };
  }
  return undefined;
}

function optionNamed(word: string, options: readonly Option[]): Option | undefined {
  return options.find(
    ({ name, short }) => word === `--${name}` || (short !== undefined && word === `-${short}`),
  );
}

/** The option whose value comes next. */
function optionAwaiting(words: readonly string[], options: readonly Option[]): Option | undefined {
  const option = optionNamed(words.at(-1) ?? "", options);
  return option?.value === undefined ? undefined : option;
}

/** The words that are neither options nor their values. */
function operandsOf(words: readonly string[], options: readonly Option[]): readonly string[] {
  return words.filter((word, index) => {
    const previous = index === 0 ? undefined : optionNamed(words[index - 1] ?? "", options);
    return !word.startsWith("-") && previous?.value === undefined;
  });
}

async function operandWords(
  ctx: CliContext,
  command: Command,
  operands: readonly string[],
  words: readonly string[],
): Promise<readonly string[]> {
  const [kind] = operands;
  if (!kindCommands.has(command.name)) return operands.length === 0 ? (command.operandChoices ?? []) : [];
  if (kind === undefined) return Object.values(kinds).map(({ name }) => name.toLowerCase());
  let text = "";
  const quiet: CliContext = {
    ...ctx,
    stdout: { write: (part) => void (text += part) },
    stderr: { write: () => undefined },
  };
  await completeNames.run(quiet, wordsAfter(kind, words));
  const taken = new Set(operands.slice(1));
  return text.split("\n").filter((name) => name !== "" && !taken.has(name));
}

/** The kind, and the options that say where its resources are. */
function wordsAfter(kind: string, words: readonly string[]): Arguments {
  const valueOf = (names: readonly string[]): string | undefined =>
    words.flatMap((word, index) => {
      const [option, value] = word.split(/=(.*)/s);
      if (!names.includes(option ?? "")) return [];
      return value ?? words[index + 1] ?? [];
    })[0];
  const texts: Readonly<Record<string, string | undefined>> = {
    namespace: valueOf(["-n", "--namespace"]),
    config: valueOf(["-c", "--config"]),
    context: valueOf(["--context"]),
  };
  return {
    positional: [kind],
    text: (option) => texts[option],
    texts: () => [],
    flag: () => false,
  };
}
