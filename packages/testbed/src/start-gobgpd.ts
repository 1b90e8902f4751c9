import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { eventually } from "./eventually.ts";
import type { Namespace } from "./namespace.ts";
import type { Program } from "./program.ts";
import type { CommandResult } from "./run.ts";
import type { Testbed } from "./testbed.ts";

/** How to start GoBGP. */
export interface GobgpOptions {
  readonly namespace: Namespace;
  /** The whole configuration, as TOML. */
  readonly config: string;
  /** Begins as after a graceful restart: `gobgpd -r`. */
  readonly isRestarting?: boolean;
}

/** A running GoBGP of Debian's `gobgpd`. */
export interface GobgpDaemon {
  readonly program: Program;
  /** `gobgp ARGUMENTS…`, the daemon's client. */
  readonly gobgp: (...args: readonly string[]) => Promise<CommandResult>;
}

/** Starts GoBGP in a namespace; resolves when its client gets an answer. */
export async function startGobgpd(bed: Testbed, options: GobgpOptions): Promise<GobgpDaemon> {
  const { namespace } = options;
  const config = join(bed.directory("gobgp"), "gobgpd.toml");
  writeFileSync(config, options.config);
  // The API listens on the namespace's own loopback, so its fixed port is free.
  const recovery = options.isRestarting === true ? ["-r"] : [];
  const program = await namespace.start(["gobgpd", "-f", config, "--api-hosts=127.0.0.1:50051", ...recovery]);
  const gobgp = (...args: readonly string[]): Promise<CommandResult> => namespace.run(["gobgp", ...args]);
  await eventually(
    async () => {
      if (!program.isRunning) return true;
      return (await gobgp("global")).stdout.includes("AS:");
    },
    { what: "an answer of gobgpd" },
  );
  if (!program.isRunning) throw new Error(`gobgpd ended at once:\n${program.output}`);
  return { program, gobgp };
}
