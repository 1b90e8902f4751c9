import { keys, readResource, type SyncChange, Syncer, type SyncStatus } from "@caracal/datastore";
import { type KindName, kinds, type Resource } from "@caracal/resources";
import type { Connection } from "../connection/with-connection.ts";
import type { CliContext } from "../context.ts";
import { type CellContext } from "../output/columns.ts";
import type { OutputFormat } from "../output/print-resources.ts";
import { type WatchedChange, WatchPrinter } from "../output/watch-printer.ts";
import { withoutClusterFields } from "../resources/export-form.ts";

/** What to watch, and how to print it. */
export interface WatchQuestion {
  readonly kind: KindName;
  readonly namespace: string | undefined;
  /** Only these; `undefined` is all. */
  readonly names: ReadonlySet<string> | undefined;
  readonly format: OutputFormat;
  readonly cells: CellContext;
  readonly showsNamespaces: boolean;
  readonly isExport: boolean;
}

/** Prints what there is, and then every change, until the command is stopped. */
export async function watchResources(
  ctx: CliContext,
  { store }: Connection,
  question: WatchQuestion,
): Promise<number> {
  const { kind, namespace, names } = question;
  const printer = new WatchPrinter(question, (text) => ctx.stdout.write(text));
  const { signal } = ctx;
  const readable = (change: SyncChange): WatchedChange | undefined => {
    const entry = change.kind === "put" ? change.entry : change.previous;
    const resource: Resource | undefined = readResource(kind, entry);
    if (resource === undefined || names?.has(resource.metadata.name) === false) return undefined;
    const event = change.kind === "delete" ? "DELETED" : change.previous === undefined ? "ADDED" : "MODIFIED";
    return { event, resource: question.isExport ? withoutClusterFields(resource) : resource };
  };
  let wasAway = false;
  await new Syncer({
    store,
    prefix: keys.resources(kinds[kind].plural, kinds[kind].isNamespaced ? namespace : undefined),
    sleep: async (ms) => ctx.sleep(ms, signal),
    onChanges: (changes) => printer.print(changes.flatMap((change) => readable(change) ?? [])),
    onStatus: (status: SyncStatus) => {
      if (status.kind === "inSync") {
        printer.begin();
        if (wasAway) ctx.stderr.write("the datastore answers again\n");
        wasAway = false;
      } else if (!wasAway && status.reason !== undefined) {
        wasAway = true;
        ctx.stderr.write(`the datastore does not answer: ${status.reason}; trying again\n`);
      }
    },
  }).run(signal);
  return 0;
}
