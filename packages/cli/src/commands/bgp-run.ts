import { CliError } from "../cli-error.ts";
import type { Command } from "../command.ts";

const levels = { debug: "debug", info: "info", warn: "warn", error: "error" } as const;

export const bgpRun: Command = {
  name: "bgp run",
  operands: "--config FILE",
  description: [
    'SIGHUP and "caracal bgp reload" apply what changed in the file; sessions that did not change go on.',
    "SIGTERM stops it: neighbors with graceful restart, and the kernel, keep its routes.",
  ].join("\n"),
  options: [
    { name: "config", short: "c", value: "FILE", summary: "The configuration, in YAML." },
    { name: "record", value: "FILE", summary: "Write all that happens to a file, to be replayed in a test." },
  ],
  run: async (ctx, args) => {
    const file = args.text("config");
    if (file === undefined || args.positional.length > 0) throw new CliError("bgp run needs --config FILE");
    const { signal } = ctx;
    const { runSpeaker } = await import("@caracal/speaker");
    const level = args.text("log-level") ?? "info";
    const record = args.text("record");
    return await runSpeaker({
      file,
      ...(record === undefined ? {} : { record }),
      stdout: ctx.stdout,
      stderr: ctx.stderr,
      logLevel: level === "debug" || level === "info" || level === "warn" ? levels[level] : "error",
      signal,
      onReload: (reload) => {
        process.on("SIGHUP", reload);
        return () => process.off("SIGHUP", reload);
      },
    });
  },
};
