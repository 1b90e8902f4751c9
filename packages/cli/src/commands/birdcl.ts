import { BirdClient, birdErrorCode, type BirdReplyLine } from "../bird/bird-client.ts";
import { birdHelp, expandBirdCommand } from "../bird/expand-command.ts";
import { CliError } from "../cli-error.ts";
import type { Command } from "../command.ts";
import type { CliContext } from "../context.ts";
import { birdSocketPath } from "../run-directory.ts";

const prompt = "bird> ";

export const birdcl: Command = {
  name: "birdcl",
  operands: "[COMMAND…]",
  description: [
    "Commands: show protocols [all] [NAME], show route [for NET] [all] [primary] [protocol NAME] [count], show status.",
    "Without a command, reads them line by line from standard input. Words may be cut short: s r.",
  ].join("\n"),
  options: [
    { name: "socket", short: "s", value: "PATH", summary: "Control socket to talk to." },
    { name: "ipv6", short: "6", summary: "The IPv6 view (bird6.ctl)." },
    { name: "verbose", short: "v", summary: "Show the codes of the reply's lines." },
    { name: "restricted", short: "r", summary: "Accepted; the view changes nothing anyway." },
  ],
  run: async (ctx, args) => {
    const path = args.text("socket") ?? birdSocketPath(ctx.env, args.flag("ipv6") ? 6 : 4);
    using client = await BirdClient.connect(path);
    ctx.stdout.write(`${client.banner}\n`);
    const session: Session = { ctx, client, isVerbose: args.flag("verbose") };
    if (args.positional.length > 0) return (await answer(session, args.positional.join(" "))).exitCode;
    return await converse(session);
  },
};

interface Session {
  readonly ctx: CliContext;
  readonly client: BirdClient;
  readonly isVerbose: boolean;
}

/** Reads commands until the input ends or one of them says so. */
async function converse(session: Session): Promise<number> {
  const { stdin, stdout } = session.ctx;
  stdout.write(prompt);
  for await (const line of lines(stdin)) {
    // A terminal has shown the line already.
    if (!stdin.isTerminal) stdout.write(`${line}\n`);
    if (line.trim() !== "" && (await answer(session, line)).isOver) return 0;
    stdout.write(prompt);
  }
  stdout.write("\n");
  return 0;
}

async function answer(
  session: Session,
  line: string,
): Promise<{ readonly exitCode: number; readonly isOver: boolean }> {
  const { ctx, client, isVerbose } = session;
  const show = (texts: readonly string[]): void => {
    if (texts.length > 0) ctx.stdout.write(`${texts.join("\n")}\n`);
  };
  if (line.trim() === "?" || line.trim() === "help") {
    show(birdHelp);
    return { exitCode: 0, isOver: false };
  }
  const expansion = expandBirdCommand(line);
  if (expansion.kind === "refused") {
    show(expansion.lines);
    return { exitCode: 1, isOver: false };
  }
  const { command } = expansion;
  if (command === "quit" || command === "exit") return { exitCode: 0, isOver: true };
  const reply = await client.ask(command);
  show(reply.map((part) => shown(part, isVerbose)));
  const isError = reply.some(({ code }) => code >= birdErrorCode);
  return { exitCode: isError ? 1 : 0, isOver: false };
}

function shown({ code, text }: BirdReplyLine, isVerbose: boolean): string {
  return isVerbose ? `${String(code).padStart(4, "0")} ${text}` : text;
}

/** Longest line of input. */
const maxLineChars = 4096;

async function* lines(source: AsyncIterable<string>): AsyncGenerator<string, void, undefined> {
  let rest = "";
  for await (const chunk of source) {
    const parts = `${rest}${chunk}`.split(/\r?\n/);
    rest = parts.pop() ?? "";
    if (rest.length > maxLineChars) throw new CliError("the command is too long");
    yield* parts;
  }
  if (rest !== "") yield rest;
}
