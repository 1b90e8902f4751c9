import { type ResourceClient, type ResourceOutcome, resourceMessage, StoreError } from "@caracal/datastore";
import { kinds, type Operation, type Resource } from "@caracal/resources";
import { CliError } from "../cli-error.ts";
import type { Arguments, Command, Option } from "../command.ts";
import { describeStoreError, withConnection } from "../connection/with-connection.ts";
import { didYouMean } from "../did-you-mean.ts";
import { configOption, fileOptions, namespaceOption } from "../global-options.ts";
import { reportChanges, singleKindOf, type Verb } from "../resources/change-report.ts";
import { ensureClusterInformation } from "../resources/ensure-cluster-information.ts";
import { kubernetesPolicyRefusal } from "../resources/kubernetes-policies.ts";
import { withNamespace } from "../resources/namespaces.ts";
import { readManifests } from "../resources/read-manifests.ts";
import { showClientRun, showServerRun } from "./dry-run.ts";

/** What makes one of create, apply and replace. */
export interface ChangeParts {
  readonly verb: Verb;
  readonly options?: readonly Option[];
  /** Whether the resources after one that failed are still tried. */
  readonly goesOn: boolean;
  /** What a kind must allow for it. */
  readonly operation: Operation;
  readonly change: (
    resources: ResourceClient,
    resource: Resource,
    args: Arguments,
  ) => Promise<ResourceOutcome>;
}

/** The command that changes each resource of its files in their order. */
export function changeCommand(parts: ChangeParts): Command {
  const { verb, options = [], goesOn, operation, change } = parts;
  return {
    name: verb.base,
    operands: "-f FILE",
    options: [...fileOptions, ...options, ...dryRunOptions, namespaceOption, configOption],
    run: async (ctx, args) => {
      if (args.text("filename") === undefined) throw new CliError(`${verb.base} needs --filename`);
      checkDryRun(args);
      if (args.positional.length > 0) {
        throw new CliError(`${verb.base} takes no operands: give files with --filename`);
      }
      const wanted = (await readManifests(ctx, args)).map((resource) =>
        withNamespace(resource, args.text("namespace")),
      );
      const dryRun = args.text("dry-run");
      const singleKind = singleKindOf(wanted);
      if (wanted.length === 0) {
        reportChanges(ctx, verb, { total: 0, doneCount: 0, errors: [], singleKind });
        return 0;
      }
      const isAllowed = (resource: Resource): string | undefined => unsupported(operation, resource);
      if (dryRun === "client") return showClientRun(ctx, args, { verb, wanted, isAllowed });
      return withConnection(ctx, args, async ({ resources, store, datastoreType }) => {
        const dryChange = (copy: ResourceClient, resource: Resource): Promise<ResourceOutcome> =>
          change(copy, resource, args);
        if (dryRun === "server") {
          return showServerRun(ctx, args, { verb, wanted, isAllowed, store, change: dryChange, goesOn });
        }
        if (dryRun === "impact") {
          const { changesOf, showImpact } = await import("./change-impact.ts");
          const makeChanges = changesOf({ store, wanted, isAllowed, change: dryChange });
          return showImpact(ctx, { store, change: makeChanges, isJson: args.text("output") === "json" });
        }
        const errors: string[] = [];
        let doneCount = 0;
        let isStoreGone = false;
        for (const resource of wanted) {
          const error = isAllowed(resource) ?? (await errorOf(change(resources, resource, args)));
          if (error === undefined) doneCount += 1;
          else errors.push(typeof error === "string" ? error : describeStoreError(error, datastoreType));
          // Every further one would only wait for the same.
          isStoreGone = error instanceof StoreError && error.code === "unavailable";
          if (isStoreGone || (errors.length > 0 && !goesOn)) break;
        }
        if (doneCount > 0 && !isStoreGone) await ensureClusterInformation(resources);
        reportChanges(ctx, verb, { total: wanted.length, doneCount, errors, singleKind });
        return 0;
      });
    },
  };
}

const dryRunModes = ["client", "server", "impact"] as const;

const dryRunOptions: readonly Option[] = [
  {
    name: "dry-run",
    value: "MODE",
    choices: dryRunModes,
    summary:
      "Change nothing. client: check the files and show what would be sent; server: make the change in a copy of the datastore and show what differs; impact: show which sessions, routes and pod pairs would come, go or move, with exit code 2 if something would be lost.",
  },
  {
    name: "output",
    short: "o",
    value: "FORMAT",
    choices: ["json", "yaml"],
    summary: "With --dry-run: the resources as they would be; of the impact json.",
  },
];

function checkDryRun(args: Arguments): void {
  const mode = args.text("dry-run");
  if (mode !== undefined && !dryRunModes.some((known) => known === mode)) {
    const hint = didYouMean(mode, dryRunModes);
    throw new CliError(`unknown --dry-run: ${mode}${hint || `; it is ${dryRunModes.join(", ")}`}`);
  }
  const output = args.text("output");
  if (output === undefined) return;
  if (mode === undefined) throw new CliError("--output needs --dry-run");
  const formats = mode === "impact" ? ["json"] : ["json", "yaml"];
  if (!formats.includes(output)) {
    throw new CliError(
      `unrecognized output format '${output}'; with --dry-run=${mode} it is ${formats.join(" or ")}`,
    );
  }
}

/** Calico's words where people may not change resources of this kind. */
function unsupported(operation: Operation, { kind, metadata }: Resource): string | undefined {
  const { name, namespace } = metadata;
  if (kinds[kind].operations.includes(operation)) {
    return kubernetesPolicyRefusal(operation, { kind, name, namespace });
  }
  return resourceMessage.unsupported(operation === "create" ? "Create" : "Update", { kind, name, namespace });
}

/** What failed, in Calico's words or as the store told it. */
async function errorOf(change: Promise<ResourceOutcome>): Promise<string | StoreError | undefined> {
  try {
    const outcome = await change;
    return outcome.kind === "ok" ? undefined : outcome.message;
  } catch (error) {
    if (error instanceof StoreError) return error;
    throw error;
  }
}
