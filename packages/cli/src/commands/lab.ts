import { fileURLToPath } from "node:url";
import type { Command } from "../command.ts";

/** The repository, where the launchers are. */
const root = new URL("../../../../", import.meta.url);

export const lab: Command = {
  name: "lab",
  operands: "COMMAND…",
  options: [],
  takesRawArguments: true,
  run: async (ctx, { positional }) => {
    const [{ runLab }, { buildPlugins }] = await Promise.all([
      import("@caracal/lab"),
      import("@caracal/cni"),
    ]);
    return runLab(positional, {
      stdout: ctx.stdout,
      stderr: ctx.stderr,
      env: ctx.env,
      userId: ctx.userId,
      signal: ctx.signal,
      program: [fileURLToPath(new URL("caracal", root))],
      commandDirectory: fileURLToPath(new URL("bin", root)),
      pluginDirectory: () => buildPlugins().directory,
    });
  },
};
