import { join } from "node:path";
import type { Command } from "../command.ts";
import { outcomeLine, whenFree } from "./cni-install.ts";

export const cniUninstall: Command = {
  name: "cni uninstall",
  description:
    "Files that someone changed since the installation are left as they are, named, and the exit code is 1.",
  options: [{ name: "force", summary: "Also files that were changed since." }],
  run: async (ctx, args) => {
    const { uninstallPlugins } = await import("@caracal/cni");
    const stateDirectory = join(ctx.env["CARACAL_LIB_DIR"] || "/var/lib/calico", "cni-install");
    const uninstall = () => uninstallPlugins(stateDirectory, args.flag("force"));
    const outcomes = await whenFree(ctx, "uninstalled", uninstall);
    for (const path of outcomes) ctx.stdout.write(outcomeLine(path));
    if (outcomes.length === 0) ctx.stdout.write(`Nothing was installed that ${stateDirectory} knows of\n`);
    return outcomes.some(({ kind }) => kind === "left") ? 1 : 0;
  },
};
