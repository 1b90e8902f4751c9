import { formatIdentity, ResourceClient, type ResourceOutcome, type Store } from "@caracal/datastore";
import { kinds, type Resource, toJson } from "@caracal/resources";
import { toYaml } from "@caracal/resources/manifest";
import { CliError } from "../cli-error.ts";
import type { Arguments } from "../command.ts";
import type { CliContext } from "../context.ts";
import { lineDiff } from "../output/line-diff.ts";
import { reportChanges, singleKindOf, type Verb } from "../resources/change-report.ts";
import { atCopiedVersion, copyOf } from "./change-impact.ts";

/** A change that is only tried. */
export interface DryRun {
  readonly verb: Verb;
  readonly wanted: readonly Resource[];
  /** Why people may not change a resource of this kind. */
  readonly isAllowed: (resource: Resource) => string | undefined;
}

/** With a copy of the datastore to try it in. */
export interface ServerRun extends DryRun {
  readonly store: Store;
  readonly change: (copy: ResourceClient, resource: Resource) => Promise<ResourceOutcome>;
  /** Whether the resources after one that failed are still tried. */
  readonly goesOn: boolean;
}

/** Shows what would be sent: the files are checked, and no datastore is asked. */
export function showClientRun(ctx: CliContext, args: Arguments, run: DryRun): number {
  const errors = run.wanted.flatMap((resource) => run.isAllowed(resource) ?? []);
  const done = run.wanted.filter((resource) => run.isAllowed(resource) === undefined);
  ctx.stdout.write(documents(done, args.text("output") ?? "yaml"));
  if (args.text("output") !== undefined && errors.length === 0) return 0;
  report(ctx, run, { doneCount: done.length, errors }, " (client dry run)");
  return 0;
}

/** Makes the change in a copy of the datastore, with all its checks, and shows what differs afterwards. */
export async function showServerRun(ctx: CliContext, args: Arguments, run: ServerRun): Promise<number> {
  const copy = new ResourceClient(await copyOf(run.store), {
    now: () => ctx.now().toISOString().replace(/\.\d+/, ""),
    uuid: () => "dry-run",
  });
  const errors: string[] = [];
  const results: Resource[] = [];
  let text = "";
  for (const resource of run.wanted) {
    const { kind, metadata } = resource;
    const before = await copy.get(kind, metadata.name, metadata.namespace);
    const refusal = run.isAllowed(resource);
    const outcome: ResourceOutcome =
      refusal === undefined
        ? await run.change(copy, await atCopiedVersion(resource, run.store, copy))
        : { kind: "failed", reason: "refused", message: refusal };
    if (outcome.kind === "failed") {
      errors.push(outcome.message);
      if (!run.goesOn) break;
      continue;
    }
    results.push(ownPart(outcome.resource));
    text += describe(before.kind === "ok" ? before.resource : undefined, outcome.resource);
  }
  const format = args.text("output");
  ctx.stdout.write(format === undefined ? text : documents(results, format));
  if (format !== undefined && errors.length === 0) return 0;
  report(ctx, run, { doneCount: results.length, errors }, " (server dry run)");
  return 0;
}

function report(
  ctx: CliContext,
  { verb, wanted }: DryRun,
  tally: { readonly doneCount: number; readonly errors: readonly string[] },
  remark: string,
): void {
  reportChanges(ctx, verb, { ...tally, total: wanted.length, singleKind: singleKindOf(wanted) }, remark);
}

/** What became of one resource: nothing, or the lines of its YAML that come and go. */
function describe(before: Resource | undefined, after: Resource): string {
  const { kind, metadata } = after;
  const name = formatIdentity({
    kind,
    name: metadata.name,
    namespace: kinds[kind].isNamespaced ? metadata.namespace : undefined,
  });
  if (before === undefined) return `${name} would be created:\n${lineDiff("", toYaml(ownPart(after)))}\n`;
  const [old, now] = [toYaml(ownPart(before)), toYaml(ownPart(after))];
  return old === now ? `${name} stays as it is\n\n` : `${name} would change:\n${lineDiff(old, now)}\n`;
}

/** Without what the datastore alone decides, which differs at every try. */
function ownPart(resource: Resource): Resource {
  const { uid: _uid, resourceVersion: _version, creationTimestamp: _time, ...metadata } = resource.metadata;
  return { ...resource, metadata };
}

function documents(resources: readonly Resource[], format: string): string {
  if (format === "json") return `${toJson(resources.length === 1 ? resources[0] : resources)}\n`;
  if (format !== "yaml") throw new CliError(`unrecognized output format '${format}'`);
  return resources.map((resource) => toYaml(resource)).join("---\n");
}
