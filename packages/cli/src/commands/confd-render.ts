import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { readCluster } from "@caracal/insight";
import { CliError } from "../cli-error.ts";
import type { Command } from "../command.ts";
import { withConnection } from "../connection/with-connection.ts";
import { configOption } from "../global-options.ts";

export const confdRender: Command = {
  name: "confd render",
  description: [
    "Prints bird.cfg, bird_aggr.cfg, bird_ipam.cfg and the same for bird6, or writes them into a directory.",
    "Router ID, secrets and names of interfaces are the node daemon's: from CALICO_ROUTER_ID, CARACAL_SECRETS_DIR",
    "with NAMESPACE, and FELIX_INTERFACEPREFIX.",
  ].join("\n"),
  options: [
    { name: "node", value: "NODE", summary: "Whose configuration; NODENAME where absent." },
    {
      name: "output",
      short: "o",
      value: "DIR",
      summary: "Write the files there; made when it is not there.",
    },
    { name: "tunnels", summary: "For Calico's own BIRD, which sends routes through IPIP tunnels." },
    configOption,
  ],
  run: async (ctx, args) => {
    const node = args.text("node") ?? ctx.env["NODENAME"];
    if (node === undefined || node === "") throw new CliError("confd render needs --node");
    const { renderBird } = await import("@caracal/node");
    const hasTunnels = args.flag("tunnels");
    return withConnection(ctx, args, async ({ store }) => {
      const { resources, affinities, endpoints } = await readCluster(store);
      const cluster = { cluster: resources, affinities, endpoints };
      const outcome = renderBird({ cluster, node, env: ctx.env, hasTunnels });
      if (outcome.kind === "failed") throw new CliError(outcome.reasons.join("\n"));
      for (const { about, message } of outcome.problems) ctx.stderr.write(`${about} ${message}\n`);
      const directory = args.text("output");
      if (directory !== undefined) mkdirSync(directory, { recursive: true });
      for (const [name, text] of Object.entries(outcome.files)) {
        // Passwords are in them.
        if (directory !== undefined) writeFileSync(join(directory, name), text, { mode: 0o600 });
        else ctx.stdout.write(`# ===== ${name} =====\n${text}\n`);
      }
      return 0;
    });
  },
};
