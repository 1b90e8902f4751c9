import { CliError, describeError } from "../cli-error.ts";
import { clientVersion, readGitCommit } from "../client-version.ts";
import type { Arguments, Command } from "../command.ts";
import { withConnection } from "../connection/with-connection.ts";
import type { CliContext } from "../context.ts";
import { configOption } from "../global-options.ts";

export const version: Command = {
  name: "version",
  summary: "Show the version of this program and of the cluster.",
  options: [{ name: "client", summary: "Of this program only." }, configOption],
  run: async (ctx, args) => {
    ctx.stdout.write(`Client Version:    ${clientVersion}\nGit commit:        ${await readGitCommit()}\n`);
    if (!args.flag("client")) ctx.stdout.write(await clusterLines(ctx, args));
    return 0;
  },
};

async function clusterLines(ctx: CliContext, args: Arguments): Promise<string> {
  // This command is for finding a mismatch, so it must not fail of one.
  const tolerant: Arguments = {
    ...args,
    flag: (name) => name === "allow-version-mismatch" || args.flag(name),
  };
  const found = await withConnection(ctx, tolerant, ({ resources }) =>
    resources.get("ClusterInformation", "default"),
  ).catch((error: unknown) => {
    throw new CliError(`Unable to detect installed Calico version: ${describeError(error)}`);
  });
  if (found.kind === "failed") {
    throw new CliError(`unable to retrieve Cluster Version or Type: ${found.message}`);
  }
  const { calicoVersion, clusterType } = found.resource.spec;
  return `Cluster Version:   ${calicoVersion || "unknown"}\nCluster Type:      ${clusterType || "unknown"}\n`;
}
