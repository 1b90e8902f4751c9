import type { NetworkState } from "@caracal/forwarding";
import { IpAddress } from "@caracal/net";
import { Iff, type InterfaceAddress, type Link } from "@caracal/netlink";

/** Whom a place belongs to. */
export interface PlaceName {
  readonly kind: "pod" | "node" | "switch" | "outside";
  readonly name: string;
  /** Of a pod: where it runs. */
  readonly node?: string;
}

/** A network namespace that packets come to. */
export interface Place {
  readonly name: PlaceName;
  /** Absent: nobody could be asked, `unknownBecause` says why. */
  readonly state?: NetworkState;
  readonly unknownBecause?: string;
  /** By the records; what the kernel has is in the state. */
  readonly addresses: readonly IpAddress[];
  /** Of a pod: the host's end of its link. */
  readonly hostInterface?: string;
}

/** Everything that is known of, seen or not. */
export interface World {
  readonly places: readonly Place[];
  /** What states were asked for: of other addresses they need not tell anything. */
  readonly about: ReadonlySet<IpAddress>;
}

/** An interface and the place that it is in. */
export interface Port {
  readonly place: Place;
  readonly link: Link;
}

export function placeKey({ kind, name }: PlaceName): string {
  return `${kind} ${name}`;
}

export function findPlace({ places }: World, name: PlaceName): Place | undefined {
  return places.find((place) => placeKey(place.name) === placeKey(name));
}

/** The interface of an index, if the state has it. */
export function linkOf(state: NetworkState, index: number | undefined): Link | undefined {
  return state.links.find((link) => link.index === index);
}

/** Why nothing goes through an interface, if so. */
export function whyDown({ flags }: Link): string | undefined {
  if ((flags & Iff.IFF_UP) === 0) return "is down";
  return (flags & Iff.IFF_LOWER_UP) === 0 ? "has no carrier: its other end is down or unplugged" : undefined;
}

export function isLoopback({ flags }: Link): boolean {
  return (flags & Iff.IFF_LOOPBACK) !== 0;
}

/** Whether nobody is asked for hardware addresses on it. */
export function needsNoNeighbour({ flags }: Link): boolean {
  return (flags & (Iff.IFF_NOARP | Iff.IFF_LOOPBACK | Iff.IFF_POINTOPOINT)) !== 0;
}

/** The interfaces that have the address by their own kernel's word, wherever they are. */
export function portsWith({ places }: World, address: IpAddress): readonly Port[] {
  return places.flatMap((place) => {
    const { state } = place;
    const found = state?.addresses.find((one) => one.address === address);
    const link = state === undefined ? undefined : linkOf(state, found?.interfaceIndex);
    return link === undefined ? [] : [{ place, link }];
  });
}

/** Whoever should have the address by the records. */
export function recordedOwner({ places }: World, address: IpAddress): Place | undefined {
  return places.find(({ addresses }) => addresses.includes(address));
}

/** `pod default/web on n1`, `node n1`. */
export function placeText({ kind, name, node }: PlaceName): string {
  if (kind === "outside") return name;
  return kind === "pod" && node !== undefined ? `pod ${name} on ${node}` : `${kind} ${name}`;
}

/** Which of a place's own addresses a packet gets that goes out by `link` to `gateway`, as the kernel chooses. */
export function chooseSource(
  { addresses }: NetworkState,
  link: Link,
  target: IpAddress,
): IpAddress | undefined {
  const family = IpAddress.family(target);
  const fit = addresses.filter(({ address }) => IpAddress.family(address) === family);
  const global = fit.filter(({ scope }) => scope === 0);
  const onLink = global.filter(({ interfaceIndex }) => interfaceIndex === link.index);
  const sameNetwork = onLink.find((one) => isInNetworkOf(one, target));
  return (sameNetwork ?? onLink[0] ?? global[0] ?? fit[0])?.address;
}

function isInNetworkOf({ address, prefixLength }: InterfaceAddress, target: IpAddress): boolean {
  const shift = BigInt((IpAddress.isIpv4(address) ? 32 : 128) - prefixLength);
  return BigInt(address) >> shift === BigInt(target) >> shift;
}
