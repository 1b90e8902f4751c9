import { kinds } from "@caracal/resources";
import { CliError } from "../cli-error.ts";
import type { Command, Option } from "../command.ts";
import { commandGroups, namesIn, shownCommands } from "../command-table.ts";
import { globalOptions } from "../global-options.ts";
import { programName } from "../help.ts";

const shells = ["bash", "zsh", "fish"] as const;

export const completion: Command = {
  name: "completion",
  summary: "Print a script that teaches a shell to complete commands, kinds, names and options.",
  operands: shells.join("|"),
  operandChoices: shells,
  description: [
    "bash: source <(caracal completion bash)",
    "zsh:  source <(caracal completion zsh)",
    "fish: caracal completion fish | source",
  ].join("\n"),
  options: [],
  run: async (ctx, { positional }) => {
    const shell = shells.find((name) => name === positional[0]);
    if (shell === undefined || positional.length > 1) {
      throw new CliError(`completion needs the name of a shell: ${shells.join(", ")}`);
    }
    const commands = await Promise.all(shownCommands().map((load) => load()));
    const programs = [...new Set([programName(ctx.guise), "caracal", "calicoctl"])].filter(
      (name) => !name.includes(" "),
    );
    ctx.stdout.write(writers[shell](commands, programs));
    return 0;
  },
};

const writers: Readonly<
  Record<(typeof shells)[number], (commands: readonly Command[], programs: readonly string[]) => string>
> = { bash: bashScript, zsh: zshScript, fish: fishScript };

/** Commands whose first operand is a kind. */
const kindCommands: ReadonlySet<string> = new Set(["get", "delete", "patch", "label"]);
/** The command whose operands are pods and nodes: its own name stands for them where a kind would. */
const traceCommand = "trace";

function kindWords(): readonly string[] {
  return Object.values(kinds).map(({ name }) => name.toLowerCase());
}

/** What may follow a command's name, besides options. */
function operandWords({ name, operandChoices = [] }: Command): readonly string[] {
  return kindCommands.has(name) ? kindWords() : operandChoices;
}

function shownOptions(command: Command): readonly Option[] {
  return [...command.options, ...globalOptions].filter((option) => option.isHidden !== true);
}

function optionWords(command: Command): readonly string[] {
  return shownOptions(command).flatMap(({ name, short }) =>
    short === undefined ? [`--${name}`] : [`--${name}`, `-${short}`],
  );
}

/** One `case` arm for each place where something can be completed. */
function bashScript(commands: readonly Command[], programs: readonly string[]): string {
  const arms: string[] = [];
  const values: string[] = [];
  for (const command of commands) {
    const words = [...optionWords(command), ...operandWords(command)];
    arms.push(`    "${command.name}"*) words="${words.join(" ")}" ;;`);
    values.push(...shownOptions(command).flatMap((option) => valueArm(command, option)));
  }
  for (const group of Object.keys(commandGroups)) {
    arms.push(`    "${group}"*) words="${namesIn(group).join(" ")}" ;;`);
  }
  return `_caracal_names() {
  local kind="$2" namespace=""
  while [ $# -gt 0 ]; do
    case "$1" in -n|--namespace) namespace="$2" ;; --namespace=*) namespace="\${1#*=}" ;; esac
    shift
  done
  "\${COMP_WORDS[0]}" __names "$kind" \${namespace:+--namespace="$namespace"} 2>/dev/null
}
_caracal() {
  local words="" line="\${COMP_WORDS[*]:1:COMP_CWORD-1}" current="\${COMP_WORDS[COMP_CWORD]}"
  case "$line" in
    "") words="${namesIn().join(" ")}" ;;
${arms.join("\n")}
  esac
  case "$current" in
    -*) ;;
    *) case "$line" in
${[...kindCommands].map((name) => `"${name} "*`).join("|")}) words="$(_caracal_names $line)" ;;
    "${traceCommand}"|"${traceCommand} "*) words="$(_caracal_names ${traceCommand} ${traceCommand})" ;;
    esac ;;
  esac
  case "\${COMP_WORDS[COMP_CWORD-1]}" in
    -f|--filename|-c|--config) COMPREPLY=($(compgen -f -- "$current")); return ;;
  esac
  case "$line" in
${values.join("\n")}
  esac
  COMPREPLY=($(compgen -W "$words" -- "$current"))
}
complete -F _caracal ${programs.join(" ")}
`;
}

/** After an option that has choices, those: an option of the same name may have others in another command. */
function valueArm(command: Command, { name, short, choices }: Option): readonly string[] {
  if (choices === undefined) return [];
  const ends = short === undefined ? [`--${name}`] : [`--${name}`, `-${short}`];
  const patterns = ends.map((end) => `"${command.name} "*"${end}"`);
  return [`    ${patterns.join("|")}) words="${choices.join(" ")}" ;;`];
}

/** zsh runs bash's completions. */
function zshScript(commands: readonly Command[], programs: readonly string[]): string {
  return `autoload -U +X bashcompinit && bashcompinit\n${bashScript(commands, programs)}`;
}

function fishScript(commands: readonly Command[], programs: readonly string[]): string {
  const lines: string[] = [];
  for (const program of programs) {
    const complete = `complete -c ${program}`;
    for (const name of kindCommands) {
      const names = `(${program} __names (commandline -opc)[3] 2>/dev/null)`;
      const isNext = `"__fish_seen_subcommand_from ${name}; and test (count (commandline -opc)) -ge 3"`;
      lines.push(`${complete} -n ${isNext} -f -a ${quote(names)}`);
    }
    const ends = `(${program} __names ${traceCommand} 2>/dev/null)`;
    lines.push(`${complete} -n "__fish_seen_subcommand_from ${traceCommand}" -f -a ${quote(ends)}`);
    for (const word of namesIn()) lines.push(`${complete} -n __fish_use_subcommand -f -a ${word}`);
    for (const command of commands) {
      const words = command.name.split(" ");
      for (const [index, word] of words.slice(1).entries()) {
        const seen = `"__fish_seen_subcommand_from ${words[index]}"`;
        const about = index === words.length - 2 ? ` -d ${quote(command.summary)}` : "";
        lines.push(`${complete} -n ${seen} -f -a ${word}${about}`);
      }
      const where = `"__fish_seen_subcommand_from ${words.at(-1)}"`;
      const operands = operandWords(command);
      if (operands.length > 0) lines.push(`${complete} -n ${where} -f -a ${quote(operands.join(" "))}`);
      for (const option of shownOptions(command)) lines.push(`${complete} -n ${where} ${fishOption(option)}`);
    }
  }
  return `${lines.join("\n")}\n`;
}

function fishOption({ name, short, value, choices, summary }: Option): string {
  const letter = short === undefined ? "" : ` -s ${short}`;
  const argument = value === undefined ? "" : " -r";
  const offered = choices === undefined ? "" : ` -a ${quote(choices.join(" "))}`;
  return `-l ${name}${letter}${argument}${offered} -d ${quote(summary)}`;
}

function quote(text: string): string {
  return `'${text.replaceAll("'", String.raw`\'`)}'`;
}
