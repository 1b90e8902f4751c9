import type { LabContext } from "./lab-context.ts";
import type { LabDirectory } from "./lab-directory.ts";
import { LabError } from "./lab-error.ts";
import { storeEnvironment } from "./lab-store.ts";
import { LAB_VARIABLE } from "./process-identity.ts";
import { runCommand } from "./run-command.ts";

/** Runs Caracal's command line against the lab's store; what it refuses is a `LabError`. */
export async function runOnStore(
  lab: LabDirectory,
  words: readonly string[],
  ctx: LabContext,
  input: string = "",
): Promise<void> {
  const env = { ...ctx.env, ...storeEnvironment(lab), [LAB_VARIABLE]: lab.path };
  const { exitCode, stderr } = await runCommand([...ctx.program, ...words], { env, input });
  if (exitCode !== 0) throw new LabError(`${words.join(" ")}: ${stderr.trim()}`);
}
