import { chownSync, existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { isJsonObject, parseJsonObject } from "../json-value.ts";
import { LabError } from "../lab-error.ts";
import { runCommand } from "../run-command.ts";
import { writeNetCommand } from "./net-command.ts";
import {
  announcedSubnets,
  findProgram,
  isIpv6,
  routerIdOf,
  type SwitchPlace,
  type SwitchProgram,
  type SwitchRuntime,
  type SwitchSession,
  writeCommand,
} from "./switch-runtime.ts";

const PACKAGE = "frr";
/** zebra does not run as anyone but the user whom the package makes. */
const USER = "frr";
/** Peer groups of the nodes, by the family of their sessions. */
const SERVERS = "servers";
const SERVERS6 = "servers6";

/** FRR, as on a Cumulus switch: zebra for the kernel, bgpd for BGP; run by themselves, without FRR's services. */
export const frrRuntime: SwitchRuntime = {
  title: "FRR",
  programNames: ["zebra", "bgpd"],
  requirements: (place) => {
    for (const name of ["zebra", "bgpd", "vtysh"]) findProgram(place, name, PACKAGE);
  },
  prepare: (place) => {
    const { runDirectory } = place;
    const vtysh = vtyshCommand(place);
    giveTo(USER, runDirectory);
    // vtysh wants its own file to be there, though it need not say anything.
    writeFileSync(join(runDirectory, "vtysh.conf"), "no service integrated-vtysh-config\n");
    writeCommand(place, "vtysh", vtysh);
    writeNetCommand(place, vtysh);
    writeFileSync(join(runDirectory, "zebra.conf"), `hostname ${place.spec.name}\n`);
    writeFileSync(join(runDirectory, "bgpd.conf"), bgpdConfiguration(place));
    const zebraSocket = join(runDirectory, "zserv.api");
    return [
      program(place, "zebra", () => Promise.resolve(existsSync(zebraSocket))),
      program(place, "bgpd", async () => {
        const { stdout } = await runCommand([...vtysh, "-d", "bgpd", "-c", "show version"], place.ctx);
        return stdout.includes("FRRouting");
      }),
    ];
  },
  environment: () => ({}),
  sessions: async (place) => {
    const families = place.spec.neighbors.some(({ address }) => isIpv6(address))
      ? ["ipv4", "ipv6"]
      : ["ipv4"];
    const found: SwitchSession[] = [];
    for (const family of families) {
      const command = `show bgp ${family} unicast summary json`;
      const argv = [...vtyshCommand(place), "-d", "bgpd", "-c", command];
      const { exitCode, stdout } = await runCommand(argv, place.ctx);
      if (exitCode !== 0) return undefined;
      found.push(...readSummary(stdout));
    }
    return found;
  },
};

function vtyshCommand(place: SwitchPlace): readonly string[] {
  const { runDirectory } = place;
  return [findProgram(place, "vtysh", PACKAGE), "--vty_socket", runDirectory, "--config_dir", runDirectory];
}

function giveTo(user: string, directory: string): void {
  const [, uid, gid] =
    new RegExp(`^${user}:[^:]*:([0-9]+):([0-9]+):`, "m").exec(readFileSync("/etc/passwd", "utf8")) ?? [];
  if (uid === undefined || gid === undefined)
    throw new LabError(`there is no user ${user}, which Debian's package ${PACKAGE} makes`);
  chownSync(directory, Number(uid), Number(gid));
}

function program(place: SwitchPlace, name: string, answers: () => Promise<boolean>): SwitchProgram {
  const { runDirectory } = place;
  const inRun = (file: string): string => join(runDirectory, file);
  const paths = [
    ["--config_file", inRun(`${name}.conf`)],
    ["--pid_file", inRun(`${name}.pid`)],
    ["--vty_socket", runDirectory],
    ["--socket", inRun("zserv.api")],
    // Port 0 for the telnet console: only the Unix socket is wanted.
    ["--vty_port", "0"],
    ["--user", USER, "--group", USER],
    ["--log", "stdout", "--log-level", "informational"],
  ];
  return { name, argv: [findProgram(place, name, PACKAGE), ...paths.flat()], answers };
}

/** The nodes are one peer group, `servers`, and over IPv6 another, so that how the switch peers with them is one line. */
function bgpdConfiguration(place: SwitchPlace): string {
  const { name, asNumber, neighbors, servers } = place.spec;
  const groups = [
    ...new Set(neighbors.filter(({ isNode }) => isNode).map(({ address }) => groupOf(address))),
  ];
  const sessions = neighbors.flatMap(({ name: peer, address, asNumber: peerAs, isNode }) => [
    isNode ? `neighbor ${address} peer-group ${groupOf(address)}` : `neighbor ${address} remote-as ${peerAs}`,
    `neighbor ${address} description ${peer}`,
    `neighbor ${address} timers connect 1`,
  ]);
  const group = groups.flatMap((one) => [
    `neighbor ${one} peer-group`,
    `neighbor ${one} remote-as ${servers}`,
  ]);
  const hasIpv6 = neighbors.some(({ address }) => isIpv6(address));
  return [
    `hostname ${name}`,
    `router bgp ${asNumber}`,
    ...[`bgp router-id ${routerIdOf(place.spec)}`, "no bgp ebgp-requires-policy", ...group, ...sessions].map(
      indented,
    ),
    ...addressFamily(place, false),
    ...(hasIpv6 ? addressFamily(place, true) : []),
    "",
  ].join("\n");
}

/** FRR speaks IPv4 with everyone unless told not to, and IPv6 with those alone that it is told to. */
function addressFamily(place: SwitchPlace, isSix: boolean): readonly string[] {
  const { neighbors, servers } = place.spec;
  const networks = announcedSubnets(place).filter((subnet) => isIpv6(subnet) === isSix);
  const overIpv6 = neighbors.filter(({ address }) => isIpv6(address));
  const peers = new Set(overIpv6.map(({ address, isNode }) => (isNode ? groupOf(address) : address)));
  const group = isSix ? SERVERS6 : SERVERS;
  const hasNodes = neighbors.some(({ address, isNode }) => isNode && groupOf(address) === group);
  const lines = [
    ...networks.map((subnet) => `network ${subnet}`),
    ...[...peers].map((peer) => (isSix ? `neighbor ${peer} activate` : `no neighbor ${peer} activate`)),
    // Inside one AS the switch is its nodes' reflector.
    ...(servers === "internal" && hasNodes ? [`neighbor ${group} route-reflector-client`] : []),
  ];
  return [
    ` address-family ${isSix ? "ipv6" : "ipv4"} unicast`,
    ...lines.map((line) => indented(indented(line))),
    " exit-address-family",
  ];
}

function groupOf(address: string): string {
  return isIpv6(address) ? SERVERS6 : SERVERS;
}

function readSummary(text: string): readonly SwitchSession[] {
  const peers = parseJsonObject(text)?.["peers"];
  return Object.entries(isJsonObject(peers) ? peers : {}).map(([peer, about]) => {
    const state = isJsonObject(about) ? about["state"] : undefined;
    return { peer, state: typeof state === "string" ? state : "unknown" };
  });
}

function indented(line: string): string {
  return ` ${line}`;
}
