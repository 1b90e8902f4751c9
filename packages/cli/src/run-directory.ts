import { join } from "node:path";

/** Where the node daemon keeps its sockets: `CARACAL_RUN_DIR`, else Calico's place. */
export function runDirectory(env: Readonly<Record<string, string | undefined>>): string {
  const directory = env.CARACAL_RUN_DIR;
  return directory === undefined || directory === "" ? "/var/run/calico" : directory;
}

/** The control socket of one family's BGP view. */
export function birdSocketPath(env: Readonly<Record<string, string | undefined>>, family: 4 | 6): string {
  return join(runDirectory(env), family === 4 ? "bird.ctl" : "bird6.ctl");
}
