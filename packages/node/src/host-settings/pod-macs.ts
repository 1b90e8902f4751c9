import type { Clock } from "@caracal/dataplane";
import { KernelError, type NamespaceTarget, Rtnetlink } from "@caracal/linux";
import { IpAddress } from "@caracal/net";
import { Iff, type Link, Mac, NeighbourState } from "@caracal/netlink";
import type { Log } from "../observe/log.ts";

export interface PodMacsOptions {
  /** Names of the pods' interfaces on the host. */
  readonly pods: () => Iterable<string>;
  /** Whether interfaces are being made or deleted: then each question about one waits for the kernel, and all else with it. */
  readonly isBusy: () => boolean;
  readonly clock: Clock;
  readonly log: Log;
  /** The thread's own namespace if absent. */
  readonly namespace?: NamespaceTarget;
}

const everyMs = 500;
/** So many interfaces at a time, so that a host full of pods costs no more than an emptier one. */
const interfacesPerLook = 4;
/** Plugins that come later in a chain are done by then: until then a new interface is looked at each time. */
const youngMs = 10_000;
/** Of those, so many at a time. */
const youngPerLook = 16;

/**
 * Keeps the host's static neighbour entries of pods true to the MACs that the pods have. CNI writes them with the interface,
 * and then a later plugin of the chain (`tuning`) or the pod itself may choose another MAC, which nothing tells the host.
 */
export class PodMacs implements Disposable {
  readonly #options: PodMacsOptions;
  readonly #tables: Rtnetlink;
  /** When each interface was first seen. */
  #seenAtMs = new Map<string, number>();
  #next = 0;
  #callOff: () => void;

  constructor(options: PodMacsOptions) {
    this.#options = options;
    this.#tables = Rtnetlink.open(options.namespace);
    this.#callOff = this.#soon();
  }

  [Symbol.dispose](): void {
    this.#callOff();
    this.#tables.close();
  }

  #soon(): () => void {
    return this.#options.clock.after(everyMs, () => {
      this.#look();
      this.#callOff = this.#soon();
    });
  }

  #look(): void {
    if (this.#options.isBusy()) return;
    const now = this.#options.clock.now();
    const names = [...this.#options.pods()];
    this.#seenAtMs = new Map(names.map((name) => [name, this.#seenAtMs.get(name) ?? now]));
    const young = names.filter((name) => now - (this.#seenAtMs.get(name) ?? now) < youngMs);
    const from = this.#next < names.length ? this.#next : 0;
    this.#next = from + interfacesPerLook;
    for (const name of new Set([...young.slice(-youngPerLook), ...names.slice(from, this.#next)])) {
      try {
        this.#lookAt(name);
      } catch (error) {
        // An interface that goes meanwhile; the next look finds what this one does not.
        if (!(error instanceof KernelError)) throw error;
      }
    }
  }

  #lookAt(name: string): void {
    const host = this.#tables.link(name);
    const mac = host?.kind === "veth" ? macOf(this.#tables.otherEnd(host)) : undefined;
    if (host === undefined || mac === undefined) return;
    for (const entry of this.#tables.neighbours(undefined, host.index)) {
      const isStatic = (entry.state & NeighbourState.NUD_PERMANENT) !== 0;
      if (!isStatic || entry.mac === undefined || entry.mac === mac || entry.address === undefined) continue;
      this.#tables.setNeighbour({ ...entry, mac });
      const address = IpAddress.format(entry.address);
      const fields = { interface: name, address, former: Mac.format(entry.mac), mac: Mac.format(mac) };
      this.#options.log.info(fields, "a pod's MAC has changed: the host sends to the new one");
    }
  }
}

/**
 * A pod that hands its interface on to a virtual machine gives it another MAC and makes it a port of a bridge, the interface
 * being down meanwhile: then the machine behind the bridge has the former MAC, with the pod's addresses.
 */
function macOf(podEnd: Link | undefined): Mac | undefined {
  const isPods = podEnd?.masterIndex === undefined && ((podEnd?.flags ?? 0) & Iff.IFF_UP) !== 0;
  return isPods ? podEnd?.mac : undefined;
}
