import { IpAddress, Prefix } from "@caracal/net";
import type { ClusterSnapshot } from "../cluster/read-cluster.ts";
import type { Place, PlaceName } from "./world.ts";

/** One end of a trace. */
export interface TraceEnd {
  /** As it was asked for, in full: `default/web (10.244.1.5)`. */
  readonly text: string;
  /** Where it is; absent: an address outside of the cluster. */
  readonly place?: PlaceName;
  /** The pool that a nobody's address is in. */
  readonly pool?: string;
  /** Those to choose from, the one that was named alone if one was. */
  readonly addresses: readonly IpAddress[];
  /** The kernel may choose among a node's addresses when it sends. */
  readonly isWholePlace: boolean;
}

export type EndLookup =
  | { readonly kind: "found"; readonly end: TraceEnd }
  | { readonly kind: "ambiguous"; readonly candidates: readonly string[] }
  | { readonly kind: "unknown"; readonly names: readonly string[] };

/** A trace's places by the records: nodes, pods, and switches where their kernels can be looked into. */
export function recordedPlaces(
  cluster: ClusterSnapshot,
  switches: readonly { readonly name: string; readonly addresses: readonly string[] }[],
): readonly Place[] {
  return [
    ...cluster.resources.nodes.map((node): Place => {
      const { bgp, addresses = [], ipv4VXLANTunnelAddr, ipv6VXLANTunnelAddr } = node.spec;
      const texts = [
        bgp?.ipv4Address,
        bgp?.ipv6Address,
        ...addresses.map(({ address }) => address),
        bgp?.ipv4IPIPTunnelAddr,
        ipv4VXLANTunnelAddr,
        ipv6VXLANTunnelAddr,
      ];
      return { name: { kind: "node", name: node.metadata.name }, addresses: addressesOf(texts) };
    }),
    ...cluster.endpoints.flatMap(({ metadata, spec }): readonly Place[] => {
      const { node, pod, interfaceName, ipNetworks = [] } = spec;
      if (node === undefined) return [];
      const name = `${metadata.namespace ?? "default"}/${pod ?? metadata.name}`;
      return [
        {
          name: { kind: "pod", name, node },
          addresses: addressesOf(ipNetworks),
          ...(interfaceName === undefined ? {} : { hostInterface: interfaceName }),
        },
      ];
    }),
    ...switches.map(({ name, addresses }): Place => ({
      name: { kind: "switch", name },
      addresses: addressesOf(addresses),
    })),
  ];
}

/** What the words mean: `POD`, `NAMESPACE/POD`, `NODE` (or `node/NODE` where a pod has the same name), an address. */
export function findEnd(cluster: ClusterSnapshot, places: readonly Place[], words: string): EndLookup {
  const address = IpAddress.parse(words);
  if (address !== undefined) return { kind: "found", end: addressEnd(cluster, places, address) };
  const found = places.filter(({ name }) => isCalled(name, words));
  // A host's whole name goes before another host's first label.
  const isHosts = found.every(({ name }) => name.kind !== "pod");
  const exact = isHosts ? found.filter(({ name }) => name.name === words) : [];
  const fit = exact.length > 0 ? exact : found;
  const [place, other] = fit;
  if (place === undefined) return { kind: "unknown", names: places.map(({ name }) => shortName(name)) };
  if (other !== undefined) return { kind: "ambiguous", candidates: fit.map(({ name }) => writtenOut(name)) };
  const { name, addresses } = place;
  return {
    kind: "found",
    end: { text: name.name, place: name, addresses, isWholePlace: name.kind !== "pod" },
  };
}

/** Every name that an end may be given by, for a shell to offer. */
export function endNames(places: readonly Place[]): readonly string[] {
  const count = new Map<string, number>();
  for (const { name } of places) count.set(shortName(name), (count.get(shortName(name)) ?? 0) + 1);
  return places.map(({ name }) => (count.get(shortName(name)) === 1 ? shortName(name) : writtenOut(name)));
}

/** The pair of addresses of one family; IPv4 where both have both, unless IPv6 is wanted. */
export function commonFamily(from: TraceEnd, to: TraceEnd, isIpv6Wanted: boolean): 4 | 6 | undefined {
  const has = ({ addresses }: TraceEnd, family: 4 | 6): boolean =>
    addresses.length === 0 || addresses.some((one) => IpAddress.family(one) === family);
  const order = isIpv6Wanted ? ([6, 4] as const) : ([4, 6] as const);
  return order.find((family) => has(from, family) && has(to, family));
}

function addressEnd(cluster: ClusterSnapshot, places: readonly Place[], address: IpAddress): TraceEnd {
  const text = IpAddress.format(address);
  const place =
    places.find(({ addresses }) => addresses.includes(address))?.name ?? floatingOwner(cluster, text);
  const pool = place === undefined ? poolWith(cluster, address) : undefined;
  return {
    text,
    ...(place === undefined ? {} : { place }),
    ...(pool === undefined ? {} : { pool }),
    addresses: [address],
    isWholePlace: false,
  };
}

function poolWith({ resources }: ClusterSnapshot, address: IpAddress): string | undefined {
  const pool = resources.pools.find(({ spec }) => {
    const cidr = Prefix.parse(spec.cidr);
    return cidr !== undefined && Prefix.contains(cidr, address);
  });
  return pool?.metadata.name;
}

/** The pod that packets to a floating address are for. */
function floatingOwner({ endpoints }: ClusterSnapshot, address: string): PlaceName | undefined {
  const endpoint = endpoints.find(({ spec }) =>
    spec.ipNATs?.some(({ externalIP }) => externalIP === address),
  );
  if (endpoint?.spec.node === undefined) return undefined;
  const { metadata, spec } = endpoint;
  return {
    kind: "pod",
    name: `${metadata.namespace ?? "default"}/${spec.pod ?? metadata.name}`,
    node: endpoint.spec.node,
  };
}

function isCalled({ kind, name }: PlaceName, words: string): boolean {
  if (kind === "pod") return name === words || name.slice(name.indexOf("/") + 1) === words;
  // The first label of a domain name is what people call a host, or what comes last after a cluster's name.
  const isShort = name.startsWith(`${words}.`) || name.endsWith(`-${words}`);
  return name === words || `${kind}/${name}` === words || isShort;
}

function shortName({ kind, name }: PlaceName): string {
  return kind === "pod" ? name.slice(name.indexOf("/") + 1) : name;
}

function writtenOut({ kind, name }: PlaceName): string {
  return kind === "pod" ? name : `${kind}/${name}`;
}

function addressesOf(texts: readonly (string | undefined)[]): readonly IpAddress[] {
  const found = texts.flatMap(
    (text) => (text === undefined ? undefined : Prefix.parseInterface(text)?.address) ?? [],
  );
  return [...new Set(found)];
}
