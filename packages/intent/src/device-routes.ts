import { IpAddress, type IpFamily } from "@caracal/net";
import { parseDurationSeconds } from "@caracal/resources";
import type { FelixSettings } from "./felix-settings.ts";
import type { IntentProblem } from "./intent-problem.ts";

/** How the daemon marks the routes that it programs by itself, and what of others' it leaves. */
export interface DeviceRouteSettings {
  /** Of routes through pods' interfaces and VXLAN devices, which are the daemon's by their interface. */
  readonly deviceProtocol: number;
  /** Of its other routes, which are the daemon's by this number alone. */
  readonly ownProtocol: number;
  /** Where the host's own packets by these routes come from, if the settings say. */
  readonly sources: ReadonlyMap<IpFamily, IpAddress>;
  /** The metric of routes to pods, if the settings name one. */
  readonly podMetrics: ReadonlyMap<IpFamily, number>;
  /** Whether others' routes through pods' interfaces go. */
  readonly removesOthers: boolean;
  /** How often the kernel's routes are compared with what is wanted; zero leaves it to what the kernel tells, absent is a default. */
  readonly refreshSeconds?: number;
}

/** Felix's defaults: the number that `ip route` does not print, and its own. */
export const bootProtocol = 3;
export const felixProtocol = 80;

/** Numbers by which others know their routes (linux/rtnetlink.h): who claimed all of one would remove theirs. */
const knownOwners: Readonly<Record<number, string>> = {
  1: "redirect",
  2: "kernel",
  4: "static",
  8: "gated",
  9: "ra",
  10: "mrt",
  11: "zebra",
  12: "bird",
  13: "dnrouted",
  14: "xorp",
  15: "ntk",
  16: "dhcp",
  17: "mrouted",
  18: "keepalived",
  42: "babel",
  99: "openr",
  186: "bgp",
  187: "isis",
  188: "ospf",
  189: "rip",
  192: "eigrp",
};
/** What the kernel and a BGP speaker make, they also remove. */
const untouchable: readonly number[] = [2, 12];
const lastProtocol = 255;

/** Where no setting says anything else. */
export const defaultDeviceRoutes: DeviceRouteSettings = {
  deviceProtocol: bootProtocol,
  ownProtocol: felixProtocol,
  sources: new Map(),
  podMetrics: new Map(),
  removesOthers: true,
};

/** Reads `deviceRoute…`, `ipv4NormalRoutePriority`, `ipv6NormalRoutePriority`, `removeExternalRoutes` and `routeRefreshInterval`. */
export function deviceRouteSettings(felix: FelixSettings, problems: IntentProblem[]): DeviceRouteSettings {
  const refreshSeconds =
    felix.routeRefreshInterval === undefined ? undefined : parseDurationSeconds(felix.routeRefreshInterval);
  return {
    ...protocols(felix.deviceRouteProtocol ?? bootProtocol, problems),
    sources: new Map<IpFamily, IpAddress>([
      ...source(4, felix.deviceRouteSourceAddress),
      ...source(6, felix.deviceRouteSourceAddressIPv6),
    ]),
    podMetrics: new Map<IpFamily, number>([
      ...metric(4, felix.ipv4NormalRoutePriority),
      ...metric(6, felix.ipv6NormalRoutePriority),
    ]),
    removesOthers: felix.removeExternalRoutes !== false,
    ...(refreshSeconds === undefined ? {} : { refreshSeconds }),
  };
}

function protocols(
  wanted: number,
  problems: IntentProblem[],
): Pick<DeviceRouteSettings, "deviceProtocol" | "ownProtocol"> {
  const defaults = { deviceProtocol: bootProtocol, ownProtocol: felixProtocol };
  if (wanted === bootProtocol) return defaults;
  const about = "FelixConfiguration deviceRouteProtocol";
  const owner = knownOwners[wanted];
  if (wanted < 1 || wanted > lastProtocol || untouchable.includes(wanted)) {
    const whose = owner === undefined ? "no protocol number" : `the number of ${owner}`;
    problems.push({ about, message: `${wanted} is ${whose}: routes to pods keep ${bootProtocol}` });
    return defaults;
  }
  if (owner === undefined) return { deviceProtocol: wanted, ownProtocol: wanted };
  const message = `${wanted} is the number of ${owner}: only routes through pods' interfaces and VXLAN devices have it, all others keep ${felixProtocol}`;
  problems.push({ about, message });
  return { deviceProtocol: wanted, ownProtocol: felixProtocol };
}

function source(family: IpFamily, text: string | undefined): readonly (readonly [IpFamily, IpAddress])[] {
  const address = text === undefined ? undefined : IpAddress.parse(text);
  return address === undefined || IpAddress.family(address) !== family ? [] : [[family, address]];
}

function metric(family: IpFamily, value: number | undefined): readonly (readonly [IpFamily, number])[] {
  return value === undefined ? [] : [[family, value]];
}
