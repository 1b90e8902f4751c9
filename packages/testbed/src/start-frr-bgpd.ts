import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { eventually } from "./eventually.ts";
import type { Namespace } from "./namespace.ts";
import type { Program } from "./program.ts";
import { run } from "./run.ts";
import { SBIN } from "./start-bird.ts";
import type { Testbed } from "./testbed.ts";

/** Where Debian puts it; OpenBGPD's daemon has the same name. */
export const frrBgpd = "/usr/lib/frr/bgpd";

/** How to start FRR's bgpd. */
export interface FrrBgpdOptions {
  readonly namespace: Namespace;
  /** The whole `bgpd.conf`. */
  readonly config: string;
}

/** A running bgpd of Debian's `frr`, without zebra: it speaks BGP and installs nothing. */
export interface FrrBgpdDaemon {
  readonly program: Program;
  /** Commands as in `vtysh -c`, one after the other; gives the answers. */
  readonly vtysh: (...commands: readonly string[]) => Promise<string>;
}

/** Starts bgpd in a namespace; resolves when it answers `vtysh`. */
export async function startFrrBgpd(bed: Testbed, options: FrrBgpdOptions): Promise<FrrBgpdDaemon> {
  const directory = bed.directory("frr");
  const config = join(directory, "bgpd.conf");
  writeFileSync(config, options.config);
  const paths = [
    "--config_file",
    config,
    "--pid_file",
    join(directory, "bgpd.pid"),
    "--vty_socket",
    directory,
  ];
  const rights = ["--user", "root", "--group", "root", "--skip_runas"];
  // Port 0 for the telnet console: only the Unix socket is wanted. The log goes to where the test can show it.
  const rest = ["--no_zebra", "--vty_port", "0", "--log", "stdout", "--log-level", "informational"];
  const program = await options.namespace.start([frrBgpd, ...paths, ...rights, ...rest], { env: SBIN });
  const vtysh = async (...commands: readonly string[]): Promise<string> => {
    const each = commands.flatMap((command) => ["-c", command]);
    return (await run(["vtysh", "--vty_socket", directory, "-d", "bgpd", ...each], { env: SBIN })).stdout;
  };
  await eventually(
    async () => {
      if (!program.isRunning) return true;
      return (await vtysh("show version")).includes("FRRouting");
    },
    { what: "an answer of bgpd" },
  );
  if (!program.isRunning) throw new Error(`bgpd ended at once:\n${program.output}`);
  return { program, vtysh };
}
