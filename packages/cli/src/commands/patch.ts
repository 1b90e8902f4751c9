import { messageOf } from "@caracal/net";
import { describeProblems, isRecord, kinds, type Resource } from "@caracal/resources";
import { CliError } from "../cli-error.ts";
import type { Command } from "../command.ts";
import { withConnection } from "../connection/with-connection.ts";
import { didYouMean } from "../did-you-mean.ts";
import { configOption, namespaceOption } from "../global-options.ts";
import { jsonPatch } from "../patching/json-patch.ts";
import { mergePatch } from "../patching/merge-patch.ts";
import { strategicPatch } from "../patching/strategic-patch.ts";
import { editResource } from "../resources/edit-resource.ts";
import { kindNamed } from "../resources/find-kind.ts";
import { checkedNames, namespaceFor } from "../resources/namespaces.ts";

const patchTypes = ["strategic", "json", "merge"] as const;

const patchers = { strategic: strategicPatch, json: jsonPatch, merge: mergePatch } as const;

export const patch: Command = {
  name: "patch",
  operands: "KIND NAME -p PATCH",
  description:
    "A strategic patch is a merge patch with Kubernetes' directives ($patch, $retainKeys, …). Lists are replaced whole, but for finalizers and ownerReferences.",
  options: [
    { name: "patch", short: "p", value: "PATCH", summary: "The patch, as JSON or YAML." },
    {
      name: "type",
      short: "t",
      value: "TYPE",
      choices: patchTypes,
      summary: "Kind of patch. (default strategic)",
    },
    namespaceOption,
    configOption,
  ],
  run: async (ctx, args) => {
    const [word, name, ...stray] = args.positional;
    if (word === undefined || name === undefined || stray.length > 0) {
      throw new CliError("patch needs a kind and one name");
    }
    checkedNames([name]);
    const kind = kindNamed(word);
    const namespace = namespaceFor(kind, args.text("namespace"));
    const given = args.text("type") ?? "strategic";
    const type = patchTypes.find((known) => known === given);
    if (type === undefined) {
      const hint = didYouMean(given, patchTypes) || `; it is one of ${patchTypes.join(", ")}`;
      throw new CliError(`unknown patch type '${given}'${hint}`);
    }
    const change = await parsePatch(args.text("patch"));
    if (type !== "json" && !isRecord(change)) {
      throw new CliError(`a ${type} patch is a mapping of fields, such as {"spec": {"disabled": true}}`);
    }
    return withConnection(ctx, args, async ({ resources }) => {
      const fail = (why: string): never => {
        throw new CliError(`failed to patch '${kind}' resource: [${why}]`);
      };
      const outcome = await editResource(resources, { kind, name, namespace }, (resource) => {
        return readPatched(resource, patchers[type](resource, change), fail);
      });
      if (outcome.kind === "failed") return fail(outcome.message);
      ctx.stdout.write(`Successfully patched 1 '${kind}' resource\n`);
      return 0;
    });
  },
};

async function parsePatch(text: string | undefined): Promise<unknown> {
  if (text === undefined) throw new CliError("patch needs --patch");
  const { parse } = await import("yaml");
  try {
    return parse(text, { logLevel: "error" });
  } catch (error) {
    const [reason = ""] = messageOf(error).split("\n", 1);
    throw new CliError(`the patch is neither JSON nor YAML: ${reason.replace(/:$/, "")}`);
  }
}

/** Checks the result as a user's own document: the same resource, well formed, no stray fields. */
function readPatched(before: Resource, patched: unknown, fail: (why: string) => never): Resource {
  const reading = kinds[before.kind].parse(patched, "user");
  if (reading.kind === "bad") return fail(describeProblems(reading.problems));
  const { metadata } = reading.value;
  if (metadata.name !== before.metadata.name || metadata.namespace !== before.metadata.namespace) {
    return fail("a patch cannot change the name or the namespace");
  }
  return reading.value;
}
