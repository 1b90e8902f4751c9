import { writeFile } from "node:fs/promises";
import { CliError, describeError } from "../cli-error.ts";
import { clientVersion } from "../client-version.ts";
import type { Command } from "../command.ts";
import { withConnection } from "../connection/with-connection.ts";
import { configOption } from "../global-options.ts";
import { writeReport } from "../ipam/audit-report.ts";
import { auditText } from "../ipam/audit-text.ts";
import { takeAudit } from "../ipam/take-audit.ts";

export const ipamCheck: Command = {
  name: "ipam check",
  summary: "Compare the addresses that are assigned with those in use.",
  description:
    "Changes nothing. What nobody uses any more goes with ipam release --from-report. Addresses of load balancers count as in use.",
  options: [
    { name: "show-all-ips", summary: "Every address that is looked at." },
    { name: "show-problem-ips", summary: "Every address that is leaked or not assigned as it should be." },
    { name: "output", short: "o", value: "FILE", summary: "Write a report for ipam release." },
    {
      name: "kubeconfig",
      value: "FILE",
      summary: "Accepted for calicoctl's sake; Services are not asked for.",
    },
    configOption,
  ],
  run: async (ctx, args) =>
    withConnection(ctx, args, async ({ store }) => {
      const audit = await takeAudit(store);
      const showsAll = args.flag("show-all-ips");
      const showsProblems = showsAll || args.flag("show-problem-ips");
      ctx.stdout.write(auditText(audit, { showsAll, showsProblems }));
      const path = args.text("output");
      if (path === undefined) return 0;
      try {
        await writeFile(path, writeReport(audit, clientVersion));
      } catch (error) {
        throw new CliError(`cannot write the report: ${describeError(error)}`, { cause: error });
      }
      return 0;
    }),
};
