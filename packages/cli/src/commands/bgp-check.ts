import { readSpeakerFile } from "../bgp/speaker-control.ts";
import { CliError } from "../cli-error.ts";
import type { Command } from "../command.ts";

export const bgpCheck: Command = {
  name: "bgp check",
  operands: "FILE",
  options: [],
  run: async (ctx, { positional }) => {
    const [file] = positional;
    if (file === undefined || positional.length > 1) throw new CliError("bgp check needs one FILE");
    const { peers, origins } = await readSpeakerFile(file);
    ctx.stdout.write(`${file}: ok: ${count(peers, "neighbor")}, ${count(origins, "static route")}\n`);
    return 0;
  },
};

function count(list: readonly unknown[], what: string): string {
  return `${list.length} ${what}${list.length === 1 ? "" : "s"}`;
}
