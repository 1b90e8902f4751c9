import { existsSync, writeFileSync } from "node:fs";
import { homedir } from "node:os";
import { join } from "node:path";
import { eventually } from "./eventually.ts";
import type { Namespace } from "./namespace.ts";
import type { Program } from "./program.ts";
import { run } from "./run.ts";
import type { Testbed } from "./testbed.ts";

/** Debian's `bird2`; or its `bird`, which has a daemon for each family. */
export type BirdEdition = "2" | "1.6" | "1.6 for IPv6";

/** How to start BIRD. */
export interface BirdOptions {
  readonly namespace: Namespace;
  /** The whole `bird.conf`. */
  readonly config: string;
  /** BIRD 2 unless told. */
  readonly edition?: BirdEdition;
  /** Begins as after a graceful restart: BIRD's `-R`. */
  readonly isRestarting?: boolean;
}

/** A running BIRD. */
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
  const { daemon: bird, client } = birdPrograms(options.edition ?? "2");
  const directory = bed.directory("bird");
  const config = join(directory, "bird.conf");
  const socket = join(directory, "bird.ctl");
  writeFileSync(config, options.config);
  const recovery = options.isRestarting === true ? ["-R"] : [];
  const program = await options.namespace.start([bird, "-f", ...recovery, "-c", config, "-s", socket], {
    env: SBIN,
  });
  const birdc = async (command: string): Promise<string> =>
    (await run([client, "-s", socket, ...command.split(" ")], { env: SBIN })).stdout;
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

/** `false` when both daemons of BIRD 1.6 are there, otherwise the reason to skip. */
export function requireBird1(): string | false {
  const daemons = (["1.6", "1.6 for IPv6"] as const).map((edition) => birdPrograms(edition).daemon);
  return daemons.every((daemon) => existsSync(daemon)) ? false : "not installed: bird 1.6";
}

/** The programs of an edition; 1.6 stands where `scripts/setup.sh` unpacks it. */
export function birdPrograms(edition: BirdEdition): { readonly daemon: string; readonly client: string } {
  if (edition === "2") return { daemon: "bird", client: "birdc" };
  const cache = process.env["XDG_CACHE_HOME"] ?? join(homedir(), ".cache");
  const directory = join(cache, "caracal", "bird-1.6", "usr", "sbin");
  const suffix = edition === "1.6" ? "" : "6";
  return { daemon: join(directory, `bird${suffix}`), client: join(directory, `birdc${suffix}`) };
}

/** Debian keeps routing daemons out of a plain user's PATH. */
export const SBIN: Readonly<Record<string, string>> = {
  PATH: `${process.env["PATH"] ?? ""}:/usr/sbin:/sbin`,
};
