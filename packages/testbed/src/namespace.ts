import { Program, type StartOptions } from "./program.ts";
import { type CommandResult, run, runAnyway, type RunOptions } from "./run.ts";

/** An interface address with its prefix length, such as `10.0.0.1/24`. */
export type Address = `${string}/${number}`;

/** One end of a wire: an interface in a namespace. */
export interface LinkEnd {
  readonly namespace: Namespace;
  /** The interface's name, such as `eth0`: names only have to differ within one namespace. */
  readonly name: string;
  readonly addresses?: readonly Address[];
  readonly mac?: string;
  readonly mtu?: number;
}

/** A network namespace of the test bed, with `lo` up. Only the network is separate: files, `/sys` and processes are shared. */
export class Namespace {
  readonly name: string;
  readonly #programs: (program: Program) => void;

  /** Beds make namespaces; `onStart` is told of each program so that the bed can end it. */
  constructor(name: string, onStart: (program: Program) => void) {
    this.name = name;
    this.#programs = onStart;
  }

  /** The file that holds the namespace, as CNI's `CNI_NETNS` wants it. */
  get path(): string {
    return `/run/netns/${this.name}`;
  }

  /** Runs a program in here to its end; a non-zero exit throws. */
  run(argv: readonly string[], options?: RunOptions): Promise<CommandResult> {
    return run(this.#inside(argv), options);
  }

  /** The same, whatever the exit code. */
  runAnyway(argv: readonly string[], options?: RunOptions): Promise<CommandResult> {
    return runAnyway(this.#inside(argv), options);
  }

  /** `ip ARGUMENTS…` in here; gives stdout. */
  async ip(...args: readonly string[]): Promise<string> {
    return (await run(["ip", "-n", this.name, ...args])).stdout;
  }

  /** `ip -json ARGUMENTS…` in here, parsed. */
  async ipJson(...args: readonly string[]): Promise<unknown> {
    const text = await this.ip("-json", ...args);
    const value: unknown = JSON.parse(text === "" ? "[]" : text);
    return value;
  }

  /** Sets a sysctl by its dotted or slashed name, such as `net.ipv4.ip_forward`. */
  async sysctl(name: string, value: string | number): Promise<void> {
    await this.run(["sysctl", "-qw", `${name}=${value}`]);
  }

  /** Starts a program in here; the bed ends it. */
  async start(argv: readonly string[], options?: StartOptions): Promise<Program> {
    const program = await Program.start(this.#inside(argv), options);
    this.#programs(program);
    return program;
  }

  #inside(argv: readonly string[]): readonly string[] {
    return ["nsenter", `--net=${this.path}`, "--", ...argv];
  }
}

/** Gives one end its MAC, MTU and addresses, and sets it up. */
export async function configureLink(end: LinkEnd): Promise<void> {
  const { namespace, name } = end;
  const settings = [
    ...(end.mac === undefined ? [] : ["address", end.mac]),
    ...(end.mtu === undefined ? [] : ["mtu", String(end.mtu)]),
  ];
  await namespace.ip("link", "set", name, ...settings, "up");
  for (const address of end.addresses ?? []) {
    // Duplicate address detection would keep an IPv6 address unusable for a second, in a network we know.
    const flags = address.includes(":") ? ["nodad"] : [];
    await namespace.ip("address", "add", address, "dev", name, ...flags);
  }
}
