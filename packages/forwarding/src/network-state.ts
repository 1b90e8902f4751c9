import type { InterfaceAddress, Link, Neighbour, Route, Rule } from "@caracal/netlink";

/** All of a network namespace's kernel state that decides where packets go. */
export interface NetworkState {
  readonly links: readonly Link[];
  readonly addresses: readonly InterfaceAddress[];
  /** Of both families, in the order in which they are asked. */
  readonly rules: readonly Rule[];
  readonly routes: readonly Route[];
  /** ARP and neighbour discovery. */
  readonly neighbours: readonly Neighbour[];
  /** Forwarding entries of bridges and VXLAN devices. */
  readonly forwarding: readonly Neighbour[];
  /** Settings by their path below /proc/sys/net: `ipv4/conf/eth0/rp_filter`. One that is not there could not be read. */
  readonly settings: Readonly<Record<string, string>>;
  readonly filter: PacketFilter;
}

/** What nftables does with packets. */
export type PacketFilter =
  /** The objects of `nft --json list ruleset`. */
  | { readonly kind: "known"; readonly objects: readonly unknown[] }
  | { readonly kind: "unknown"; readonly because: string };

/** Of a namespace in which nothing was ever made. */
export const emptyNetworkState: NetworkState = {
  links: [],
  addresses: [],
  rules: [],
  routes: [],
  neighbours: [],
  forwarding: [],
  settings: {},
  filter: { kind: "known", objects: [] },
};
