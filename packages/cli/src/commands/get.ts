import { defaultAsNumber, type KindName, kinds, type Resource } from "@caracal/resources";
import { CliError } from "../cli-error.ts";
import type { Arguments, Command } from "../command.ts";
import { type Connection, withConnection } from "../connection/with-connection.ts";
import type { CliContext } from "../context.ts";
import { configOption, fileOptions, namespaceOption } from "../global-options.ts";
import {
  type Found,
  formatResources,
  type OutputFormat,
  parseOutputFormat,
} from "../output/print-resources.ts";
import { withoutClusterFields } from "../resources/export-form.ts";
import { kindNamed } from "../resources/find-kind.ts";
import { inListOrder } from "../resources/list-order.ts";
import { checkedNames, namespaceFor, withNamespace } from "../resources/namespaces.ts";
import type { WatchQuestion } from "./get-watch.ts";

export const get: Command = {
  name: "get",
  operands: "(KIND [NAME]… | -f FILE)",
  description: `Kinds: ${Object.values(kinds)
    .map(({ name }) => name)
    .join(", ")}.`,
  options: [
    ...fileOptions,
    {
      name: "output",
      short: "o",
      value: "FORMAT",
      choices: ["ps", "wide", "yaml", "json", "custom-columns=", "go-template=", "go-template-file="],
      summary: "Output format.",
    },
    namespaceOption,
    { name: "all-namespaces", short: "A", summary: "Resources of all namespaces." },
    { name: "all-namespaces", short: "a", summary: "An older letter for it.", isHidden: true },
    { name: "export", summary: "Leave out what only this cluster knows, such as versions and times." },
    { name: "watch", short: "w", summary: "Go on, and tell what changes, until stopped." },
    configOption,
  ],
  run: async (ctx, args) => {
    const format = parseOutputFormat(args.text("output") ?? "ps");
    const namespaces = readNamespaces(args);
    const query = await readQuery(ctx, args, namespaces);
    return withConnection(ctx, args, async (connection) => {
      if (args.flag("watch")) {
        const { watchResources } = await import("./get-watch.ts");
        return watchResources(ctx, connection, {
          ...watchedOf(query),
          format,
          cells: { clusterAsNumber: await readClusterAsNumber(connection, query, format) },
          showsNamespaces: namespaces.isAll || namespaces.given !== undefined,
          isExport: args.flag("export"),
        });
      }
      const { found, errors } = await fetch(connection, query);
      if (found.list !== undefined || found.resources.length > 0) {
        const shown = args.flag("export")
          ? { ...found, resources: found.resources.map(withoutClusterFields) }
          : found;
        const cells = { clusterAsNumber: await readClusterAsNumber(connection, query, format) };
        const showsNamespaces = namespaces.isAll || namespaces.given !== undefined;
        ctx.stdout.write(await formatResources(shown, format, { cells, showsNamespaces }));
      }
      if (errors.length > 0) throw new CliError(errors.join("\n"));
      return 0;
    });
  },
};

interface Namespaces {
  readonly given: string | undefined;
  readonly isAll: boolean;
}

/** One resource, as its key. */
interface Wanted {
  readonly kind: KindName;
  readonly name: string;
  readonly namespace: string | undefined;
}

/** All of a kind, or resources one by one. */
type Query =
  | { readonly kind: "list"; readonly of: KindName; readonly namespace: string | undefined }
  | {
      readonly kind: "named";
      readonly wanted: readonly Wanted[];
      readonly listKind: KindName | undefined;
      readonly isFromFile: boolean;
    };

function readNamespaces(args: Arguments): Namespaces {
  const given = args.text("namespace");
  const isAll = args.flag("all-namespaces");
  if (given !== undefined && isAll) {
    throw new CliError("cannot use both --namespace and --all-namespaces flags at the same time");
  }
  return { given, isAll };
}

async function readQuery(ctx: CliContext, args: Arguments, namespaces: Namespaces): Promise<Query> {
  const [word, ...named] = args.positional;
  const names = checkedNames(named);
  if (args.text("filename") !== undefined) {
    if (word !== undefined) throw new CliError("give a kind or --filename, not both");
    const { readManifests } = await import("../resources/read-manifests.ts");
    const resources = await readManifests(ctx, args);
    const wanted = resources.map((resource) => wantedOf(resource, namespaces.given));
    return { kind: "named", wanted, listKind: undefined, isFromFile: true };
  }
  if (word === undefined) throw new CliError("get needs a kind, or --filename");
  const kind = kindNamed(word);
  const isScoped = namespaces.given !== undefined || namespaces.isAll;
  if (!kinds[kind].isNamespaced && isScoped) throw new CliError(`${kind} is not namespaced`);
  if (names.length === 0) {
    const namespace = namespaces.isAll ? undefined : namespaceFor(kind, namespaces.given);
    return { kind: "list", of: kind, namespace };
  }
  if (namespaces.isAll)
    throw new CliError("a resource of a name is in one namespace: leave out --all-namespaces");
  const namespace = namespaceFor(kind, namespaces.given);
  const wanted = names.map((name) => ({ kind, name, namespace }));
  return { kind: "named", wanted, listKind: names.length > 1 ? kind : undefined, isFromFile: false };
}

/** What a query is about, where that can be watched. */
function watchedOf(query: Query): Pick<WatchQuestion, "kind" | "namespace" | "names"> {
  if (query.kind === "list") return { kind: query.of, namespace: query.namespace, names: undefined };
  const [first] = query.wanted;
  if (first === undefined || query.isFromFile) throw new CliError("--watch needs a kind, not --filename");
  return {
    kind: first.kind,
    namespace: first.namespace,
    names: new Set(query.wanted.map(({ name }) => name)),
  };
}

function wantedOf(resource: Resource, given: string | undefined): Wanted {
  const { kind, metadata } = withNamespace(resource, given);
  return { kind, name: metadata.name, namespace: metadata.namespace };
}

/** What is there, and a line for each that is not. */
async function fetch(
  { resources }: Connection,
  query: Query,
): Promise<{ readonly found: Found; readonly errors: readonly string[] }> {
  if (query.kind === "list") {
    const { items, revision } = await resources.list(query.of, query.namespace);
    const list = { kind: query.of, resourceVersion: revision };
    return { found: { resources: inListOrder(items), list }, errors: [] };
  }
  const found: Resource[] = [];
  const errors: string[] = [];
  for (const { kind, name, namespace } of query.wanted) {
    const reading = await resources.get(kind, name, namespace);
    if (reading.kind === "ok") found.push(reading.resource);
    else errors.push(reading.message);
  }
  const { listKind } = query;
  const isList = listKind !== undefined && found.length > 0;
  return { found: { resources: found, ...(isList ? { list: { kind: listKind } } : {}) }, errors };
}

/** Only the nodes' tables show it. */
async function readClusterAsNumber(
  { resources }: Connection,
  query: Query,
  format: OutputFormat,
): Promise<number> {
  const isAboutNodes =
    query.kind === "list" ? query.of === "Node" : query.wanted.some(({ kind }) => kind === "Node");
  if (!isAboutNodes || format.kind === "yaml" || format.kind === "json") return defaultAsNumber;
  const settings = await resources.get("BGPConfiguration", "default");
  return (settings.kind === "ok" ? settings.resource.spec.asNumber : undefined) ?? defaultAsNumber;
}
