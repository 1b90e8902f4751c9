import { textPart } from "../bgp/json-parts.ts";
import { askSpeaker, controlOptions, controlPath } from "../bgp/speaker-control.ts";
import { CliError } from "../cli-error.ts";
import type { Command } from "../command.ts";

export const bgpRefresh: Command = {
  name: "bgp refresh",
  operands: "NAME",
  description:
    "The session goes on; routes that the neighbor does not tell again go, where it says when it is done.",
  options: controlOptions,
  run: async (ctx, args) => {
    const [name, ...stray] = args.positional;
    if (name === undefined || stray.length > 0) throw new CliError("bgp refresh needs one NAME");
    const answer = await askSpeaker(await controlPath(ctx, args), "bgp.refresh", { name });
    ctx.stdout.write(`${name}: asked for ${textPart(answer, "families")}\n`);
    return 0;
  },
};
