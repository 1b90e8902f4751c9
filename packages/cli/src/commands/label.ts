import { checkLabels, describeProblems, type Resource } from "@caracal/resources";
import { CliError } from "../cli-error.ts";
import type { Command } from "../command.ts";
import { withConnection } from "../connection/with-connection.ts";
import { configOption, namespaceOption } from "../global-options.ts";
import { editResource } from "../resources/edit-resource.ts";
import { kindNamed } from "../resources/find-kind.ts";
import { checkedNames, namespaceFor } from "../resources/namespaces.ts";

export const label: Command = {
  name: "label",
  operands: "KIND NAME (KEY=VALUE | KEY --remove)",
  options: [
    { name: "overwrite", summary: "Replace a value that is set." },
    { name: "remove", summary: "Remove the label." },
    namespaceOption,
    configOption,
  ],
  run: async (ctx, args) => {
    const [word, name, text, ...stray] = args.positional;
    if (word === undefined || name === undefined || text === undefined || stray.length > 0) {
      throw new CliError("label needs a kind, a name and one label");
    }
    checkedNames([name]);
    const kind = kindNamed(word);
    const namespace = namespaceFor(kind, args.text("namespace"));
    const change = parseLabel(text, args.flag("remove"));
    return withConnection(ctx, args, async ({ resources }) => {
      let before: string | undefined;
      const outcome = await editResource(resources, { kind, name, namespace }, (resource) => {
        before = resource.metadata.labels?.[change.key];
        refuse(change, before, `${kind} ${name}`, args.flag("overwrite"));
        return relabelled(resource, change);
      });
      if (outcome.kind === "failed") {
        throw new CliError(`failed to update ${kind} ${name}, label not changed: ${outcome.message}`);
      }
      ctx.stdout.write(`${describeChange(change, before)} ${kind} ${name}\n`);
      return 0;
    });
  },
};

interface LabelChange {
  readonly key: string;
  /** `undefined` removes. */
  readonly value: string | undefined;
}

function parseLabel(text: string, isRemoval: boolean): LabelChange {
  const parts = text.split("=");
  const [key = "", value] = parts;
  if (key === "" || parts.length !== (isRemoval ? 1 : 2)) throw new CliError(`invalid label ${text}`);
  // What an apply of the same resource would refuse. A bad label from elsewhere may still be removed.
  const problems = value === undefined ? [] : checkLabels({ [key]: value });
  if (problems.length > 0) throw new CliError(describeProblems(problems));
  return { key, value };
}

function refuse(
  { key, value }: LabelChange,
  before: string | undefined,
  shown: string,
  mayOverwrite: boolean,
): void {
  if (value === undefined && before === undefined) {
    throw new CliError(`cannot remove label of ${shown}, key ${key} does not exist`);
  }
  if (value !== undefined && before !== undefined && !mayOverwrite) {
    throw new CliError(
      `failed to update label of ${shown}, key ${key} is already present. please use '--overwrite' to set a new value`,
    );
  }
}

function relabelled(resource: Resource, { key, value }: LabelChange): Resource {
  const { [key]: _removed, ...labels } = resource.metadata.labels ?? {};
  return {
    ...resource,
    metadata: { ...resource.metadata, labels: value === undefined ? labels : { ...labels, [key]: value } },
  };
}

function describeChange({ key, value }: LabelChange, before: string | undefined): string {
  if (value === undefined) return `Successfully removed label ${key} from`;
  return `Successfully ${before === undefined ? "set" : "updated"} label ${key} on`;
}
