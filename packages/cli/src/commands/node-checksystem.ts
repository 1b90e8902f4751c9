import { readFile } from "node:fs/promises";
import { release } from "node:os";
import { CliError } from "../cli-error.ts";
import type { Command } from "../command.ts";
import { checkSystem } from "../diagnostics/system-check.ts";

export const nodeChecksystem: Command = {
  name: "node checksystem",
  options: [
    {
      name: "kernel-config",
      short: "f",
      value: "FILE",
      summary: "The kernel's configuration, where it is not found by itself.",
    },
  ],
  run: async (ctx, args) => {
    if (ctx.userId !== 0) throw new CliError("Need super user privileges: Operation not permitted");
    const report = await checkSystem({
      release: release(),
      read: (path) => readFile(path, "utf8").catch(() => undefined),
      kernelConfig: args.text("kernel-config"),
    });
    ctx.stdout.write(report.text);
    if (report.isFit) return 0;
    throw new CliError("system doesn't meet one or more minimum systems requirements to run Calico");
  },
};
