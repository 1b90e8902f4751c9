import { findKind, isKindName, kinds } from "@caracal/resources";
import type { Command } from "../command.ts";
import { withConnection } from "../connection/with-connection.ts";
import { configOption, namespaceOption } from "../global-options.ts";

/** A shell waits for no more than this. */
const patienceMs = 2000;

/** Names offered at most. */
const maxNames = 1000;

export const completeNames: Command = {
  name: "__names",
  summary: "Names of a kind's resources, for the shell to offer. Says nothing where they cannot be had.",
  operands: "KIND",
  options: [namespaceOption, configOption],
  run: async (ctx, args) => {
    const name = findKind(args.positional[0] ?? "")?.name;
    if (name === undefined || !isKindName(name)) return 0;
    const namespace = kinds[name].isNamespaced ? (args.text("namespace") ?? "default") : undefined;
    const tolerant = {
      ...args,
      flag: (flag: string) => flag === "allow-version-mismatch" || args.flag(flag),
    };
    const asked = withConnection(ctx, tolerant, async ({ resources }) => {
      const { items } = await resources.list(name, namespace);
      return items.slice(0, maxNames).map(({ metadata }) => `${metadata.name}\n`);
    }).catch(() => []);
    const patience = new AbortController();
    const names = await Promise.race([asked, ctx.sleep(patienceMs, patience.signal).then(() => [])]);
    patience.abort();
    ctx.stdout.write(names.join(""));
    return 0;
  },
};
