import type { Command } from "../command.ts";
import { changeCommand } from "./change-command.ts";

export const replace: Command = changeCommand({
  verb: { base: "replace", past: "replaced" },
  summary: "Update resources that exist from files.",
  goesOn: false,
  operation: "update",
  change: (resources, resource) => resources.update(resource),
});
