/** In-memory stand-ins for what the CNI engine asks of IPAM and of the kernel. State outlives any one engine. */
import type { Store } from "@caracal/datastore";
import type { NotFirst, OldEntry } from "@caracal/ipam";
import { IpAddress, Ipv4, Ipv6, Prefix } from "@caracal/net";
import type {
  AddressOutcome,
  AddressStanding,
  AddressRequest,
  FirstAddressRequest,
  HostUse,
  PairRemoval,
  PodInterface,
  PodInterfaceState,
  PodIpam,
  PodKernel,
  PreparedPair,
} from "../src/cni/ports.ts";

/** One block of each family; an address is never given twice. */
export class FakeIpam implements PodIpam {
  readonly allocations = new Map<string, readonly IpAddress[]>();
  /** Addresses of each family that there are to give. */
  capacity = 250;
  readonly store: Store | undefined;
  #claimed = false;

  constructor(store?: Store) {
    this.store = store;
  }

  addressesOf(handle: string): Promise<readonly IpAddress[]> {
    return Promise.resolve(this.allocations.get(handle) ?? []);
  }

  assign(request: AddressRequest): Promise<AddressOutcome> {
    const taken = new Set([...this.allocations.values()].flat());
    const given: IpAddress[] = [];
    for (const family of request.families) {
      const certain = request.certain?.find((one) => IpAddress.family(one) === family);
      const address = certain ?? this.#free(family, taken);
      if (address === undefined || taken.has(address)) {
        return Promise.resolve({ kind: "refused", reason: "no address left in pools 10.244.0.0/16" });
      }
      given.push(address);
    }
    this.allocations.set(request.handle, [...(this.allocations.get(request.handle) ?? []), ...given]);
    const claimed = this.#claimed ? [] : [Prefix.of(Ipv4.of(0x0af40000), 26)];
    this.#claimed = true;
    return Promise.resolve({ kind: "assigned", addresses: given, claimed });
  }

  /** With a store, as if both were one transaction; without one there are none. */
  async assignFirst(request: FirstAddressRequest): Promise<AddressOutcome | NotFirst> {
    const { family, handle, together } = request;
    if (this.store === undefined || this.allocations.has(handle)) return { kind: "exists" };
    const outcome = await this.assign({ ...request, families: [family] });
    const [address] = outcome.kind === "assigned" ? outcome.addresses : [];
    if (address === undefined) return outcome;
    const { key, value, wrote } = together(address);
    try {
      const created = await this.store.create(key, value);
      if (created.kind === "ok") {
        wrote(created.entry.revision);
        return outcome;
      }
    } catch (error) {
      this.allocations.delete(handle);
      throw error;
    }
    this.allocations.delete(handle);
    return { kind: "exists" };
  }

  release(handle: string): Promise<boolean> {
    return Promise.resolve(this.allocations.delete(handle));
  }

  get releasesTogether(): boolean {
    return this.store !== undefined;
  }

  /** As if both were one transaction. */
  async releaseLast(handle: string, { key, revision }: OldEntry): Promise<boolean> {
    const deleted = await this.store?.delete(key, revision);
    if (deleted?.kind !== "ok") return false;
    await this.release(handle);
    return true;
  }

  standingOf(address: IpAddress): Promise<AddressStanding> {
    const [holder] = [...this.allocations].find(([, held]) => held.includes(address)) ?? [];
    const pool = Prefix.contains(Prefix.of(Ipv4.of(0x0af40000), 16), address) ? "default" : undefined;
    return Promise.resolve({ holder, pool });
  }

  handlesOf(prefix: string): Promise<readonly string[]> {
    return Promise.resolve([...this.allocations.keys()].filter((handle) => handle.startsWith(prefix)));
  }

  #free(family: 4 | 6, taken: ReadonlySet<IpAddress>): IpAddress | undefined {
    for (let index = 1; index <= this.capacity; index += 1) {
      const address = family === 4 ? Ipv4.of(0x0af40000 + index) : Ipv6.of((0xfd00n << 112n) + BigInt(index));
      if (!taken.has(address)) return address;
    }
    return undefined;
  }
}

