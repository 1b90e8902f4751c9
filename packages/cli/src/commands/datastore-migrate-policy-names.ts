import { type Entry, keys, readResource } from "@caracal/datastore";
import { isRecord, type KindName, kinds, parseJson, writeJson } from "@caracal/resources";
import { CliError } from "../cli-error.ts";
import type { Command } from "../command.ts";
import { type Connection, withConnection } from "../connection/with-connection.ts";
import { configOption } from "../global-options.ts";

/** Kinds that older versions stored under `default.NAME`. */
const tieredKinds = [
  "GlobalNetworkPolicy",
  "NetworkPolicy",
  "StagedGlobalNetworkPolicy",
  "StagedNetworkPolicy",
] as const satisfies readonly KindName[];

export const datastoreMigratePolicyNames: Command = {
  name: "datastore migrate-policy-names",
  description: "Safe to repeat: a policy is written under its new name before the old one goes.",
  options: [configOption],
  run: async (ctx, args) =>
    withConnection(ctx, args, async (connection) => {
      let movedCount = 0;
      for (const kind of tieredKinds) movedCount += await renameAll(connection, kind);
      ctx.stdout.write(`Successfully migrated ${movedCount} policy name(s)\n`);
      return 0;
    }),
};

async function renameAll({ store }: Connection, kind: (typeof tieredKinds)[number]): Promise<number> {
  const { plural, isNamespaced } = kinds[kind];
  let movedCount = 0;
  for (const entry of (await store.list(keys.resources(plural))).entries) {
    const resource = readResource(kind, entry);
    if (resource === undefined) continue;
    const { name, namespace } = resource.metadata;
    const key = keys.resource(plural, name, isNamespaced ? namespace : undefined);
    if (key === entry.key) continue;
    const created = await store.create(key, renamed(entry, name));
    if (created.kind === "exists" && created.current.value !== renamed(entry, name)) {
      throw new CliError(
        `${kind} ${name} is stored twice: delete ${entry.key}, or the one without default., first`,
      );
    }
    const removed = await store.delete(entry.key, entry.revision);
    if (removed.kind === "conflict") throw new CliError(`update conflict: ${kind}(${name}); run this again`);
    movedCount += 1;
  }
  return movedCount;
}

/** The stored text with the name that it is read by. */
function renamed({ key, value }: Entry, name: string): string {
  const parsed = parseJson(value);
  if (parsed.kind === "bad" || !isRecord(parsed.value) || !isRecord(parsed.value.metadata)) {
    throw new CliError(`${key} cannot be read`);
  }
  return writeJson({ ...parsed.value, metadata: { ...parsed.value.metadata, name } });
}
