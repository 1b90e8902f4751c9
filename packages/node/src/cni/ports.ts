import type { NewEntry, NotFirst, OldEntry } from "@caracal/ipam";
import type { IpAddress, IpFamily, Prefix } from "@caracal/net";

/** What the engine asks of IPAM. All that is given to one handle can be found and released by it. */
export interface PodIpam {
  /** Addresses that the handle holds already, from this call's predecessors or from another node's view of it. */
  addressesOf(handle: string): Promise<readonly IpAddress[]>;
  /** One address for each family asked for, or none at all and the reason. */
  assign(request: AddressRequest): Promise<AddressOutcome>;
  /**
   * One address for a handle that has none, together with an entry that is not there: one write, so both or neither. "exists"
   * changes nothing: handle or entry is there already, or the datastore cannot write them at once.
   */
  assignFirst(request: FirstAddressRequest): Promise<AddressOutcome | NotFirst>;
  /** What IPAM knows of an address that is to be used without asking it for the address. */
  standingOf(address: IpAddress): Promise<AddressStanding>;
  /** Gives back everything, and says whether there was anything; a handle that is unknown is no error. */
  release(handle: string): Promise<boolean>;
  /** Whether `releaseLast` can be: the datastore writes several entries at once. */
  readonly releasesTogether: boolean;
  /** As `release`, and an entry is deleted with it: one write. False when that entry has changed: then nothing is done. */
  releaseLast(handle: string, entry: OldEntry): Promise<boolean>;
  /** The handles that begin with `prefix` and hold an address on this node. */
  handlesOf(prefix: string): Promise<readonly string[]>;
}

export interface AddressRequest {
  readonly handle: string;
  readonly families: readonly IpFamily[];
  /** Pools by name or CIDR; empty leaves the choice to selectors. */
  readonly pools: Readonly<Record<IpFamily, readonly string[]>>;
  /** These addresses and no others, instead of one of each family. */
  readonly certain?: readonly IpAddress[];
  /** Of the namespace of the pod, for pools that select by them; `undefined` for what is no pod. */
  readonly namespaceLabels?: Readonly<Record<string, string>> | undefined;
  /** Kept with the allocation: whose it is. */
  readonly attributes: Readonly<Record<string, string>>;
}

export interface FirstAddressRequest extends Omit<AddressRequest, "families" | "certain"> {
  readonly family: IpFamily;
  readonly together: (address: IpAddress) => NewEntry;
}

export type AddressOutcome =
  | {
      readonly kind: "assigned";
      readonly addresses: readonly IpAddress[];
      /** Blocks that the node did not have before: to be announced. */
      readonly claimed: readonly Prefix[];
    }
  /** No address to be had now; `reason` names the pools tried and why each refused. */
  | { readonly kind: "refused"; readonly reason: string };

export interface AddressStanding {
  /** Handle of who has it; empty when it is nobody's in particular. */
  readonly holder: string | undefined;
  /** The enabled pool from which it may be given to anyone at any time. */
  readonly pool: string | undefined;
}

/** A pod's interface as it shall be, both ends. */
export interface PodInterface {
  /** Host end, such as `cali0123456789a`. */
  readonly hostName: string;
  /** Path of the pod's network namespace. */
  readonly netns: string;
  /** Pod end, such as `eth0`. */
  readonly ifname: string;
  /** Of the addresses that it has or will have. */
  readonly families: ReadonlySet<IpFamily>;
  readonly addresses: readonly IpAddress[];
  /** Networks that the pod reaches through the host. */
  readonly routes: readonly Prefix[];
  readonly mtu: number | undefined;
  /** Of the pod's end; the kernel's choice unless told. */
  readonly mac?: string | undefined;
  /** Of each direction, at both ends. */
  readonly queueCount: number;
  /** The pod may route packets between its interfaces. */
  readonly forwarding: boolean;
}

/** Routes of a routing daemon make no gateways: they lead to other nodes. */
export type HostUse = "own" | "gateway";

/** A pair whose ends are up, as the kernel made them: each end's index in its own namespace. */
export interface PreparedPair {
  readonly hostIndex: number;
  readonly podIndex: number;
  /** Of the pod's end. */
  readonly mac: string;
  readonly mtu: number;
}

/** What is in the kernel for a pod, as CHECK and a repeated ADD see it. */
export interface PodInterfaceState {
  readonly mac: string;
  readonly mtu: number;
  /** Every way in which it differs from what ADD makes, each one sentence; none is in order. */
  readonly differences: readonly string[];
}

/**
 * What the engine asks of the kernel, in steps that each can be repeated. Calls throw the kernel's own errors (they carry
 * `errno`); a namespace or an interface that is not there is a value.
 */
export interface PodKernel {
  /** Whether the path leads to a network namespace, and not to the node's own. */
  hasNamespace(netns: string): boolean;
  /** What the host needs an address for itself: it is one of its interfaces', or its own routes lead through it. */
  hostUse(address: IpAddress): HostUse | undefined;
  /** Makes the pair; false when one of its names is taken already. */
  createPair(pod: PodInterface): boolean;
  /** Settings and link state of both ends: all that needs no address. */
  preparePair(pod: PodInterface): PreparedPair;
  /** Addresses and routes of the pod's end; settings and link state too unless the pair is prepared. */
  configurePair(pod: PodInterface, prepared?: PreparedPair): PreparedPair;
  /** The host's routes and neighbour entries for the pod's addresses. */
  addHostRoutes(pod: PodInterface, pair: PreparedPair): void;
  /** What is there, or `undefined` when the pair is not. */
  inspect(pod: PodInterface): PodInterfaceState | undefined;
  /** Name of the other end of `hostName` in this namespace, or `undefined` when it is not there. */
  podEnd(hostName: string, netns: string): string | undefined;
  /** Removes the pair by its host end, with its routes. Waits without holding up the daemon. */
  removePair(hostName: string): Promise<void>;
  /** The same only where `podEnd` in this namespace is `ifname`, which is looked at without holding up the daemon too. */
  removeOwnPair(hostName: string, netns: string, ifname: string): Promise<PairRemoval>;
}

/** "removed": it is gone. "another": the pair's end in the namespace has another name. "unseen": it has none there. */
export type PairRemoval = "removed" | "another" | "unseen";

/** Who must know of a pod or a block before the runtime is told that the network works. */
export interface CniHooks {
  /** The node's first use of these blocks: resolves when they are announced to the peers there are. */
  blocksClaimed(blocks: readonly Prefix[]): Promise<void>;
  /**
   * The endpoint is in the kernel and in the store, but for what its annotations ask for and cannot have, a line each:
   * resolves when the daemon has taken notice.
   */
  endpointAdded(endpoint: EndpointNotice, annotationProblems: readonly string[]): Promise<void>;
  endpointRemoved(endpoint: Omit<EndpointNotice, "addresses">): Promise<void>;
}

export interface EndpointNotice {
  readonly hostName: string;
  readonly endpointName: string;
  /** Of the file that says that its rules are in force. */
  readonly statusFile: string;
  readonly containerId: string;
  readonly namespace: string;
  readonly addresses: readonly IpAddress[];
}

/** What the datastore knows of a namespace. */
export interface NamespaceFacts {
  readonly labels: Readonly<Record<string, string>>;
  readonly annotations: ReadonlyMap<string, string>;
}

/** What only the orchestrator knows of a pod. */
export interface PodFacts {
  readonly labels: Readonly<Record<string, string>>;
  readonly serviceAccount: string;
  readonly generateName?: string;
}
