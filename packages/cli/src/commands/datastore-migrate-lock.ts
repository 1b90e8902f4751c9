import { CliError } from "../cli-error.ts";
import type { Command } from "../command.ts";
import { withConnection } from "../connection/with-connection.ts";
import { configOption } from "../global-options.ts";
import { setLocked } from "../resources/cluster-lock.ts";
import { ensureClusterInformation } from "../resources/ensure-cluster-information.ts";

export const datastoreMigrateLock: Command = lockCommand({
  name: "datastore migrate lock",
  isToLock: true,
});

export const datastoreMigrateUnlock: Command = lockCommand({
  name: "datastore migrate unlock",
  isToLock: false,
});

interface LockParts {
  readonly name: string;
  readonly isToLock: boolean;
}

function lockCommand({ name, isToLock }: LockParts): Command {
  return {
    name,
    description:
      "Resources can be changed all the same; the cluster's networking stays as it is while locked.",
    options: [configOption],
    run: async (ctx, args) =>
      withConnection(ctx, args, async ({ resources }) => {
        await ensureClusterInformation(resources);
        const outcome = await setLocked(resources, isToLock);
        if (outcome.kind === "failed") {
          const what = isToLock ? "locking" : "unlocking";
          throw new CliError(`Error updating ClusterInformation for ${what}: ${outcome.message}`);
        }
        ctx.stdout.write(isToLock ? "Datastore locked.\n" : "Datastore unlocked.\n");
        return 0;
      }),
  };
}
