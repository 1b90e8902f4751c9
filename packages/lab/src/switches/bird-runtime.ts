import { writeFileSync } from "node:fs";
import { join } from "node:path";
import type { SwitchNeighbor } from "../topology.ts";
import { runCommand } from "../run-command.ts";
import {
  announcedSubnets,
  findProgram,
  routerIdOf,
  type SwitchPlace,
  type SwitchRuntime,
  symbolOf,
  writeCommand,
} from "./switch-runtime.ts";

const PACKAGE = "bird2";

/** BIRD 2. */
export const birdRuntime: SwitchRuntime = {
  title: "BIRD",
  programNames: ["bird"],
  requirements: (place) => {
    for (const name of ["bird", "birdc"]) findProgram(place, name, PACKAGE);
  },
  prepare: (place) => {
    const file = join(place.runDirectory, "bird.conf");
    writeFileSync(file, configuration(place));
    writeCommand(place, "birdc", birdcCommand(place));
    const argv = [findProgram(place, "bird", PACKAGE), "-f", "-c", file, "-s", socketOf(place)];
    const answers = async (): Promise<boolean> => {
      const { stdout } = await runCommand([...birdcCommand(place), "show", "status"], place.ctx);
      return stdout.includes("Daemon is up");
    };
    return [{ name: "bird", argv, answers }];
  },
  environment: () => ({}),
  sessions: async (place) => {
    const { exitCode, stdout } = await runCommand([...birdcCommand(place), "show", "protocols"], place.ctx);
    if (exitCode !== 0) return undefined;
    return place.spec.neighbors.map(({ name, address: peer }) => {
      // Name, protocol, table, state, since, info.
      const info = new RegExp(`^${symbolOf(name)} +BGP +\\S+ +\\S+ +\\S+ *(.*)$`, "m").exec(stdout)?.[1];
      return { peer, state: info?.trim() ?? "unknown" };
    });
  },
};

function socketOf({ runDirectory }: SwitchPlace): string {
  return join(runDirectory, "bird.ctl");
}

function birdcCommand(place: SwitchPlace): readonly string[] {
  return [findProgram(place, "birdc", PACKAGE), "-s", socketOf(place)];
}

function configuration(place: SwitchPlace): string {
  const subnets = announcedSubnets(place);
  const own = subnets.length === 0 ? "" : ` || (source = RTS_DEVICE && net ~ [ ${subnets.join(", ")} ])`;
  return `router id ${routerIdOf(place.spec)};
log stderr all;
protocol device { scan time 1; }
protocol direct { ipv4; interface "swp*"; }
protocol kernel { ipv4 { import none; export where source = RTS_BGP; }; merge paths; }
template bgp peer {
  connect delay time 1;
  connect retry time 1;
  error wait time 1, 4;
  ipv4 { import all; export where source = RTS_BGP${own}; };
}
${place.spec.neighbors.map((neighbor) => session(place, neighbor)).join("")}`;
}

function session({ spec }: SwitchPlace, neighbor: SwitchNeighbor): string {
  const { name, address, asNumber, localAddress, isNode } = neighbor;
  // Inside one AS the switch is its nodes' reflector.
  const reflects = isNode && asNumber === spec.asNumber ? " rr client;" : "";
  return `protocol bgp ${symbolOf(name)} from peer { local ${localAddress} as ${spec.asNumber}; neighbor ${address} as ${asNumber};${reflects} }\n`;
}
