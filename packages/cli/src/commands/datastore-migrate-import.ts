import { keys, type ResourceClient } from "@caracal/datastore";
import { kinds, kubernetesPolicyPrefix } from "@caracal/resources";
import { CliError } from "../cli-error.ts";
import type { Arguments, Command } from "../command.ts";
import { type Connection, withConnection } from "../connection/with-connection.ts";
import type { CliContext } from "../context.ts";
import { configOption } from "../global-options.ts";
import { type ExportFile, readExportFile } from "../migration/export-file.ts";
import { singleKindOf } from "../resources/change-report.ts";
import { setLocked } from "../resources/cluster-lock.ts";
import { ensureClusterInformation } from "../resources/ensure-cluster-information.ts";
import { readFiles } from "../resources/read-manifests.ts";

export const datastoreMigrateImport: Command = {
  name: "datastore migrate import",
  operands: "-f FILE",
  description:
    "The file is checked whole before anything is written. The datastore is locked afterwards: unlock it when the nodes use it.",
  options: [
    { name: "filename", short: "f", value: "FILE", summary: "The exported file; - is standard input." },
    configOption,
  ],
  run: async (ctx, args) => {
    const [source, ...more] = await readFiles(ctx, args);
    if (source === undefined || more.length > 0)
      throw new CliError("datastore migrate import needs --filename");
    const file = readExportFile(source.text, source.name);
    return withConnection(ctx, regardlessOfVersion(args), async (connection) => {
      await refuseExisting(connection);
      await ensureClusterInformation(connection.resources);
      await setLocked(connection.resources, true);
      await importResources(ctx, connection.resources, file);
      await importCluster(connection.resources, file);
      await importIpam(ctx, connection, file);
      ctx.stdout.write(
        "Datastore information successfully imported. Please refer to the datastore migration documentation for next steps.\n",
      );
      return 0;
    });
  },
};

/** The new datastore may well name no version yet, or that of other programs. */
function regardlessOfVersion(args: Arguments): Arguments {
  return { ...args, flag: (name) => name === "allow-version-mismatch" || args.flag(name) };
}

/** What a datastore may hold before: what every command and node puts there by itself. */
const initialPlurals: ReadonlySet<string> = new Set(["clusterinformations", "tiers"]);

/** What a Kubernetes datastore shows of the cluster's own, whatever Calico has in it. */
const kubernetesPlurals: ReadonlySet<string> = new Set([
  "kubernetesendpointslices",
  "kubernetesnamespaces",
  "kubernetesservices",
  "nodes",
  "profiles",
  "workloadendpoints",
]);

async function refuseExisting({ store, datastoreType }: Connection): Promise<void> {
  for (const { key: text } of (await store.list(keys.root)).entries) {
    const key = keys.parse(text);
    if (key === undefined) continue;
    if (key.kind === "resource") {
      const isViewed = kubernetesPlurals.has(key.plural) || key.name.startsWith(kubernetesPolicyPrefix);
      if (initialPlurals.has(key.plural) || (datastoreType === "kubernetes" && isViewed)) continue;
    }
    const plural = key.kind === "resource" ? key.plural : undefined;
    const kind = Object.values(kinds).find((one) => one.plural === plural)?.name ?? plural;
    const what = kind === undefined ? "existing IPAM resources" : `existing Calico ${kind} resource`;
    throw new CliError(
      `Datastore already has Calico resources: Found ${what}. Import into an empty datastore.`,
    );
  }
}

async function importResources(
  ctx: CliContext,
  client: ResourceClient,
  { resources }: ExportFile,
): Promise<void> {
  for (const [index, resource] of resources.entries()) {
    const outcome = await client.apply(resource);
    if (outcome.kind === "ok") continue;
    if (index > 0) {
      ctx.stdout.write(`Partial success: applied the first ${index} out of ${resources.length} resources:\n`);
    }
    throw new CliError(`Failed to import v3 resources: ${outcome.message}`);
  }
  const single = singleKindOf(resources);
  const kind = single === undefined ? "" : ` '${single}'`;
  ctx.stdout.write(`Successfully applied ${resources.length}${kind} resource(s)\n`);
}

async function importCluster(resources: ResourceClient, { cluster }: ExportFile): Promise<void> {
  const found = await resources.get("ClusterInformation", "default");
  const outcome =
    found.kind === "ok"
      ? await resources.update({ ...found.resource, spec: { ...found.resource.spec, ...cluster } })
      : found;
  if (outcome.kind === "failed")
    throw new CliError(`Failed to update cluster information: ${outcome.message}`);
}

async function importIpam(ctx: CliContext, { store }: Connection, { ipam }: ExportFile): Promise<void> {
  ctx.stdout.write("Importing IPAM resources\n");
  for (const [index, { key, value }] of ipam.entries()) {
    const outcome = await store.create(key, value);
    if (outcome.kind === "ok") continue;
    ctx.stdout.write(`Partial success: applied the first ${index} out of ${ipam.length} resources:\n`);
    throw new CliError(`Hit error(s): ${key} is there already`);
  }
  ctx.stdout.write(`Successfully applied ${ipam.length} IPAM resource(s)\n`);
}
