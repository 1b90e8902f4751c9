import { findKind, isKindName, type KindName, kinds } from "@caracal/resources";
import type { Command, Option } from "../command.ts";
import { commandGroups, commandTable, namesIn } from "../command-table.ts";
import type { CliContext } from "../context.ts";
import { globalOptions } from "../global-options.ts";
import type { Whereabouts } from "./offered-names.ts";

/** What a shell is to do besides offering the words, in kubectl's numbers: it passes them on. */
const Directive = { alsoFiles: 0, noSpace: 6, noFiles: 4 } as const;

interface Offer {
  readonly words: readonly string[];
  readonly directive: (typeof Directive)[keyof typeof Directive];
}

/** Commands whose first operand is a kind, and the others its resources. */
const kindCommands: ReadonlySet<string> = new Set(["get", "delete", "patch", "label"]);

/**
 * The words that may stand where a line ends, one a line, and last what else the shell may offer (`:4` is nothing): what the scripts of
 * `completion` ask, and kubectl a plugin's `kubectl_complete-calico`. After `--option=` it is the values alone.
 */
export const completeLine: Command = {
  name: "__complete",
  operands: "WORD…",
  options: [],
  takesRawArguments: true,
  run: async (ctx, { positional }) => {
    const last = positional.at(-1) ?? "";
    const { words, directive } = await offer(ctx, positional.slice(0, -1), last);
    const begun = last.startsWith("--") ? last.replace(/^[^=]*=/, "") : last;
    const fitting = [...new Set(words.filter((word) => word.startsWith(begun)))];
    const goesOn = fitting.length > 0 && fitting.every((word) => word.endsWith("="));
    const told = goesOn ? Directive.noSpace : directive;
    ctx.stdout.write([...fitting, `:${told}`].map((line) => `${line}\n`).join(""));
    return 0;
  },
};

async function offer(ctx: CliContext, before: readonly string[], last: string): Promise<Offer> {
  const words = withoutLeadingOptions(before);
  const found = await commandOf(words);
  if (found === undefined) {
    const group = words.join(" ");
    const isGroup = words.length === 0 || Object.hasOwn(commandGroups, group);
    const names = isGroup ? namesIn(words.length === 0 ? undefined : group) : [];
    return { words: names, directive: Directive.noFiles };
  }
  const { command, rest } = found;
  const options = [...command.options, ...globalOptions].filter((option) => option.isHidden !== true);
  const line = readLine(rest, options);
  const inline = /^(--[^=]+)=/.exec(last)?.[1];
  const asked = inline === undefined ? optionAwaiting(rest, options) : optionNamed(inline, options);
  if (asked?.value !== undefined) return valueOffer(ctx, asked, line);
  if (last.startsWith("-")) {
    const shown = options.flatMap(({ name, short }) =>
      short === undefined ? [`--${name}`] : [`--${name}`, `-${short}`],
    );
    return { words: shown, directive: Directive.noFiles };
  }
  return operandOffer(ctx, command, line, last);
}

/** Global options may stand before the command. */
function withoutLeadingOptions(words: readonly string[]): readonly string[] {
  let index = 0;
  for (let word = words[0]; word?.startsWith("-") === true; word = words[index]) {
    const takesNext = !word.includes("=") && optionNamed(word, globalOptions)?.value !== undefined;
    index += takesNext ? 2 : 1;
  }
  return words.slice(index);
}

/** The command that whole words name, and the words after its name. */
async function commandOf(
  words: readonly string[],
): Promise<{ readonly command: Command; readonly rest: readonly string[] } | undefined> {
  for (let length = Math.min(words.length, 3); length > 0; length -= 1) {
    const name = words.slice(0, length).join(" ");
    const listed = Object.hasOwn(commandTable, name) ? commandTable[name] : undefined;
    if (listed !== undefined) return { command: await listed.load(), rest: words.slice(length) };
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

/** What the words before the last one say. */
interface Line extends Whereabouts {
  /** Neither options nor their values. */
  readonly operands: readonly string[];
  readonly kind: KindName | undefined;
  readonly namespace: string | undefined;
  readonly isOfAllNamespaces: boolean;
}

function readLine(words: readonly string[], options: readonly Option[]): Line {
  const operands = words.filter((word, index) => {
    const previous = index === 0 ? undefined : optionNamed(words[index - 1] ?? "", options);
    return !word.startsWith("-") && previous?.value === undefined;
  });
  const valueOf = (names: readonly string[]): string | undefined =>
    words.flatMap((word, index) => {
      const [option, value] = word.split(/=(.*)/s);
      return names.includes(option ?? "") ? (value ?? words[index + 1] ?? []) : [];
    })[0];
  const kind = findKind(operands[0] ?? "")?.name;
  return {
    operands,
    kind: kind !== undefined && isKindName(kind) ? kind : undefined,
    namespace: valueOf(["-n", "--namespace"]),
    isOfAllNamespaces: words.some((word) => ["-A", "-a", "--all-namespaces"].includes(word)),
    config: valueOf(["-c", "--config"]),
    context: valueOf(["--context"]),
  };
}

async function valueOffer(ctx: CliContext, { name, value, choices }: Option, line: Line): Promise<Offer> {
  if (name === "namespace") {
    const { namespacesFor, offeredNames } = await import("./offered-names.ts");
    return {
      words: await offeredNames(ctx, line, namespacesFor(line.kind)),
      directive: Directive.noFiles,
    };
  }
  if (choices !== undefined) return { words: choices, directive: Directive.noFiles };
  if (value !== undefined && ["POOL", "CIDR", "NODE"].includes(value)) {
    const { namesOfKind, offeredNames, poolRanges } = await import("./offered-names.ts");
    const kind = value === "NODE" ? "Node" : "IPPool";
    const list = value === "CIDR" ? poolRanges : namesOfKind(kind, undefined);
    return { words: await offeredNames(ctx, line, list), directive: Directive.noFiles };
  }
  const takesPath = ["FILE", "DIR"].includes(value ?? "");
  return { words: [], directive: takesPath ? Directive.alsoFiles : Directive.noFiles };
}

async function operandOffer(ctx: CliContext, command: Command, line: Line, last: string): Promise<Offer> {
  const { operands, kind } = line;
  const plain = (words: readonly string[]): Offer => ({ words, directive: Directive.noFiles });
  if (command.name === "trace") {
    const { offeredNames, traceEnds } = await import("./offered-names.ts");
    return plain(await offeredNames(ctx, line, traceEnds));
  }
  if (command.name === "explain") {
    if (operands.length > 0) return plain([]);
    return last.includes(".")
      ? { words: (await import("../commands/explain.ts")).childFields(last), directive: Directive.noSpace }
      : { words: [...kindWords(), "route"], directive: Directive.noSpace };
  }
  if (!kindCommands.has(command.name))
    return plain(operands.length === 0 ? (command.operandChoices ?? []) : []);
  if (operands.length === 0) return plain(kindWords());
  if (kind === undefined) return plain([]);
  // Only the first of them is a resource's.
  if (operands.length > 1 && (command.name === "patch" || command.name === "label")) return plain([]);
  const namespace = line.isOfAllNamespaces ? undefined : (line.namespace ?? "default");
  const taken = new Set(operands.slice(1));
  const { namesOfKind, offeredNames } = await import("./offered-names.ts");
  const names = await offeredNames(ctx, line, namesOfKind(kind, namespace));
  return plain(names.filter((name) => !taken.has(name)));
}

function kindWords(): readonly string[] {
  return Object.values(kinds).map(({ name }) => name.toLowerCase());
}
