import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { eventually } from "./eventually.ts";
import type { Namespace } from "./namespace.ts";
import type { Program } from "./program.ts";
import { run } from "./run.ts";
import type { Testbed } from "./testbed.ts";

/** How to start BIRD 2. */
export interface BirdOptions {
  readonly namespace: Namespace;
  /** The whole `bird.conf`. */
  readonly config: string;
}

/** A running BIRD 2 of Debian's `bird2`. */
export interface BirdDaemon {
  readonly program: Program;
  /** The control socket, for `birdc -s`. */
  readonly socket: string;
  /** One `birdc` command; gives its answer. */
  readonly birdc: (command: string) => Promise<string>;
  /** Replaces the configuration while it runs. */
  readonly configure: (config: string) => Promise<string>;
}

/** Starts BIRD in a namespace; resolves when it answers `birdc`. */
export async function startBird(bed: Testbed, options: BirdOptions): Promise<BirdDaemon> {
  const directory = bed.directory("bird");
  const config = join(directory, "bird.conf");
  const socket = join(directory, "bird.ctl");
  writeFileSync(config, options.config);
  const program = await options.namespace.start(["bird", "-f", "-c", config, "-s", socket], { env: SBIN });
  const birdc = async (command: string): Promise<string> =>
    (await run(["birdc", "-s", socket, ...command.split(" ")], { env: SBIN })).stdout;
  const daemon: BirdDaemon = {
    program,
    socket,
    birdc,
    configure: (text) => {
      writeFileSync(config, text);
      return birdc("configure");
    },
  };
  await eventually(
    async () => {
      if (!program.isRunning) return true;
      return (await birdc("show status")).includes("Daemon is up");
    },
    { what: "an answer of bird" },
  );
  if (!program.isRunning) throw new Error(`bird ended at once:\n${program.output}`);
  return daemon;
}

/** Debian keeps routing daemons out of a plain user's PATH. */
export const SBIN: Readonly<Record<string, string>> = {
  PATH: `${process.env["PATH"] ?? ""}:/usr/sbin:/sbin:/usr/lib/frr`,
};
