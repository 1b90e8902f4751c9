import { IpAddress } from "@caracal/net";
import {
  type BgpPeer,
  type Labels,
  matchesSelector,
  parsePeerAddress,
  parseSelector,
  type PeerAddress,
  type Selector,
} from "@caracal/resources";

/** A BGPPeer with its selectors and address parsed. */
export interface Peering {
  readonly name: string;
  readonly spec: BgpPeer["spec"];
  /** Applies to every node. */
  readonly isGlobal: boolean;
  /** Matches nodes with this peer; a malformed selector matches none. */
  readonly isLocal: (node: { readonly name: string; readonly labels: Labels }) => boolean;
  /** Matches nodes to peer with; absent for a peer given by address. */
  readonly isRemote: ((labels: Labels) => boolean) | undefined;
  /** Matches workloads to peer with; absent for peers outside the nodes. */
  readonly isWorkload: ((labels: Labels) => boolean) | undefined;
  readonly peer: (PeerAddress & { readonly text: string }) | undefined;
  /** Its IPv6 sessions carry IPv4 routes, too. */
  readonly carriesIpv4: boolean;
}

/** The annotation of a BGPPeer by which IPv4 routes go over its IPv6 sessions (RFC 8950): `true`. */
export const ipv4OverIpv6Annotation = "caracal/ipv4-over-ipv6";

const known = new WeakMap<BgpPeer, Peering>();

/** The parsed form of a BGPPeer, computed once per object. */
export function peeringOf(resource: BgpPeer): Peering {
  const found = known.get(resource);
  if (found !== undefined) return found;
  const peering = derive(resource);
  known.set(resource, peering);
  return peering;
}

function derive({ metadata, spec }: BgpPeer): Peering {
  const peer = spec.peerIP === undefined ? undefined : parsePeerAddress(spec.peerIP);
  return {
    name: metadata.name,
    spec,
    isGlobal: spec.node === undefined && spec.nodeSelector === undefined,
    isLocal: localMatcher(spec),
    isRemote: spec.peerSelector === undefined ? undefined : matcher(spec.peerSelector),
    isWorkload: spec.localWorkloadSelector === undefined ? undefined : matcher(spec.localWorkloadSelector),
    peer: peer === undefined ? undefined : { ...peer, text: IpAddress.format(peer.address) },
    carriesIpv4: metadata.annotations?.[ipv4OverIpv6Annotation] === "true",
  };
}

function localMatcher(spec: BgpPeer["spec"]): Peering["isLocal"] {
  if (spec.node !== undefined) return (node) => node.name === spec.node;
  if (spec.nodeSelector === undefined) return () => true;
  const matches = matcher(spec.nodeSelector);
  return (node) => matches(node.labels);
}

function matcher(text: string): (labels: Labels) => boolean {
  const parsed = parseSelector(text);
  if (parsed.kind === "bad") return () => false;
  const selector: Selector = parsed.selector;
  return (labels) => matchesSelector(selector, labels);
}
