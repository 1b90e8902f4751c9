import { IpAddress } from "@caracal/net";
import { Af, type Mac, type Neighbour, NeighbourState, Ntf } from "@caracal/netlink";
import type { DeviceOperation } from "../device-kernel.ts";
import type { TunnelEnd } from "./desired-tunnel.ts";

/** The neighbours and forwarding entries of one device, as the kernel is known to have them. */
export class EndTable {
  readonly #index: number;
  readonly #neighbours = new Map<IpAddress, Neighbour>();
  /** By MAC; only a MAC of groups or of zeros may have several. */
  readonly #forwarding = new Map<Mac, Neighbour[]>();

  constructor(index: number, neighbours: readonly Neighbour[], forwarding: readonly Neighbour[]) {
    this.#index = index;
    for (const entry of neighbours) this.#add(entry);
    for (const entry of forwarding) this.#add(entry);
  }

  get index(): number {
    return this.#index;
  }

  /** What makes the entries those of `ends`, and no others; what is needed comes first, what is not goes last. */
  plan(ends: readonly TunnelEnd[]): readonly DeviceOperation[] {
    const set: DeviceOperation[] = [];
    const remove: DeviceOperation[] = [];
    const macs = new Set<Mac>();
    const addresses = new Set<IpAddress>();
    for (const { address, mac, host } of ends) {
      macs.add(mac);
      addresses.add(address);
      const known = this.#forwarding.get(mac);
      if (known?.length !== 1 || !isForwardingTo(known[0], host))
        set.push({ kind: "neighbour.set", neighbour: forwardingEntry(this.#index, mac, host) });
    }
    for (const { address, mac } of ends) {
      const known = this.#neighbours.get(address);
      if (known?.mac !== mac || (known.state & NeighbourState.NUD_PERMANENT) === 0)
        set.push({ kind: "neighbour.set", neighbour: neighbourEntry(this.#index, address, mac) });
    }
    for (const [address, neighbour] of this.#neighbours)
      if (!addresses.has(address)) remove.push({ kind: "neighbour.delete", neighbour });
    for (const [mac, entries] of this.#forwarding)
      if (!macs.has(mac))
        for (const neighbour of entries) remove.push({ kind: "neighbour.delete", neighbour });
    return [...set, ...remove];
  }

  /** The kernel has carried it out. */
  done({ kind, ...operation }: DeviceOperation): void {
    if (!("neighbour" in operation)) return;
    const { neighbour } = operation;
    if (kind === "neighbour.set") {
      if (neighbour.family === Af.AF_BRIDGE && neighbour.mac !== undefined)
        this.#forwarding.delete(neighbour.mac);
      this.#add(neighbour);
    } else this.#remove(neighbour);
  }

  /** Whether a change that another program made is one that this table did not know. */
  isNews(entry: Neighbour, gone: boolean): boolean {
    if (!isKept(entry)) return entry.address !== undefined && this.#neighbours.has(entry.address);
    const known = this.#find(entry);
    return gone ? known !== undefined : known === undefined || known.state !== entry.state;
  }

  #find(entry: Neighbour): Neighbour | undefined {
    if (entry.family !== Af.AF_BRIDGE) {
      const known = entry.address === undefined ? undefined : this.#neighbours.get(entry.address);
      return known?.mac === entry.mac ? known : undefined;
    }
    const entries = entry.mac === undefined ? undefined : this.#forwarding.get(entry.mac);
    return entries?.find(({ address }) => address === entry.address);
  }

  #add(entry: Neighbour): void {
    if (!isKept(entry) || entry.mac === undefined) return;
    if (entry.family !== Af.AF_BRIDGE) {
      if (entry.address !== undefined) this.#neighbours.set(entry.address, entry);
      return;
    }
    const entries = this.#forwarding.get(entry.mac);
    if (entries === undefined) this.#forwarding.set(entry.mac, [entry]);
    else entries.push(entry);
  }

  #remove(entry: Neighbour): void {
    if (entry.family !== Af.AF_BRIDGE) {
      if (entry.address !== undefined) this.#neighbours.delete(entry.address);
      return;
    }
    if (entry.mac === undefined) return;
    const left = this.#forwarding.get(entry.mac)?.filter(({ address }) => address !== entry.address) ?? [];
    if (left.length === 0) this.#forwarding.delete(entry.mac);
    else this.#forwarding.set(entry.mac, left);
  }
}

/** What the kernel makes for itself (groups) or has given up looking for is nobody's. */
function isKept({ family, state, mac }: Neighbour): boolean {
  return family === Af.AF_BRIDGE || (mac !== undefined && (state & NeighbourState.NUD_NOARP) === 0);
}

function isForwardingTo(entry: Neighbour | undefined, host: IpAddress): boolean {
  return entry?.address === host && (entry.state & NeighbourState.NUD_PERMANENT) !== 0;
}

/** `bridge fdb`: `66:… dev vxlan.calico dst 192.168.10.12 self permanent`. */
function forwardingEntry(interfaceIndex: number, mac: Mac, host: IpAddress): Neighbour {
  const state = NeighbourState.NUD_PERMANENT;
  return { family: Af.AF_BRIDGE, interfaceIndex, state, flags: Ntf.NTF_SELF, mac, address: host };
}

/** `ip neigh`: `10.244.73.0 dev vxlan.calico lladdr 66:… PERMANENT`. */
function neighbourEntry(interfaceIndex: number, address: IpAddress, mac: Mac): Neighbour {
  const family = IpAddress.isIpv4(address) ? Af.AF_INET : Af.AF_INET6;
  return { family, interfaceIndex, state: NeighbourState.NUD_PERMANENT, flags: 0, address, mac };
}
