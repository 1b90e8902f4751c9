import { messageOption, operatorMessage } from "../bgp/operator-message.ts";
import { askSpeaker, controlOptions, controlPath } from "../bgp/speaker-control.ts";
import { CliError } from "../cli-error.ts";
import type { Command } from "../command.ts";

export const bgpReset: Command = {
  name: "bgp reset",
  operands: "NAME",
  options: [...controlOptions, messageOption],
  run: async (ctx, args) => {
    const [name, ...stray] = args.positional;
    if (name === undefined || stray.length > 0) throw new CliError("bgp reset needs one NAME");
    const message = operatorMessage(args);
    await askSpeaker(await controlPath(ctx, args), "bgp.reset", { name, ...message });
    ctx.stdout.write(`${name}: session reset\n`);
    return 0;
  },
};
