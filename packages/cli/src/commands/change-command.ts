import { type ResourceClient, type ResourceOutcome, resourceMessage } from "@caracal/datastore";
import { kinds, type Operation, type Resource } from "@caracal/resources";
import { CliError } from "../cli-error.ts";
import type { Arguments, Command, Option } from "../command.ts";
import { withConnection } from "../connection/with-connection.ts";
import { configOption, fileOptions, namespaceOption } from "../global-options.ts";
import { reportChanges, singleKindOf, type Verb } from "../resources/change-report.ts";
import { ensureClusterInformation } from "../resources/ensure-cluster-information.ts";
import { withNamespace } from "../resources/namespaces.ts";
import { readManifests } from "../resources/read-manifests.ts";

/** What makes one of create, apply and replace. */
export interface ChangeParts {
  readonly verb: Verb;
  readonly summary: string;
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
  const { verb, summary, options = [], goesOn, operation, change } = parts;
  return {
    name: verb.base,
    summary,
    operands: "-f FILE",
    options: [...fileOptions, ...options, ...impactOptions, namespaceOption, configOption],
    run: async (ctx, args) => {
      if (args.text("filename") === undefined) throw new CliError(`${verb.base} needs --filename`);
      checkDryRun(args);
      if (args.positional.length > 0) {
        throw new CliError(`${verb.base} takes no operands: give files with --filename`);
      }
      const wanted = (await readManifests(ctx, args)).map((resource) =>
        withNamespace(resource, args.text("namespace")),
      );
      const isDryRun = args.text("dry-run") !== undefined;
      const singleKind = singleKindOf(wanted);
      if (wanted.length === 0) {
        reportChanges(ctx, verb, { total: 0, doneCount: 0, errors: [], singleKind });
        return 0;
      }
      return withConnection(ctx, args, async ({ resources, store }) => {
        if (isDryRun) {
          const { showImpact } = await import("./change-impact.ts");
          const isJson = args.text("output") === "json";
          const dryChange = (copy: ResourceClient, resource: Resource): Promise<ResourceOutcome> =>
            change(copy, resource, args);
          return showImpact(ctx, { store, wanted, change: dryChange, isJson });
        }
        const errors: string[] = [];
        let doneCount = 0;
        for (const resource of wanted) {
          const error =
            unsupported(operation, resource) ?? (await errorOf(change(resources, resource, args)));
          if (error === undefined) doneCount += 1;
          else errors.push(error);
          if (errors.length > 0 && !goesOn) break;
        }
        if (doneCount > 0) await ensureClusterInformation(resources);
        reportChanges(ctx, verb, { total: wanted.length, doneCount, errors, singleKind });
        return 0;
      });
    },
  };
}

const impactOptions: readonly Option[] = [
  {
    name: "dry-run",
    value: "impact",
    choices: ["impact"],
    summary:
      "Change nothing: show which sessions, routes and pod pairs would come, go or move. Exit code 2 if something would be lost.",
  },
  { name: "output", short: "o", value: "FORMAT", choices: ["json"], summary: "With --dry-run=impact: json." },
];

function checkDryRun(args: Arguments): void {
  const mode = args.text("dry-run");
  if (mode !== undefined && mode !== "impact") {
    throw new CliError(`unknown --dry-run: ${mode}; it is impact`);
  }
  const output = args.text("output");
  if (output !== undefined && (mode === undefined || output !== "json")) {
    throw new CliError("--output takes json, and only with --dry-run=impact");
  }
}

/** Calico's words where people may not change resources of this kind. */
function unsupported(operation: Operation, { kind, metadata }: Resource): string | undefined {
  if (kinds[kind].operations.includes(operation)) return undefined;
  const { name, namespace } = metadata;
  return resourceMessage.unsupported(operation === "create" ? "Create" : "Update", { kind, name, namespace });
}

async function errorOf(change: Promise<ResourceOutcome>): Promise<string | undefined> {
  const outcome = await change;
  return outcome.kind === "ok" ? undefined : outcome.message;
}
