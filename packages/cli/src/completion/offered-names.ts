import { type KindName, kinds } from "@caracal/resources";
import type { Arguments } from "../command.ts";
import { type Connection, withConnection } from "../connection/with-connection.ts";
import type { CliContext } from "../context.ts";

/** A shell waits for no more than this. */
const patienceMs = 2000;

/** Names offered at most. */
const maxNames = 1000;

/** What a command line says of where its datastore is. */
export interface Whereabouts {
  readonly config: string | undefined;
  readonly context: string | undefined;
}

export type NameList = (connection: Connection) => Promise<readonly string[]>;

/** Names that a datastore has for a shell to offer; none where they cannot be had soon. */
export async function offeredNames(
  ctx: CliContext,
  where: Whereabouts,
  list: NameList,
): Promise<readonly string[]> {
  const quiet: CliContext = { ...ctx, stderr: { write: () => undefined } };
  const args: Arguments = {
    positional: [],
    text: (option) => (option === "config" ? where.config : option === "context" ? where.context : undefined),
    texts: () => [],
    flag: (option) => option === "allow-version-mismatch",
  };
  const asked = withConnection(quiet, args, list).catch(() => []);
  const patience = new AbortController();
  const names = await Promise.race([asked, ctx.sleep(patienceMs, patience.signal).then(() => [])]);
  patience.abort();
  return names.slice(0, maxNames);
}

/** The resources of a kind; of all namespaces where none is given and all are meant. */
export function namesOfKind(kind: KindName, namespace: string | undefined): NameList {
  return async ({ resources }) => {
    const { items } = await resources.list(kind, kinds[kind].isNamespaced ? namespace : undefined);
    return [...new Set(items.map(({ metadata }) => metadata.name))];
  };
}

/** The ranges of all pools. */
export const poolRanges: NameList = async ({ resources }) => {
  const { items } = await resources.list("IPPool");
  return items.map(({ spec }) => spec.cidr);
};

/** Namespaces that Kubernetes has a profile of, and those that resources of the kind are in. */
export function namespacesFor(kind: KindName | undefined): NameList {
  return async ({ resources }) => {
    const { items: profiles } = await resources.list("Profile");
    const known = profiles.flatMap(({ metadata: { name } }) =>
      name.startsWith("kns.") ? [name.slice("kns.".length)] : [],
    );
    const items = kind === undefined || !kinds[kind].isNamespaced ? [] : (await resources.list(kind)).items;
    return [...new Set([...known, ...items.flatMap(({ metadata }) => metadata.namespace ?? [])])].toSorted();
  };
}

/** Pods and nodes, written out only where a name alone would be ambiguous. */
export const traceEnds: NameList = async ({ store }) => {
  const { endNames, readCluster, recordedPlaces } = await import("@caracal/insight");
  return endNames(recordedPlaces(await readCluster(store), []));
};
