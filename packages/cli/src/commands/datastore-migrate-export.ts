import { keys, readResource } from "@caracal/datastore";
import { type KindName, kinds, kubernetesPolicyPrefix, type Resource, toList } from "@caracal/resources";
import { toYaml } from "@caracal/resources/manifest";
import { CliError } from "../cli-error.ts";
import type { Command } from "../command.ts";
import { type Connection, withConnection } from "../connection/with-connection.ts";
import { configOption } from "../global-options.ts";
import { exportedKinds, joinParts } from "../migration/export-file.ts";
import { isLocked } from "../resources/cluster-lock.ts";

export const datastoreMigrateExport: Command = {
  name: "datastore migrate export",
  description:
    "The datastore must be locked. The file is Calico's; it leaves workload endpoints and profiles out, which a Kubernetes datastore has of its own.",
  options: [
    {
      name: "with-workloads",
      summary: "Workload endpoints and profiles too, for another etcd or embedded store.",
    },
    configOption,
  ],
  run: async (ctx, args) =>
    withConnection(ctx, args, async (connection) => {
      if (!(await isLocked(connection.resources))) {
        throw new CliError(
          "datastore is not locked. Run the `calicoctl datastore migrate lock` command in order to begin migration",
        );
      }
      ctx.stdout.write(await exportAll(connection, exportedKinds(args.flag("with-workloads"))));
      return 0;
    }),
};

async function exportAll({ store, resources }: Connection, names: readonly KindName[]): Promise<string> {
  const found = await resources.get("ClusterInformation", "default");
  if (found.kind === "failed") throw new CliError(found.message);
  const { entries } = await store.list(keys.root);
  const parts = names.map((name) => {
    const { plural, listName } = kinds[name];
    const items = entries.flatMap((entry) => {
      const key = keys.parse(entry.key);
      const isOne = key?.kind === "resource" && key.plural === plural;
      return isOne && !key.name.startsWith(kubernetesPolicyPrefix) ? (readResource(name, entry) ?? []) : [];
    });
    return `${toYaml(toList(listName, items.map(withoutOrigin)))}---\n`;
  });
  return joinParts(parts.join(""), found.resource, entries);
}

/** Without what the next datastore gives anew. */
function withoutOrigin(resource: Resource): Resource {
  const {
    uid: _uid,
    resourceVersion: _version,
    creationTimestamp: _created,
    deletionTimestamp: _deleted,
    deletionGracePeriodSeconds: _grace,
    ...metadata
  } = resource.metadata;
  return { ...resource, metadata };
}
