import { existsSync, mkdirSync, rmdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { type Testbed, requireTool } from "@caracal/testbed";

/** A session that the router under test, 127.0.0.2 in AS 65002, waits for. */
export interface BenchPeer {
  readonly name: string;
  readonly address: string;
  readonly asn: number;
  /** What it carries, over IPv4 in any case; absent: 4. */
  readonly family?: 4 | 6;
}

export const routerAddress = "127.0.0.2";
export const routerAsn = 65_002;
/** The next hop that it tells for IPv6. */
const routerAddress6 = "::1";

/** A router under test: all of them wait for the same peers and reflect to those in their own AS. */
export interface BenchRouter {
  readonly name: string;
  /** Why it cannot run here. */
  readonly missing: string | false;
  /** Scenarios that tell more prefixes in all are left out unless `--all` is asked for: they take minutes. */
  readonly mostTold: number;
  /** Whether it is set up for IPv6 prefixes here, over sessions of IPv4. */
  readonly carries6?: true;
  /** Starts it on one core and says its process ID. */
  start(bed: Testbed, port: number, peers: readonly BenchPeer[]): Promise<number>;
}

/** One core for the router, so that threads beside the main one count as time too. */
const onOneCore: readonly string[] = requireTool("taskset") === false ? ["taskset", "-c", "1"] : [];

const launcher = fileURLToPath(new URL("../../../caracal", import.meta.url));

/** The standalone speaker as a user runs it. */
const caracal: BenchRouter = {
  name: "caracal",
  missing: false,
  mostTold: Infinity,
  carries6: true,
  start: (bed, port, peers) => {
    const directory = bed.directory("caracal");
    const other = peers.some(carries6) ? `, {address: "${routerAddress6}", port: ${port}}` : "";
    const head = `routerId: ${routerAddress}
asn: ${routerAsn}
listen: [{address: ${routerAddress}, port: ${port}}${other}]
control: ${join(directory, "bgp.sock")}
neighbors:
`;
    const sessions = peers.map((peer) => {
      const { name, address, asn } = peer;
      const client = asn === routerAsn ? ", routeReflectorClient: true" : "";
      const families = carries6(peer) ? ", families: [ipv6]" : "";
      return `  - {name: ${name}, address: ${address}, asn: ${asn}, passive: true${client}${families}}\n`;
    });
    const config = join(directory, "bgp.yaml");
    writeFileSync(config, head + sessions.join(""));
    return launch(bed, [launcher, "bgp", "run", "--config", config]);
  },
};

const bird: BenchRouter = {
  name: "bird",
  missing: requireTool("bird"),
  mostTold: Infinity,
  carries6: true,
  start: (bed, port, peers) => {
    const directory = bed.directory("bird");
    const config = join(directory, "bird.conf");
    const channel = (peer: BenchPeer): string =>
      carries6(peer) ? `ipv6 { next hop address ${routerAddress6};` : "ipv4 {";
    const session = (peer: BenchPeer): string => {
      const { name, address, asn } = peer;
      return `
protocol bgp ${name} {
  local ${routerAddress} port ${port} as ${routerAsn}; neighbor ${address} as ${asn}; multihop; passive on;
  ${asn === routerAsn ? "rr client;" : ""}
  ${channel(peer)} import all; export all; gateway recursive; };
}`;
    };
    const head = `router id ${routerAddress};
protocol device { }
protocol static { ipv4; route 10.9.9.0/24 blackhole; }
protocol static { ipv6; route 2001:db8:9::/48 blackhole; }`;
    writeFileSync(config, `${head}${peers.map(session).join("")}\n`);
    return launch(bed, ["/usr/sbin/bird", "-f", "-c", config, "-s", join(directory, "ctl")]);
  },
};

/** OpenBGPD's command has the same name. */
const frrBgpd = "/usr/lib/frr/bgpd";

const frr: BenchRouter = {
  name: "frr",
  missing: existsSync(frrBgpd) ? false : "not installed: frr",
  mostTold: 30_000_000,
  start: (bed, port, peers) => {
    const directory = bed.directory("frr");
    const config = join(directory, "bgpd.conf");
    const session = ({ address, asn }: BenchPeer): string[] => [
      ` neighbor ${address} remote-as ${asn}`,
      ` neighbor ${address} passive`,
      ` neighbor ${address} disable-connected-check`,
      ...(asn === routerAsn ? [] : [` neighbor ${address} ebgp-multihop`]),
      ` neighbor ${address} advertisement-interval 0`,
    ];
    const reflected = peers.filter(({ asn }) => asn === routerAsn);
    const lines = [
      `router bgp ${routerAsn}`,
      ` bgp router-id ${routerAddress}`,
      " no bgp ebgp-requires-policy",
      ...peers.flatMap(session),
      " address-family ipv4 unicast",
      ...reflected.map(({ address }) => `  neighbor ${address} route-reflector-client`),
      " exit-address-family",
    ];
    writeFileSync(config, `${lines.join("\n")}\n`);
    const paths = ["-f", config, "-i", join(directory, "bgpd.pid"), "--vty_socket", directory];
    const rights = ["--user", "root", "--group", "root", "--skip_runas", "--no_zebra", "--vty_port", "0"];
    return launch(bed, [frrBgpd, ...paths, ...rights, "-l", routerAddress, "-p", `${port}`]);
  },
};

const gobgp: BenchRouter = {
  name: "gobgp",
  missing: requireTool("gobgpd"),
  mostTold: 150_000,
  start: (bed, port, peers) => {
    const directory = bed.directory("gobgp");
    const config = join(directory, "gobgpd.toml");
    const session = ({ address, asn }: BenchPeer): string => `
[[neighbors]]
[neighbors.config]
neighbor-address = "${address}"
peer-as = ${asn}
[neighbors.timers.config]
idle-hold-time-after-reset = 1
[neighbors.transport.config]
passive-mode = true
local-address = "${routerAddress}"
[neighbors.ebgp-multihop.config]
enabled = ${asn !== routerAsn}
multihop-ttl = 255
[neighbors.route-reflector.config]
route-reflector-client = ${asn === routerAsn}
route-reflector-cluster-id = "${routerAddress}"
`;
    const head = `[global.config]
as = ${routerAsn}
router-id = "${routerAddress}"
port = ${port}
local-address-list = ["${routerAddress}"]
`;
    writeFileSync(config, head + peers.map(session).join(""));
    const api = `unix://${join(directory, "api.sock")}`;
    return launch(bed, ["gobgpd", "-f", config, "-l", "error", `--api-hosts=${api}`]);
  },
};

const openbgpdRoot = "/run/openbgpd";

const openbgpd: BenchRouter = {
  name: "openbgpd",
  missing: requireTool("bgpctl"),
  mostTold: 1_500_000,
  start: (bed, port, peers) => {
    const directory = bed.directory("openbgpd");
    const config = join(directory, "bgpd.conf");
    const session = ({ address, asn }: BenchPeer): string => `
neighbor ${address} {
  remote-as ${asn}
  local-address ${routerAddress}
  passive
  ${asn === routerAsn ? "route-reflector" : "multihop 255"}
}`;
    const head = `AS ${routerAsn}
router-id ${routerAddress}
listen on ${routerAddress} port ${port}
socket "${join(directory, "ctl")}"
fib-update no
`;
    const tail = "\nallow from any\nallow to any\n";
    writeFileSync(config, head + peers.map(session).join("") + tail, { mode: 0o600 });
    // Its processes confine themselves to this directory, which Debian's unit file makes.
    if (!existsSync(openbgpdRoot)) {
      mkdirSync(openbgpdRoot);
      bed.defer(() => rmdirSync(openbgpdRoot));
    }
    return launch(bed, ["/usr/sbin/bgpd", "-d", "-f", config]);
  },
};

export function carries6({ family }: BenchPeer): boolean {
  return family === 6;
}

/** The one that all are compared with stands first. */
export const routers: readonly BenchRouter[] = [bird, caracal, frr, openbgpd, gobgp];

async function launch(bed: Testbed, command: readonly string[]): Promise<number> {
  return (await bed.start([...onOneCore, ...command])).pid;
}
