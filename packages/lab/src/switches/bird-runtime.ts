import { writeFileSync } from "node:fs";
import { join } from "node:path";
import type { SwitchNeighbor } from "../topology.ts";
import { runCommand } from "../run-command.ts";
import {
  announcedSubnets,
  findProgram,
  isIpv6,
  routerIdOf,
  sessionName,
  type SwitchPlace,
  type SwitchRuntime,
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
    return place.spec.neighbors.map((neighbor) => {
      const peer = neighbor.address;
      // Name, protocol, table, state, since, info.
      const info = new RegExp(`^${sessionName(neighbor)} +BGP +\\S+ +\\S+ +\\S+ *(.*)$`, "m").exec(
        stdout,
      )?.[1];
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
  const channel = (family: "ipv4" | "ipv6"): string => {
    const own = subnets.filter((subnet) => isIpv6(subnet) === (family === "ipv6"));
    const also = own.length === 0 ? "" : ` || (source = RTS_DEVICE && net ~ [ ${own.join(", ")} ])`;
    return `${family} { import all; export where source = RTS_BGP${also}; };`;
  };
  return `router id ${routerIdOf(place.spec)};
log stderr all;
protocol device { scan time 1; }
protocol direct { ipv4; ipv6; interface "swp*"; }
protocol kernel { ipv4 { import none; export where source = RTS_BGP; }; merge paths; }
protocol kernel { ipv6 { import none; export where source = RTS_BGP; }; merge paths; }
template bgp peer {
  connect delay time 1;
  connect retry time 1;
  error wait time 1, 4;
}
template bgp peer4 from peer { ${channel("ipv4")} }
template bgp peer6 from peer { ${channel("ipv6")} }
${place.spec.neighbors.map((neighbor) => session(place, neighbor)).join("")}`;
}

function session({ spec }: SwitchPlace, neighbor: SwitchNeighbor): string {
  const { address, asNumber, localAddress, isNode } = neighbor;
  // Inside one AS the switch is its nodes' reflector.
  const reflects = isNode && asNumber === spec.asNumber ? " rr client;" : "";
  const template = isIpv6(address) ? "peer6" : "peer4";
  return `protocol bgp ${sessionName(neighbor)} from ${template} { local ${localAddress} as ${spec.asNumber}; neighbor ${address} as ${asNumber};${reflects} }\n`;
}
