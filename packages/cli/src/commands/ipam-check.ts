import { access, constants, writeFile } from "node:fs/promises";
import { dirname } from "node:path";
import { messageOf } from "@caracal/net";
import type { KubernetesService } from "@caracal/resources";
import { CliError } from "../cli-error.ts";
import { clientVersion } from "../client-version.ts";
import type { Arguments, Command } from "../command.ts";
import { type Connection, withConnection } from "../connection/with-connection.ts";
import type { CliContext } from "../context.ts";
import { configOption } from "../global-options.ts";
import { writeReport } from "../ipam/audit-report.ts";
import { auditHeading, auditText } from "../ipam/audit-text.ts";
import { type ClusterAudit, readServices, takeAudit } from "../ipam/take-audit.ts";
import { tellWaiting } from "../output/tell-waiting.ts";

export const ipamCheck: Command = {
  name: "ipam check",
  description:
    "Changes nothing. What nobody uses any more goes with ipam release --from-report. Where no Kubernetes API server can be asked for Services, addresses of load balancers count as in use.",
  options: [
    { name: "show-all-ips", summary: "Every address that is looked at." },
    { name: "show-problem-ips", summary: "Every address that is leaked or not assigned as it should be." },
    { name: "output", short: "o", value: "FILE", summary: "Write a report for ipam release." },
    {
      name: "kubeconfig",
      value: "FILE",
      summary: "Kubernetes API server to ask for Services, where the datastore is another.",
    },
    configOption,
  ],
  run: async (ctx, args) => {
    const path = args.text("output");
    // Known before a large cluster is read.
    if (path !== undefined) await writing(checkWritable(path));
    return withConnection(ctx, args, async (connection) => {
      ctx.stdout.write(auditHeading);
      const work = audit(ctx, args, connection);
      const found = await tellWaiting(ctx, "reading the datastore", work);
      const showsAll = args.flag("show-all-ips");
      const showsProblems = showsAll || args.flag("show-problem-ips");
      ctx.stdout.write(auditText(found, { showsAll, showsProblems }));
      if (path !== undefined) await writing(writeFile(path, writeReport(found, clientVersion)));
      return 0;
    });
  },
};

async function audit(ctx: CliContext, args: Arguments, connection: Connection): Promise<ClusterAudit> {
  const isKubernetes = connection.datastoreType === "kubernetes";
  const services = isKubernetes ? await readServices(connection.store) : await askServices(ctx, args);
  return takeAudit(connection, services);
}

async function checkWritable(path: string): Promise<void> {
  try {
    await access(path, constants.W_OK);
  } catch (error) {
    if (!(error instanceof Error) || !("code" in error) || error.code !== "ENOENT") throw error;
    await access(dirname(path), constants.W_OK);
  }
}

async function writing(work: Promise<void>): Promise<void> {
  try {
    await work;
  } catch (error) {
    throw new CliError(`cannot write the report: ${messageOf(error)}`, { cause: error });
  }
}

/** The Services of the API server that a kubeconfig names; `undefined` where none is named. */
async function askServices(
  ctx: CliContext,
  args: Arguments,
): Promise<readonly KubernetesService[] | undefined> {
  const kubeconfig = args.text("kubeconfig");
  if (kubeconfig === undefined) return undefined;
  const context = args.text("context");
  const environment = {
    KUBECONFIG: kubeconfig,
    ...(context === undefined ? {} : { K8S_CURRENT_CONTEXT: context }),
  };
  const store = await ctx.openStore({ datastoreType: "kubernetes", environment });
  try {
    return await readServices(store);
  } finally {
    await store.close();
  }
}
