import { open, rm } from "node:fs/promises";
import { messageOf } from "@caracal/net";
import { part, parts } from "../bgp/json-parts.ts";
import { controlOptions, controlPath } from "../bgp/speaker-control.ts";
import { CliError } from "../cli-error.ts";
import type { Command } from "../command.ts";

export const bgpDump: Command = {
  name: "bgp dump",
  operands: "FILE",
  description:
    "All paths are written but those that a filter or a loop kept out; a file that is there is replaced.",
  options: controlOptions,
  run: async (ctx, args) => {
    const [file, ...stray] = args.positional;
    if (file === undefined || stray.length > 0) throw new CliError("bgp dump needs one FILE");
    const path = await controlPath(ctx, args);
    const { ControlClient } = await import("@caracal/control");
    try {
      using client = await ControlClient.connect(path);
      const count = await writeDump(file, (cursor) => client.request("bgp.dump", { cursor }));
      ctx.stdout.write(`${file}: ${count} bytes\n`);
      return 0;
    } catch (error) {
      throw new CliError(messageOf(error), { cause: error });
    }
  },
};

/** Writes what `next` gives, part by part; a file that cannot be finished is removed. Gives its length. */
async function writeDump(file: string, next: (cursor: unknown) => Promise<unknown>): Promise<number> {
  // Asked first: who cannot be asked costs no file.
  let page = await next(undefined);
  const handle = await open(file, "w");
  let count = 0;
  try {
    for (;;) {
      for (const piece of parts(page, "pieces")) {
        const bytes = Buffer.from(String(piece), "base64");
        await handle.writeFile(bytes);
        count += bytes.length;
      }
      const cursor = part(page, "next");
      if (cursor === undefined) return count;
      page = await next(cursor);
    }
  } catch (error) {
    await rm(file, { force: true });
    throw error;
  } finally {
    await handle.close();
  }
}
