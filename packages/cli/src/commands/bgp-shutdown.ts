import { messageOption, operatorMessage } from "../bgp/operator-message.ts";
import { textPart } from "../bgp/json-parts.ts";
import { askSpeaker, controlOptions, controlPath } from "../bgp/speaker-control.ts";
import type { Command } from "../command.ts";

export const bgpShutdown: Command = {
  name: "bgp shutdown",
  description: [
    "Neighbors are told and drop its routes, and the kernel's routes go: unlike SIGTERM, which neighbors take for a restart.",
    'To shut one neighbor down, write "shutdown: MESSAGE" under it in the file, and reload.',
  ].join("\n"),
  options: [...controlOptions, messageOption],
  run: async (ctx, args) => {
    const message = operatorMessage(args);
    const answer = await askSpeaker(await controlPath(ctx, args), "bgp.shutdown", message);
    ctx.stdout.write(`leaving; neighbors told: ${textPart(answer, "neighbors")}\n`);
    return 0;
  },
};
