import type { Command } from "../command.ts";
import { CliError } from "../cli-error.ts";

/** The groups by the names that Calico has for them. */
const groups = {
  "crd.projectcalico.org/v1": "crd.projectcalico.org",
  "projectcalico.org/v3": "projectcalico.org",
} as const;

type GroupName = keyof typeof groups;

export const crds: Command = {
  name: "crds",
  description:
    "Caracal runs beside Calico's own definitions too; then only entries.caracal.projectcalico.org is missing, which --own prints.",
  options: [
    {
      name: "group",
      value: "GROUP",
      choices: Object.keys(groups),
      summary: "Calico's API group. (default crd.projectcalico.org/v1)",
    },
    { name: "own", summary: "Only what Calico does not have itself." },
  ],
  run: async (ctx, args) => {
    const name = args.text("group") ?? "crd.projectcalico.org/v1";
    if (!isGroupName(name)) throw new CliError(`unknown API group: ${name}`);
    const { crdDocuments, ownCrdDocument } = await import("@caracal/store-kubernetes");
    const { stringify } = await import("yaml");
    const documents = args.flag("own") ? [ownCrdDocument] : crdDocuments(groups[name]);
    ctx.stdout.write(
      documents.map((document) => stringify(document, { aliasDuplicateObjects: false })).join("---\n"),
    );
    return 0;
  },
};

function isGroupName(name: string): name is GroupName {
  return Object.hasOwn(groups, name);
}
