import { rm } from "node:fs/promises";
import { keys } from "@caracal/datastore";
import { messageOf } from "@caracal/net";
import { isKindName, kinds, toList } from "@caracal/resources";
import { toYaml } from "@caracal/resources/manifest";
import { CliError } from "../cli-error.ts";
import { clientVersion } from "../client-version.ts";
import type { Command } from "../command.ts";
import { loadApiConfig } from "../connection/api-config.ts";
import { type Connection, withConnection } from "../connection/with-connection.ts";
import { Bundle } from "../diagnostics/bundle.ts";
import { addKubernetes, readLogChoice } from "../diagnostics/kubernetes-part.ts";
import { configOption } from "../global-options.ts";
import { auditHeading, auditText } from "../ipam/audit-text.ts";
import { openIpam } from "../ipam/open-ipam.ts";
import { readServices, takeAudit } from "../ipam/take-audit.ts";
import { usageTable } from "../ipam/usage-table.ts";

/** What only concerns a collection from Kubernetes. */
const kubernetesOptions = [
  { name: "since", value: "DURATION", summary: "With Kubernetes: how far back logs go. (default all)" },
  {
    name: "max-logs",
    value: "N",
    summary: "With Kubernetes: pods of each workload to take logs of. (default 5)",
  },
  { name: "max-parallelism", value: "N", summary: "With Kubernetes: requests at a time. (default 10)" },
  {
    name: "focus-nodes",
    value: "NODES",
    summary: "With Kubernetes: nodes whose pods come first, with commas between.",
  },
] as const;

export const clusterDiags: Command = {
  name: "cluster diags",
  description:
    "Where the datastore is Kubernetes, kubectl collects its objects and the logs of Calico's pods too; node diags collects those of one node. Secrets are left out.",
  options: [
    ...kubernetesOptions,
    { name: "skip-temp-dir-cleanup", summary: "Keep the directory that the archive is packed of." },
    configOption,
  ],
  run: async (ctx, args) => {
    const choice = readLogChoice(args);
    return withConnection(ctx, args, async (connection) => {
      const isKubernetes = connection.datastoreType === "kubernetes";
      for (const { name } of isKubernetes ? [] : kubernetesOptions) {
        if (args.text(name) === undefined) continue;
        ctx.stderr.write(`--${name} is of no use without Kubernetes: no logs are collected\n`);
      }
      ctx.stdout.write("Collecting diagnostics\n");
      const bundle = await Bundle.create();
      await bundle.add("version", `Client Version:    ${clientVersion}\n`);
      await addResources(bundle, connection);
      await bundle.add("ipam-show", usageTable(await openIpam(ctx, connection, "").usage(), true));
      await bundle.add("ipam-check", await auditOf(connection));
      if (isKubernetes) {
        const { environment } = await loadApiConfig(args.text("config"), ctx.env);
        const kubeconfig = environment["CALICO_KUBECONFIG"] || environment["KUBECONFIG"] || undefined;
        await addKubernetes(ctx, bundle, { kubeconfig, context: args.text("context") }, choice);
      }
      const path = await bundle.pack(ctx.now());
      if (!args.flag("skip-temp-dir-cleanup")) await rm(`${bundle.path}/diagnostics`, { recursive: true });
      ctx.stdout.write(`Diags saved to ${path}\n`);
      return 0;
    });
  },
};

async function addResources(bundle: Bundle, { resources, store }: Connection): Promise<void> {
  for (const { name, plural, listName } of Object.values(kinds)) {
    if (!isKindName(name)) continue;
    const { items, revision } = await resources.list(name);
    await bundle.add(`${plural}.yaml`, toYaml(toList(listName, items, revision)));
  }
  // Also what is too broken to be a resource.
  const { entries } = await store.list(keys.root);
  await bundle.add("keys", entries.map(({ key, value }) => `${key}\n${value}\n`).join(""));
}

/** A cluster that cannot be checked is what is looked into here. */
async function auditOf(connection: Connection): Promise<string> {
  try {
    const isKubernetes = connection.datastoreType === "kubernetes";
    const services = isKubernetes ? await readServices(connection.store) : undefined;
    return (
      auditHeading +
      auditText(await takeAudit(connection, services), { showsAll: false, showsProblems: true })
    );
  } catch (error) {
    if (error instanceof CliError) return `${messageOf(error)}\n`;
    throw error;
  }
}
