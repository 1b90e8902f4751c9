import { chownSync, existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { isJsonObject, parseJsonObject } from "../json-value.ts";
import { LabError } from "../lab-error.ts";
import { runCommand } from "../run-command.ts";
import { writeNetCommand } from "./net-command.ts";
import {
  announcedSubnets,
  findProgram,
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
    const command = "show bgp ipv4 unicast summary json";
    const { exitCode, stdout } = await runCommand(
      [...vtyshCommand(place), "-d", "bgpd", "-c", command],
      place.ctx,
    );
    return exitCode === 0 ? readSummary(stdout) : undefined;
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

/** The nodes are one peer group, `servers`, so that how the switch peers with them is one line. */
function bgpdConfiguration(place: SwitchPlace): string {
  const { name, asNumber, neighbors, servers } = place.spec;
  const nodes = neighbors.filter((neighbor) => neighbor.isNode);
  const sessions = neighbors.flatMap(({ name: peer, address, asNumber: peerAs, isNode }) => [
    isNode ? `neighbor ${address} peer-group servers` : `neighbor ${address} remote-as ${peerAs}`,
    `neighbor ${address} description ${peer}`,
    `neighbor ${address} timers connect 1`,
  ]);
  const group =
    nodes.length === 0 ? [] : ["neighbor servers peer-group", `neighbor servers remote-as ${servers}`];
  const networks = announcedSubnets(place).map((subnet) => `network ${subnet}`);
  // Inside one AS the switch is its nodes' reflector.
  const reflected =
    servers === "internal" && nodes.length > 0 ? ["neighbor servers route-reflector-client"] : [];
  return [
    `hostname ${name}`,
    `router bgp ${asNumber}`,
    ...[`bgp router-id ${routerIdOf(place.spec)}`, "no bgp ebgp-requires-policy", ...group, ...sessions].map(
      indented,
    ),
    " address-family ipv4 unicast",
    ...[...networks, ...reflected].map((line) => indented(indented(line))),
    " exit-address-family",
    "",
  ].join("\n");
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