interface Pair {
  pod: PodInterface;
  readonly mac: string;
  readonly hostIndex: number;
  prepared: boolean;
  configured: boolean;
  routed: boolean;
}

/** Namespaces are paths that were added; pairs are records in a map by host end. */
export class FakeKernel implements PodKernel {
  readonly namespaces = new Set<string>();
  readonly hostUses = new Map<IpAddress, HostUse>();
  readonly pairs = new Map<string, Pair>();
  #made = 0;

  hasNamespace(netns: string): boolean {
    return this.namespaces.has(netns);
  }

  hostUse(address: IpAddress): HostUse | undefined {
    return this.hostUses.get(address);
  }

  createPair(pod: PodInterface): boolean {
    const isTaken = [...this.pairs.values()].some(
      (pair) => pair.pod.netns === pod.netns && pair.pod.ifname === pod.ifname,
    );
    if (isTaken || this.pairs.has(pod.hostName)) return false;
    this.#made += 1;
    const mac = pod.mac ?? `02:00:00:00:00:${this.#made.toString(16).padStart(2, "0")}`;
    const hostIndex = this.#made;
    this.pairs.set(pod.hostName, { pod, mac, hostIndex, prepared: false, configured: false, routed: false });
    return true;
  }

  preparePair(pod: PodInterface): PreparedPair {
    const pair = this.#pair(pod.hostName);
    pair.prepared = true;
    return { hostIndex: pair.hostIndex, podIndex: 2, mac: pair.mac, mtu: pod.mtu ?? 1500 };
  }

  configurePair(pod: PodInterface, prepared: PreparedPair = this.preparePair(pod)): PreparedPair {
    Object.assign(this.#pair(pod.hostName), { pod, configured: true });
    return prepared;
  }

  addHostRoutes(pod: PodInterface, { hostIndex }: PreparedPair): void {
    const pair = this.#pair(pod.hostName);
    pair.routed = pair.hostIndex === hostIndex;
  }

  inspect(pod: PodInterface): PodInterfaceState | undefined {
    const pair = this.pairs.get(pod.hostName);
    if (pair === undefined || this.podEnd(pod.hostName, pod.netns) !== pod.ifname) return undefined;
    const differences = [
      ...(pair.prepared && pair.configured ? [] : [`${pod.ifname} is down`]),
      ...(pair.routed ? [] : ["the host has no route"]),
      ...(pod.mac === undefined || pod.mac === pair.mac ? [] : [`${pod.ifname} has MAC ${pair.mac}`]),
      ...pod.addresses
        .filter((address) => !pair.pod.addresses.includes(address))
        .map((address) => `${pod.ifname} has no address ${IpAddress.format(address)}`),
    ];
    return { mac: pair.mac, mtu: pod.mtu ?? 1500, differences };
  }

  podEnd(hostName: string, netns: string): string | undefined {
    const pod = this.pairs.get(hostName)?.pod;
    return this.namespaces.has(netns) && pod?.netns === netns ? pod.ifname : undefined;
  }

  removePair(hostName: string): Promise<void> {
    this.pairs.delete(hostName);
    return Promise.resolve();
  }

  removeOwnPair(hostName: string, netns: string, ifname: string): Promise<PairRemoval> {
    const podEnd = this.podEnd(hostName, netns);
    if (podEnd === ifname) this.pairs.delete(hostName);
    return Promise.resolve(podEnd === undefined ? "unseen" : podEnd === ifname ? "removed" : "another");
  }

  /** What the kernel does with the interfaces of a namespace that goes. */
  removeNamespace(netns: string): void {
    this.namespaces.delete(netns);
    for (const [name, { pod }] of this.pairs) if (pod.netns === netns) this.pairs.delete(name);
  }

  #pair(hostName: string): Pair {
    const pair = this.pairs.get(hostName);
    if (pair === undefined) throw new Error(`no interface ${hostName}`);
    return pair;
  }
}
