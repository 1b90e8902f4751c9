import type { RouteOwnership } from "@caracal/dataplane";
import { defaultDeviceRoutes, type DeviceRouteSettings, type IntentProblem } from "@caracal/intent";
import { IpAddress } from "@caracal/net";
import { RouteProtocol } from "@caracal/netlink";
import { vxlanDevices } from "./tunnel-routes.ts";

/** More often would be work without end. */
const leastRefreshSeconds = 1;

export interface RouteMarksOptions {
  readonly interfacePrefixes: readonly string[];
  /** Of the routes that BGP learned, where they are the daemon's. */
  readonly learnedProtocols: readonly number[];
  /** Whether the host has the address: the kernel refuses routes with a source that it has not. */
  readonly hasAddress: (address: IpAddress) => boolean;
}

/** By what the daemon knows its routes in the kernel, as the settings say now and have said since it started. */
export class RouteMarks {
  readonly #options: RouteMarksOptions;
  readonly #deviceProtocols = new Set([defaultDeviceRoutes.deviceProtocol]);
  readonly #ownProtocols = new Set([defaultDeviceRoutes.ownProtocol]);
  #settings = defaultDeviceRoutes;
  #text = "";
  #problems: readonly IntentProblem[] = [];

  constructor(options: RouteMarksOptions) {
    this.#options = options;
  }

  /** The settings as far as they can be followed. */
  get settings(): DeviceRouteSettings {
    return this.#settings;
  }

  /** What of them cannot. */
  get problems(): readonly IntentProblem[] {
    return this.#problems;
  }

  /** Takes settings over; true when routes are to be marked, or known, otherwise than before. */
  use(wanted: DeviceRouteSettings): boolean {
    const sources = [...wanted.sources].filter(([, address]) => this.#options.hasAddress(address));
    this.#problems = [...wanted.sources]
      .filter(([family]) => !sources.some(([found]) => found === family))
      .map(([family, address]) => ({
        about: `FelixConfiguration ${family === 4 ? "deviceRouteSourceAddress" : "deviceRouteSourceAddressIPv6"}`,
        message: `${IpAddress.format(address)} is on no interface of this node: its routes have no source address`,
      }));
    const settings = { ...wanted, sources: new Map(sources) };
    const text = JSON.stringify([
      settings.deviceProtocol,
      settings.ownProtocol,
      sources.map(([, address]) => IpAddress.format(address)),
      [...settings.podMetrics],
      settings.removesOthers,
      settings.refreshSeconds,
    ]);
    const isNew = text !== this.#text;
    this.#text = text;
    if (!isNew) return false;
    this.#settings = settings;
    this.#deviceProtocols.add(settings.deviceProtocol);
    this.#ownProtocols.add(settings.ownProtocol);
    return true;
  }

  /** How often the kernel's routes are compared with what is wanted; absent is the reconciler's default. */
  get refreshMs(): number | undefined {
    const { refreshSeconds } = this.#settings;
    if (refreshSeconds === undefined) return undefined;
    return refreshSeconds === 0 ? Infinity : Math.max(leastRefreshSeconds, refreshSeconds) * 1000;
  }

  get pods(): RouteOwnership {
    const { interfacePrefixes } = this.#options;
    return {
      interfacePrefixes,
      ...(this.#settings.removesOthers ? {} : { interfaceProtocols: [...this.#deviceProtocols] }),
    };
  }

  /** Every route through a VXLAN device is the daemon's, whatever the settings say. */
  get tunnels(): RouteOwnership {
    return { protocols: [...this.#ownProtocols], interfaceNames: vxlanDevices };
  }

  get learned(): RouteOwnership {
    return { protocols: this.#options.learnedProtocols };
  }

  /** Routes that wait for their successors are of tunnels or of BGP. */
  get moves(): RouteOwnership {
    return {
      ...this.tunnels,
      protocols: [...this.#ownProtocols, ...this.#options.learnedProtocols],
    };
  }
}

/** Of a backend's learned routes: BIRD's are its own. */
export function learnedProtocols(isBird: boolean): readonly number[] {
  return isBird ? [] : [RouteProtocol.RTPROT_BIRD];
}
