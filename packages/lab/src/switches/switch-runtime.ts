import { accessSync, chmodSync, constants, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { LabContext } from "../lab-context.ts";
import { LabError } from "../lab-error.ts";
import type { NetworkSpec, SwitchNeighbor, SwitchSpec } from "../topology.ts";

/** A switch as its programs need it. */
export interface SwitchPlace {
  readonly spec: SwitchSpec;
  readonly networks: readonly NetworkSpec[];
  /** For configuration and sockets. */
  readonly runDirectory: string;
  /** For commands that find this switch's programs. */
  readonly binDirectory: string;
  readonly ctx: LabContext;
}

/** One program of a switch. */
export interface SwitchProgram {
  readonly name: string;
  readonly argv: readonly string[];
  /** Whether it serves; the next program is started only then. */
  readonly answers: () => Promise<boolean>;
}

/** A session as the switch sees it. */
export interface SwitchSession {
  readonly peer: string;
  readonly state: string;
}

/** How one kind of daemon makes a namespace a switch. */
export interface SwitchRuntime {
  /** For people. */
  readonly title: string;
  /** What it starts, in order. */
  readonly programNames: readonly string[];
  /** Throws a `LabError` about what this machine lacks. */
  readonly requirements: (place: SwitchPlace) => void;
  /** Writes configuration and commands; gives what to start, in order. */
  readonly prepare: (place: SwitchPlace) => readonly SwitchProgram[];
  /** Further variables for what runs on the switch. */
  readonly environment: (place: SwitchPlace) => Readonly<Record<string, string>>;
  /** Its sessions, or `undefined` when it does not answer. */
  readonly sessions: (place: SwitchPlace) => Promise<readonly SwitchSession[] | undefined>;
}

/** FRR's daemons have a directory of their own, for other packages have programs of the same names. */
const FRR_DIRECTORY = "/usr/lib/frr";
/** Where Debian puts other daemons, which an ordinary PATH leaves out. */
const DAEMON_DIRECTORIES = ["/usr/local/sbin", "/usr/sbin", "/sbin"];

/** The path of a program, which must be there. */
export function findProgram(place: SwitchPlace, name: string, debianPackage: string): string {
  const directories = [FRR_DIRECTORY, ...(place.ctx.env["PATH"] ?? "").split(":"), ...DAEMON_DIRECTORIES];
  const found = directories.map((directory) => join(directory, name)).find(isExecutable);
  if (found !== undefined) return found;
  const { name: title, daemon } = place.spec;
  throw new LabError(
    `switch ${title} runs ${daemon}, but ${name} is not there: install Debian's package ${debianPackage}, or give --switches caracal`,
  );
}

/** Makes a command of the switch's own that runs a program with some words before the caller's. */
export function writeCommand(place: SwitchPlace, name: string, argv: readonly string[]): void {
  const file = join(place.binDirectory, name);
  writeFileSync(file, `#!/bin/sh\nexec ${argv.map(quoted).join(" ")} "$@"\n`);
  chmodSync(file, 0o755);
}

/** The router ID: the address of its first interface. */
export function routerIdOf({ interfaces }: SwitchSpec): string {
  return interfaces[0]?.address ?? "0.0.0.1";
}

/** What a switch tells the others of its own: the subnets of its racks, so that nodes of different racks can talk. */
export function announcedSubnets({ spec, networks }: SwitchPlace): readonly string[] {
  const racks = spec.interfaces.filter((one) => one.isRack).map((one) => one.network);
  return networks
    .filter(({ name }) => racks.includes(name))
    .flatMap(({ subnet, subnet6 }) => (subnet6 === undefined ? [subnet] : [subnet, subnet6]));
}

/** A session's name in a configuration, by its neighbour's; of two with one neighbour that of IPv6 says so. */
export function sessionName({ name, address }: SwitchNeighbor): string {
  return isIpv6(address) ? `${symbolOf(name)}_v6` : symbolOf(name);
}

/** Whether an address or a prefix is IPv6. */
export function isIpv6(text: string): boolean {
  return text.includes(":");
}

/** The neighbour's name as a word of a configuration language. */
function symbolOf(name: string): string {
  return name.replaceAll(/[^A-Za-z0-9]/g, "_");
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

/** A word that a shell takes as it is. */
export function quoted(word: string): string {
  return `'${word.replaceAll("'", "'\\''")}'`;
}
