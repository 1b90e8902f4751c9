import {
  type Entry,
  formatIdentity,
  keys,
  ResourceClient,
  type ResourceIdentity,
  type Store,
} from "@caracal/datastore";
import { isKindName, kinds } from "@caracal/resources";
import { CliError } from "../cli-error.ts";
import type { Connection } from "../connection/with-connection.ts";
import type { CliContext } from "../context.ts";
import { singleKindOf } from "../resources/change-report.ts";
import { copyOf } from "./change-impact.ts";

/** What became of a deletion. */
interface Removal {
  readonly errors: readonly string[];
  readonly doneCount: number;
}

/** Shows what would be deleted; no datastore is asked. */
export function showClientDeletion(ctx: CliContext, doomed: readonly ResourceIdentity[]): number {
  for (const each of doomed) ctx.stdout.write(`${formatIdentity(each)} would be deleted\n`);
  return report(ctx, doomed, { errors: [], doneCount: doomed.length }, "client dry run");
}

/** Deletes in a copy of the datastore, with all checks, and shows what is gone or other afterwards: more than what was named. */
export async function showServerDeletion(
  ctx: CliContext,
  { store, datastoreType }: Connection,
  doomed: readonly ResourceIdentity[],
  remove: (copy: Connection) => Promise<Removal>,
): Promise<number> {
  const copy = await copyOf(store);
  const before = await entriesOf(copy);
  const resources = new ResourceClient(copy, { now: () => ctx.now().toISOString(), uuid: () => "dry-run" });
  const removal = await remove({ store: copy, resources, datastoreType });
  const after = await entriesOf(copy);
  for (const line of differences(before, after)) ctx.stdout.write(`${line}\n`);
  return report(ctx, doomed, removal, "server dry run");
}

async function entriesOf(store: Store): Promise<ReadonlyMap<string, Entry>> {
  const { entries } = await store.list(keys.root);
  return new Map(entries.map((entry) => [entry.key, entry]));
}

/** A line for each resource that goes or changes, and one for the records of addresses, which have no names. */
function differences(
  before: ReadonlyMap<string, Entry>,
  after: ReadonlyMap<string, Entry>,
): readonly string[] {
  const lines: string[] = [];
  let recordCount = 0;
  for (const [key, { value }] of before) {
    const now = after.get(key);
    if (now?.value === value) continue;
    const name = identityOf(key);
    if (name === undefined) recordCount += 1;
    else lines.push(`${formatIdentity(name)} would ${now === undefined ? "be deleted" : "change"}`);
  }
  if (recordCount > 0) lines.push(`${recordCount} IPAM record(s) would be deleted or change`);
  return lines;
}

function identityOf(text: string): ResourceIdentity | undefined {
  const key = keys.parse(text);
  if (key?.kind !== "resource") return undefined;
  const name = Object.keys(kinds).find((each) => isKindName(each) && kinds[each].plural === key.plural);
  if (name === undefined || !isKindName(name)) return undefined;
  return { kind: name, name: key.name, namespace: key.namespace };
}

function report(
  ctx: CliContext,
  doomed: readonly ResourceIdentity[],
  { errors, doneCount }: Removal,
  remark: string,
): number {
  const single = singleKindOf(doomed);
  const kind = single === undefined ? "" : ` '${single}'`;
  if (doneCount > 0) ctx.stdout.write(`Successfully deleted ${doneCount}${kind} resource(s) (${remark})\n`);
  if (errors.length > 0) throw new CliError(errors.join("\n"));
  return 0;
}
