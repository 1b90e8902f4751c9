import type { Command } from "../command.ts";
import { changeCommand } from "./change-command.ts";

export const create: Command = changeCommand({
  verb: { base: "create", past: "created" },
  options: [{ name: "skip-exists", summary: "Leave resources that exist as they are." }],
  goesOn: true,
  operation: "create",
  change: async (resources, resource, args) => {
    const outcome = await resources.create(resource);
    const isSkipped = outcome.kind === "failed" && outcome.reason === "exists" && args.flag("skip-exists");
    return isSkipped ? { kind: "ok", resource } : outcome;
  },
});
