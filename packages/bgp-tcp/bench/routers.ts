import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { type Testbed, requireTool } from "@caracal/testbed";
import { type PeerFile, type SpeakerFile } from "../test/speaker-process.ts";

/** A session that the router under test, 127.0.0.2 in AS 65002, waits for. */
export interface BenchPeer {
  readonly name: string;
  readonly address: string;
  readonly asn: number;
}

export const routerAddress = "127.0.0.2";
export const routerAsn = 65_002;

/** A router under test: all of them wait for the same peers and reflect to those in their own AS. */
export interface BenchRouter {
  readonly name: string;
  /** Why it cannot run here. */
  readonly missing: string | false;
  /** Starts it on one core and says its process ID. */
  start(bed: Testbed, port: number, peers: readonly BenchPeer[]): Promise<number>;
}

/** One core for the router, so that threads beside the main one count as time too. */
const onOneCore: readonly string[] = requireTool("taskset") === false ? ["taskset", "-c", "1"] : [];

export const bird: BenchRouter = {
  name: "bird",
  missing: requireTool("bird"),
  start: async (bed, port, peers) => {
    const directory = bed.directory("bird");
    const config = join(directory, "bird.conf");
    const session = ({ name, address, asn }: BenchPeer): string => `
protocol bgp ${name} {
  local ${routerAddress} port ${port} as ${routerAsn}; neighbor ${address} as ${asn}; multihop; passive on;
  ${asn === routerAsn ? "rr client;" : ""}
  ipv4 { import all; export all; gateway recursive; };
}`;
    const head = `router id ${routerAddress};
protocol device { }
protocol static { ipv4; route 10.9.9.0/24 blackhole; }`;
    writeFileSync(config, `${head}${peers.map(session).join("")}\n`);
    const command = ["/usr/sbin/bird", "-f", "-c", config, "-s", join(directory, "ctl")];
    return (await bed.start([...onOneCore, ...command])).pid;
  },
};

export const caracal: BenchRouter = {
  name: "caracal",
  missing: false,
  start: async (bed, port, peers) => {
    const directory = bed.directory("speaker");
    const config = join(directory, "config.json");
    const session = ({ name, address, asn }: BenchPeer): PeerFile => ({
      name,
      address,
      asn,
      passive: true,
      addPath: false,
      reflectorClient: asn === routerAsn,
    });
    const file: SpeakerFile = {
      routerId: routerAddress,
      asn: routerAsn,
      tellsBestRoutes: false,
      rehearses: true,
      listen: [{ address: routerAddress, port }],
      peers: peers.map(session),
      origins: [],
    };
    writeFileSync(config, JSON.stringify(file));
    const script = new URL("../test/speaker-process.ts", import.meta.url).pathname;
    const command = [process.execPath, script, config, join(directory, "control.sock")];
    return (await bed.start([...onOneCore, ...command])).pid;
  },
};
