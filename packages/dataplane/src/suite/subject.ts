import { IpAddress, Prefix } from "@caracal/net";
import { type Route, RouteProtocol, RouteScope, RouteTable, RouteType } from "@caracal/netlink";
import type { Clock } from "../clock.ts";
import type { DeviceKernel, DeviceOperation } from "../device-kernel.ts";
import type { DesiredRoute } from "../desired-route.ts";
import type { Kernel, RouteOperation, RouteOutcome } from "../kernel.ts";
import type { NextHopKernel, NextHopOperation } from "../next-hops/next-hop-kernel.ts";

/**
 * What one case of the suite is given: a namespace of its own with one interface `up0`, which is up and has
 * 10.99.0.1/24 and fd99::1/64, the port to it, and the hands of other programs.
 */
export interface KernelSubject {
  readonly kernel: NextHopKernel & DeviceKernel;
  readonly clock: Clock;
  /** Waits, as time passes, until the condition holds; fails after long in vain. */
  readonly until: (what: string, condition: () => boolean | Promise<boolean>) => Promise<void>;
  readonly others: {
    route(operation: RouteOperation): void;
    nextHop(operation: NextHopOperation): void;
    /** Makes an interface, down and without addresses. */
    addLink(name: string): void;
    deleteLink(name: string): void;
    setLinkUp(name: string, up: boolean): void;
    addAddress(name: string, address: IpAddress, prefixLength: number): void;
    device(operation: DeviceOperation): void;
  };
}

/** One promise of the `Kernel` port, or of the reconciler on it: `run` throws when it is broken. */
export interface KernelCase {
  readonly name: string;
  readonly run: (subject: KernelSubject) => Promise<void>;
}

/** Throws when two plain values differ; the suite depends on no test framework. */
export function same(actual: unknown, expected: unknown, what: string): void {
  const found = JSON.stringify(actual, plain);
  const wanted = JSON.stringify(expected, plain);
  if (found !== wanted) throw new Error(`${what}: expected ${String(wanted)}, found ${String(found)}`);
}

function plain(_: string, value: unknown): unknown {
  if (typeof value === "bigint") return `${value}n`;
  if (typeof value !== "object" || value === null || Array.isArray(value)) return value;
  return Object.fromEntries(Object.entries(value).toSorted(([a], [b]) => (a < b ? -1 : 1)));
}

export function address(text: string): IpAddress {
  const found = IpAddress.parse(text);
  if (found === undefined) throw new RangeError(`no address: ${text}`);
  return found;
}

export function prefix(text: string): Prefix {
  const found = Prefix.parse(text);
  if (found === undefined) throw new RangeError(`no prefix: ${text}`);
  return found;
}

/** A blackhole of protocol 12, changed by `over`. */
export function route(destination: string, over: Partial<Route> = {}): Route {
  const network = prefix(destination);
  return {
    destination: network,
    type: over.nextHops === undefined ? RouteType.RTN_BLACKHOLE : RouteType.RTN_UNICAST,
    protocol: RouteProtocol.RTPROT_BIRD,
    scope: RouteScope.RT_SCOPE_UNIVERSE,
    table: RouteTable.RT_TABLE_MAIN,
    metric: network.family === 6 ? 1024 : 0,
    nextHops: [],
    ...over,
  };
}

/** A wish of protocol 12 for a route via a gateway that the kernel must find. */
export function wishVia(
  destination: string,
  gateway: string,
  over: Partial<DesiredRoute> = {},
): DesiredRoute {
  return {
    destination: prefix(destination),
    protocol: RouteProtocol.RTPROT_BIRD,
    nextHops: [{ gateway: address(gateway) }],
    ...over,
  };
}

export async function indexOf({ kernel }: KernelSubject, name: string): Promise<number> {
  const link = (await kernel.dumpLinks()).find((candidate) => candidate.name === name);
  if (link === undefined) throw new Error(`no interface ${name}`);
  return link.index;
}

/** Routes of the main table that the kernel did not make itself, as short text, sorted. */
export function shown({ kernel }: Pick<KernelSubject, "kernel">): Promise<string[]> {
  return shownBy(kernel);
}

export async function shownBy(kernel: Kernel): Promise<string[]> {
  const names = new Map((await kernel.dumpLinks()).map((link) => [link.index, link.name]));
  return (await kernel.dumpRoutes())
    .filter(
      ({ table, protocol }) => table === RouteTable.RT_TABLE_MAIN && protocol !== RouteProtocol.RTPROT_KERNEL,
    )
    .map((found) => describe(found, names))
    .toSorted((a, b) => (a < b ? -1 : 1));
}

function describe(
  { destination, type, protocol, nextHops }: Route,
  names: ReadonlyMap<number, string>,
): string {
  const hops = nextHops.map(({ gateway, interfaceIndex }) => {
    const via = gateway === undefined ? "" : ` via ${IpAddress.format(gateway)}`;
    return `${via} dev ${names.get(interfaceIndex ?? 0) ?? "?"}`;
  });
  const kind = type === RouteType.RTN_UNICAST ? "" : ` type ${type}`;
  return `${Prefix.format(destination)}${kind}${hops.toSorted().join(" and")} proto ${protocol}`;
}

export function outcomeNames(outcomes: readonly RouteOutcome[]): string[] {
  return outcomes.map((outcome) => (outcome.kind === "done" ? "done" : outcome.errno));
}
