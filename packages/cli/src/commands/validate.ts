import { CliError } from "../cli-error.ts";
import type { Command } from "../command.ts";
import { fileOptions, namespaceOption } from "../global-options.ts";
import { singleKindOf } from "../resources/change-report.ts";
import { withNamespace } from "../resources/namespaces.ts";
import { checkManifests } from "../resources/read-manifests.ts";

export const validate: Command = {
  name: "validate",
  operands: "-f FILE",
  description:
    "Tells of every document that is wrong, with its line. What takes more than one resource, such as pools that overlap, only shows when they are applied.",
  options: [...fileOptions, namespaceOption],
  run: async (ctx, args) => {
    if (args.text("filename") === undefined) throw new CliError("validate needs --filename");
    if (args.positional.length > 0) {
      throw new CliError("validate takes no operands: give files with --filename");
    }
    const { resources, errors } = await checkManifests(ctx, args);
    const problems = [...errors];
    for (const resource of resources) {
      try {
        withNamespace(resource, args.text("namespace"));
      } catch (error) {
        if (!(error instanceof CliError)) throw error;
        problems.push(error.message);
      }
    }
    const total = resources.length + errors.length;
    if (problems.length > 0) {
      const count = total === 1 ? "" : `${problems.length} of ${total} resources are wrong:\n`;
      throw new CliError(`${count}${problems.join("\n")}`);
    }
    if (total === 0) {
      ctx.stdout.write("No resources specified\n");
      return 0;
    }
    const single = singleKindOf(resources);
    const kind = single === undefined ? "" : ` '${single}'`;
    ctx.stdout.write(`Successfully validated ${total}${kind} resource(s)\n`);
    return 0;
  },
};
