import type { Command } from "../command.ts";
import { changeCommand } from "./change-command.ts";

export const replace: Command = changeCommand({
  verb: { base: "replace", past: "replaced" },
  goesOn: false,
  operation: "update",
  change: (resources, resource) => resources.update(resource),
});
