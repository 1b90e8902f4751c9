import { CliError } from "../cli-error.ts";
import type { Command } from "../command.ts";

export const nodeRun: Command = {
  name: "node run",
  summary: "Run the node daemon in the foreground.",
  description:
    "Configured by Calico's environment variables (NODENAME, IP, ETCD_ENDPOINTS, CALICO_IPV4POOL_CIDR, …).",
  options: [],
  run: async (ctx) => {
    if (ctx.userId !== 0) throw new CliError("Need super user privileges: Operation not permitted");
    const { signal } = ctx;
    const { runNode } = await import("@caracal/node");
    return runNode({ env: ctx.env, signal, stderr: ctx.stderr });
  },
};
