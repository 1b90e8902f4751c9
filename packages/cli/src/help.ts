import type { Command, Option } from "./command.ts";
import { commandGroups, shownCommands } from "./command-table.ts";
import { globalOptions } from "./global-options.ts";
import type { Guise } from "./context.ts";

/** How a person types the program's name. */
export function programName(guise: Guise): string {
  return guise.startsWith("kubectl") ? "kubectl calico" : guise;
}

/** The help of one command. */
export function commandHelp(guise: Guise, command: Command, summary: string): string {
  const operands = command.operands === undefined ? "" : ` ${command.operands}`;
  const own = command.options.filter((option) => option.isHidden !== true);
  const lines = [
    summary,
    "",
    "Usage:",
    `  ${programName(guise)} ${command.name}${operands}${own.length > 0 ? " [OPTION]…" : ""}`,
  ];
  if (command.description !== undefined) lines.push("", command.description);
  if (own.length > 0) lines.push("", "Options:", ...own.map(optionLine));
  lines.push("", "Options of every command:", ...globalOptions.map(optionLine));
  return `${lines.join("\n")}\n`;
}

/** The list of commands, or of those that begin with `group`. */
export function overview(guise: Guise, group?: string): string {
  const commands = shownCommands(group);
  const width = Math.max(...commands.map(([name]) => name.length)) + 2;
  const rows = commands.map(([name, summary]) => `  ${name.padEnd(width)}${summary}`);
  const about =
    group === undefined
      ? "Caracal: pod networking with BGP, in Calico's own terms."
      : (commandGroups[group] ?? group);
  const name = programName(guise);
  return [
    about,
    "",
    "Usage:",
    `  ${name} ${group === undefined ? "" : `${group} `}COMMAND [OPTION]…`,
    "",
    "Commands:",
    ...rows,
    "",
    `"${name} COMMAND --help" tells more about one.`,
    "",
  ].join("\n");
}

/** Columns of an option and its value. */
const optionWidth = 30;

function optionLine(option: Option): string {
  const short = option.short === undefined ? "    " : `-${option.short}, `;
  const value = option.value === undefined ? "" : ` ${option.value}`;
  const choices = option.choices === undefined ? "" : ` (${option.choices.join(", ")})`;
  const words = `${short}--${option.name}${value}`;
  // What is longer than its column has its summary below.
  const gap = words.length > optionWidth ? `\n${" ".repeat(optionWidth + 3)}` : " ";
  return `  ${words.padEnd(optionWidth)}${gap}${option.summary}${choices}`;
}
