import type { LabContext } from "./lab-context.ts";
import { LabError } from "./lab-error.ts";
import { runCommand } from "./run-command.ts";
import type { Topology } from "./topology.ts";

/** Refuses, before anything is made, nodes whose BIRD is not there, or is one that they could not run. */
export async function checkBackends(topology: Topology, ctx: LabContext): Promise<void> {
  for (const { name, backend, environment } of topology.nodes) {
    if (backend !== "bird") continue;
    const env = { ...ctx.env, ...topology.environment, ...environment };
    const programs = [env["CARACAL_BIRD"] ?? "bird", env["CARACAL_BIRD6"] ?? "bird6"];
    for (const program of programs) {
      const found = await versionOf(program, env);
      if (found !== undefined && /(^|v)1\.6\./.test(found)) continue;
      throw new LabError(
        `node ${name} runs BIRD 1.6, but ${program} is ${found === undefined ? "not there" : `BIRD ${found}`}: install Debian's package bird, or name its programs in CARACAL_BIRD and CARACAL_BIRD6`,
      );
    }
  }
}

/** What a BIRD says it is: `1.6.8`, or `v0.3.3+birdv1.6.8` for Calico's own. */
async function versionOf(
  program: string,
  env: Readonly<Record<string, string | undefined>>,
): Promise<string | undefined> {
  try {
    const { stdout, stderr } = await runCommand([program, "--version"], { env });
    return /BIRD version (\S+)/.exec(`${stdout}${stderr}`)?.[1] ?? "of no known version";
  } catch (error) {
    if (error instanceof LabError) return undefined;
    throw error;
  }
}
