import { messageOf } from "@caracal/net";
import { parseDurationSeconds } from "@caracal/resources";
import { CliError } from "../cli-error.ts";
import { clientVersion, readGitCommit } from "../client-version.ts";
import type { Arguments, Command } from "../command.ts";
import { withConnection } from "../connection/with-connection.ts";
import type { CliContext } from "../context.ts";
import { configOption } from "../global-options.ts";

export const version: Command = {
  name: "version",
  options: [
    { name: "client", summary: "Of this program only." },
    {
      name: "poll",
      value: "DURATION",
      summary: "Look again and again, such as every 5s, and tell what has changed; 0 looks once.",
    },
    configOption,
  ],
  run: async (ctx, args) => {
    const pollSeconds = readPoll(args.text("poll"));
    ctx.stdout.write(`Client Version:    ${clientVersion}\nGit commit:        ${await readGitCommit()}\n`);
    if (args.flag("client")) return 0;
    if (pollSeconds === 0) {
      ctx.stdout.write((await clusterLines(ctx, args)).join(""));
      return 0;
    }
    await poll(ctx, args, pollSeconds * 1000);
    return 0;
  },
};

function readPoll(text: string | undefined): number {
  if (text === undefined || text === "" || text === "0") return 0;
  const seconds = parseDurationSeconds(text);
  if (seconds === undefined || seconds < 0) throw new CliError(`Invalid poll duration specified: ${text}`);
  return seconds;
}

/** Tells of every line that has changed, until it is stopped. What cannot be reached is told of, and tried again. */
async function poll(ctx: CliContext, args: Arguments, intervalMs: number): Promise<void> {
  const { signal } = ctx;
  let before: readonly string[] = [];
  while (!signal.aborted) {
    try {
      const lines = await clusterLines(ctx, args);
      for (const line of lines) if (!before.includes(line)) ctx.stdout.write(line);
      before = lines;
    } catch (error) {
      if (!(error instanceof CliError)) throw error;
      ctx.stderr.write(`${error.message}\n`);
      before = [];
    }
    await ctx.sleep(intervalMs, signal);
  }
}

async function clusterLines(ctx: CliContext, args: Arguments): Promise<readonly string[]> {
  // This command is for finding a mismatch, so it must not fail of one.
  const tolerant: Arguments = {
    ...args,
    flag: (name) => name === "allow-version-mismatch" || args.flag(name),
  };
  const found = await withConnection(ctx, tolerant, ({ resources }) =>
    resources.get("ClusterInformation", "default"),
  ).catch((error: unknown) => {
    throw new CliError(`Unable to detect installed Calico version: ${messageOf(error)}`);
  });
  if (found.kind === "failed") {
    throw new CliError(`unable to retrieve Cluster Version or Type: ${found.message}`);
  }
  const { calicoVersion, clusterType } = found.resource.spec;
  return [
    `Cluster Version:   ${calicoVersion || "unknown"}\n`,
    `Cluster Type:      ${clusterType || "unknown"}\n`,
  ];
}
