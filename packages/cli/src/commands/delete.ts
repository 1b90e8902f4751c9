import { type ResourceOutcome, resourceMessage, StoreError } from "@caracal/datastore";
import { type KindName, kinds } from "@caracal/resources";
import { CliError } from "../cli-error.ts";
import type { Arguments, Command } from "../command.ts";
import { type Connection, describeStoreError, withConnection } from "../connection/with-connection.ts";
import type { CliContext } from "../context.ts";
import { didYouMean } from "../did-you-mean.ts";
import { configOption, fileOptions, namespaceOption } from "../global-options.ts";
import { singleKindOf } from "../resources/change-report.ts";
import { deleteNode } from "../resources/delete-node.ts";
import { deletePool } from "../resources/delete-pool.ts";
import { kubernetesPolicyRefusal } from "../resources/kubernetes-policies.ts";
import { kindNamed } from "../resources/find-kind.ts";
import { checkedNames, namespaceFor, withNamespace } from "../resources/namespaces.ts";
import { readManifests } from "../resources/read-manifests.ts";

interface Doomed {
  readonly kind: KindName;
  readonly name: string;
  readonly namespace: string | undefined;
}

const dryRunModes = ["client", "server", "impact"] as const;

export const deleteCommand: Command = {
  name: "delete",
  operands: "(KIND NAME… | -f FILE)",
  options: [
    ...fileOptions,
    { name: "skip-not-exists", short: "s", summary: "Do not fail for resources that do not exist." },
    { name: "force", summary: "Delete an IP pool though its addresses are in use." },
    {
      name: "dry-run",
      value: "MODE",
      choices: dryRunModes,
      summary:
        "Delete nothing. client: show what is named; server: delete in a copy of the datastore and show all that would go; impact: show which sessions, routes and pod pairs would come, go or move, with exit code 2 if something would be lost.",
    },
    {
      name: "output",
      short: "o",
      value: "FORMAT",
      choices: ["json"],
      summary: "With --dry-run=impact: json.",
    },
    namespaceOption,
    configOption,
  ],
  run: async (ctx, args) => {
    checkDryRun(args);
    const doomed = await readDoomed(ctx, args);
    if (doomed.length === 0) {
      ctx.stdout.write("No resources specified\n");
      return 0;
    }
    if (args.text("dry-run") === "client") {
      const { showClientDeletion } = await import("./delete-dry-run.ts");
      return showClientDeletion(ctx, doomed);
    }
    const rules = { skipsMissing: args.flag("skip-not-exists"), isForced: args.flag("force") };
    return withConnection(ctx, args, async (connection) => {
      if (args.text("dry-run") === "server") {
        const { showServerDeletion } = await import("./delete-dry-run.ts");
        const quick = { ...ctx, sleep: async () => undefined };
        return showServerDeletion(ctx, connection, doomed, (copy) => removeAll(quick, copy, doomed, rules));
      }
      if (args.text("dry-run") !== undefined) {
        const { showImpact } = await import("./change-impact.ts");
        const change = async (copy: Connection): Promise<readonly string[]> =>
          (await removeAll(ctx, copy, doomed, { ...rules, isForced: true })).errors;
        return showImpact(ctx, {
          store: connection.store,
          change,
          isJson: args.text("output") === "json",
        });
      }
      const { errors, doneCount } = await removeAll(ctx, connection, doomed, rules);
      if (doneCount > 0) {
        const single = singleKindOf(doomed);
        const kind = single === undefined ? "" : ` '${single}'`;
        ctx.stdout.write(`Successfully deleted ${doneCount}${kind} resource(s)\n`);
      }
      if (errors.length > 0) throw new CliError(errors.join("\n"));
      return 0;
    });
  },
};

function checkDryRun(args: Arguments): void {
  const mode = args.text("dry-run");
  if (mode !== undefined && !dryRunModes.some((known) => known === mode)) {
    const hint = didYouMean(mode, dryRunModes);
    throw new CliError(`unknown --dry-run: ${mode}${hint || `; it is ${dryRunModes.join(", ")}`}`);
  }
  const output = args.text("output");
  if (output !== undefined && (mode !== "impact" || output !== "json")) {
    throw new CliError("--output takes json, and only with --dry-run=impact");
  }
}

/** What is no failure. */
interface Rules {
  readonly skipsMissing: boolean;
  /** That a pool is in use. */
  readonly isForced: boolean;
}

async function removeAll(
  ctx: CliContext,
  connection: Connection,
  doomed: readonly Doomed[],
  rules: Rules,
): Promise<{ readonly errors: readonly string[]; readonly doneCount: number }> {
  const errors: string[] = [];
  let doneCount = 0;
  for (const each of doomed) {
    try {
      const outcome = await remove(ctx, connection, each, rules);
      const isSkipped = outcome.kind === "failed" && outcome.reason === "missing" && rules.skipsMissing;
      if (outcome.kind === "ok" || isSkipped) doneCount += 1;
      else errors.push(`Failed to delete '${each.kind}' resource: ${outcome.message}`);
    } catch (error) {
      if (!(error instanceof StoreError)) throw error;
      errors.push(
        `Failed to delete '${each.kind}' resource: ${describeStoreError(error, connection.datastoreType)}`,
      );
      // Every further one would only wait for the same.
      if (error.code === "unavailable") break;
    }
  }
  return { errors, doneCount };
}

async function remove(
  ctx: CliContext,
  connection: Connection,
  doomed: Doomed,
  rules: Rules,
): Promise<ResourceOutcome> {
  const { kind, name, namespace } = doomed;
  const refusal = kubernetesPolicyRefusal("delete", doomed);
  if (refusal !== undefined) return { kind: "failed", reason: "refused", message: refusal };
  if (!kinds[kind].operations.includes("delete")) {
    return { kind: "failed", reason: "refused", message: resourceMessage.unsupported("Delete", doomed) };
  }
  switch (kind) {
    case "IPPool":
      return deletePool(ctx, connection, name, rules);
    case "Node":
      return deleteNode(ctx, connection, name);
    default:
      return connection.resources.delete(kind, name, namespace);
  }
}

async function readDoomed(ctx: CliContext, args: Arguments): Promise<readonly Doomed[]> {
  const [word, ...names] = args.positional;
  if (args.text("filename") !== undefined) {
    if (word !== undefined) throw new CliError("give a kind and names or --filename, not both");
    return (await readManifests(ctx, args)).map((resource) => {
      const { kind, metadata } = withNamespace(resource, args.text("namespace"));
      return { kind, name: metadata.name, namespace: metadata.namespace };
    });
  }
  if (word === undefined) throw new CliError("delete needs a kind and a name, or --filename");
  const kind = kindNamed(word);
  // Without a name nothing is meant, rather than everything.
  if (names.length === 0) throw new CliError("resource name may not be empty");
  const namespace = namespaceFor(kind, args.text("namespace"));
  return checkedNames(names).map((name) => ({ kind, name, namespace }));
}
