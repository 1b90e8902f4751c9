import type { CliContext } from "./context.ts";

/** One command of the command line; each file of `commands/` exports one. */
export interface Command {
  /** As typed: `get`, `node status`. */
  readonly name: string;
  /** Positional arguments as the usage line shows them: `KIND [NAME]…`. */
  readonly operands?: string;
  /** Words for the shell to offer as the first operand. */
  readonly operandChoices?: readonly string[];
  /** More about it, for its own help. */
  readonly description?: string;
  readonly options: readonly Option[];
  /** The command reads its words itself: none is taken for an option here. */
  readonly takesRawArguments?: boolean;
  /** Gives the exit code. */
  readonly run: (ctx: CliContext, args: Arguments) => Promise<number>;
}

/** An option of a command. */
export interface Option {
  /** Without the dashes: `filename`. */
  readonly name: string;
  /** One letter. */
  readonly short?: string;
  /** What its value is called, for an option that takes one. */
  readonly value?: string;
  /** Values for the shell to offer. */
  readonly choices?: readonly string[];
  readonly summary: string;
  /** Works, but is not shown. */
  readonly isHidden?: boolean;
}

/** A command's words after parsing. */
export interface Arguments {
  readonly positional: readonly string[];
  /** The last value given, or `undefined`. */
  readonly text: (option: string) => string | undefined;
  /** All values given, in their order. */
  readonly texts: (option: string) => readonly string[];
  /** Whether a switch is on. */
  readonly flag: (option: string) => boolean;
}
