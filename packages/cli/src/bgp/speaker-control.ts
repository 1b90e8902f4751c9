import { readFileSync } from "node:fs";
import { messageOf } from "@caracal/net";
import type { SpeakerConfiguration } from "@caracal/speaker";
import { CliError } from "../cli-error.ts";
import type { Arguments, Option } from "../command.ts";
import type { CliContext } from "../context.ts";

/** Where a standalone speaker is looked for unless told. */
const defaultControl = "/run/caracal/bgp.sock";

/** How a command finds its speaker. */
export const controlOptions: readonly Option[] = [
  {
    name: "control",
    short: "s",
    value: "PATH",
    summary: `The speaker's control socket. (default $CARACAL_BGP_CONTROL, else ${defaultControl})`,
  },
  { name: "config", short: "c", value: "FILE", summary: "The speaker's file, which names the socket." },
];

export const outputOption: Option = {
  name: "output",
  short: "o",
  value: "FORMAT",
  choices: ["table", "json"],
  summary: "How to print. (default table)",
};

/** Whether `outputOption` asks for JSON. */
export function wantsJson(args: Arguments): boolean {
  const output = args.text("output") ?? "table";
  if (output === "json" || output === "table") return output === "json";
  throw new CliError(`unknown output format "${output}": table or json`);
}

/** The socket that the options, the file or the environment name. */
export async function controlPath(ctx: CliContext, args: Arguments): Promise<string> {
  const named = args.text("control");
  if (named !== undefined) return named;
  const file = args.text("config");
  if (file === undefined) return ctx.env.CARACAL_BGP_CONTROL ?? defaultControl;
  const { control } = await readSpeakerFile(file);
  if (control === undefined) {
    throw new CliError(`${file} names no control socket: add "control: ${defaultControl}"`);
  }
  return control;
}

/** One request to the speaker; `CliError` when it is not there or refuses. */
export async function askSpeaker(path: string, method: string, params: object = {}): Promise<unknown> {
  const { controlRequest } = await import("@caracal/control");
  try {
    return await controlRequest(path, method, params);
  } catch (error) {
    throw new CliError(messageOf(error), { cause: error });
  }
}

/** A configuration file that is right; what is wrong with it becomes a `CliError`, one line for each problem. */
export async function readSpeakerFile(file: string): Promise<SpeakerConfiguration> {
  const { formatProblem, readConfiguration } = await import("@caracal/speaker");
  let text: string;
  try {
    text = readFileSync(file, "utf8");
  } catch (error) {
    throw new CliError(messageOf(error), { cause: error });
  }
  const outcome = readConfiguration(text);
  if (outcome.kind === "ok") return outcome.configuration;
  throw new CliError(outcome.problems.map((problem) => formatProblem(file, problem)).join("\n"));
}
