import type { Command } from "../command.ts";
import { changeCommand } from "./change-command.ts";

export const apply: Command = changeCommand({
  verb: { base: "apply", past: "applied" },
  goesOn: true,
  operation: "create",
  change: (resources, resource) => resources.apply(resource),
});
