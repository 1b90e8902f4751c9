import { part, textPart } from "../bgp/json-parts.ts";
import { askSpeaker, controlOptions, controlPath } from "../bgp/speaker-control.ts";
import { birdErrorCode } from "../bird/bird-client.ts";
import { expandBirdCommand } from "../bird/expand-command.ts";
import { CliError } from "../cli-error.ts";
import type { Command } from "../command.ts";

export const bgpBirdcl: Command = {
  name: "bgp birdcl",
  operands: "COMMAND…",
  description:
    "Commands: show protocols [all] [NAME], show route [for NET] [all] [primary] [protocol NAME] [count], show status.",
  options: [...controlOptions, { name: "ipv6", short: "6", summary: "The IPv6 view." }],
  run: async (ctx, args) => {
    if (args.positional.length === 0) throw new CliError("bgp birdcl needs a command: show protocols");
    const expansion = expandBirdCommand(args.positional.join(" "));
    if (expansion.kind === "refused") throw new CliError(expansion.lines.join("\n"));
    const path = await controlPath(ctx, args);
    const params = { command: expansion.command, family: args.flag("ipv6") ? "6" : "4" };
    let code = 0;
    let cursor: unknown;
    do {
      const answer = await askSpeaker(path, "birdcl", { ...params, cursor });
      const lines = textPart(answer, "text").split("\n").slice(0, -1);
      const texts = lines.flatMap((line) => {
        const [, digits, text = ""] = /^(\d{4})[ -](.*)$/.exec(line) ?? [undefined, undefined, line.slice(1)];
        if (digits !== undefined) code = Number(digits);
        return code !== 0 || text !== "" ? [`${text}\n`] : [];
      });
      ctx.stdout.write(texts.join(""));
      cursor = part(answer, "next");
    } while (cursor !== undefined);
    return code >= birdErrorCode ? 1 : 0;
  },
};
