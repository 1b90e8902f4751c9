import { findKind, isKindName, kinds } from "@caracal/resources";
import type { Arguments, Command } from "../command.ts";
import { type Connection, withConnection } from "../connection/with-connection.ts";
import { configOption, namespaceOption } from "../global-options.ts";

/** A shell waits for no more than this. */
const patienceMs = 2000;

/** Names offered at most. */
const maxNames = 1000;

/** The word that stands for whatever a trace may begin or end at, where a kind would stand. */
const traceEnds = "trace";

export const completeNames: Command = {
  name: "__names",
  summary: "Names of a kind's resources, for the shell to offer. Says nothing where they cannot be had.",
  operands: "KIND",
  options: [namespaceOption, configOption],
  run: async (ctx, args) => {
    const list = listOf(args);
    if (list === undefined) return 0;
    const tolerant = {
      ...args,
      flag: (flag: string) => flag === "allow-version-mismatch" || args.flag(flag),
    };
    const asked = withConnection(ctx, tolerant, async (connection) => {
      const found = await list(connection);
      return found.slice(0, maxNames).map((name) => `${name}\n`);
    }).catch(() => []);
    const patience = new AbortController();
    const names = await Promise.race([asked, ctx.sleep(patienceMs, patience.signal).then(() => [])]);
    patience.abort();
    ctx.stdout.write(names.join(""));
    return 0;
  },
};

type NameList = (connection: Connection) => Promise<readonly string[]>;

function listOf(args: Arguments): NameList | undefined {
  const [word = ""] = args.positional;
  if (word === traceEnds) return listTraceEnds;
  const name = findKind(word)?.name;
  if (name === undefined || !isKindName(name)) return undefined;
  const namespace = kinds[name].isNamespaced ? (args.text("namespace") ?? "default") : undefined;
  return async ({ resources }) => {
    const { items } = await resources.list(name, namespace);
    return items.map(({ metadata }) => metadata.name);
  };
}

/** Pods and nodes, written out only where a name alone would be ambiguous. */
async function listTraceEnds({ store }: Connection): Promise<readonly string[]> {
  const { endNames, readCluster, recordedPlaces } = await import("@caracal/insight");
  return endNames(recordedPlaces(await readCluster(store), []));
}
