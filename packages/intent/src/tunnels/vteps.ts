import { IpAddress, type IpFamily } from "@caracal/net";
import { Mac } from "@caracal/netlink";
import type { Node } from "@caracal/resources";
import type { ClusterFacts, ClusterResources, NodeFacts } from "../cluster.ts";
import { compareText, type IntentProblem } from "../intent-problem.ts";

/** One node's end of a VXLAN tunnel. */
export interface TunnelEnd {
  readonly node: NodeFacts;
  /** The tunnel address; a node that has just come has none yet. */
  readonly address: IpAddress | undefined;
  readonly mac: Mac;
}

/** What nodes have for tunnels. */
export interface NodeTunnels {
  /** By family and name: every node that has an address of the family, but those whose end collides with an older node's. */
  readonly vxlan: ReadonlyMap<IpFamily, ReadonlyMap<string, TunnelEnd>>;
  readonly ipip: ReadonlyMap<string, IpAddress>;
}

interface EndFacts {
  readonly address: IpAddress | undefined;
  readonly mac: Mac;
}

// Resources are immutable values, so what follows from one is computed once.
const endsOfNode = new WeakMap<Node, ReadonlyMap<IpFamily, EndFacts>>();

/** The first byte of a MAC made of a name: locally administered, unicast. */
const madeMacByte = 0x66;

/** The tunnel ends of all nodes. Of two nodes with one MAC or address the older has it. */
export function nodeTunnels(
  resources: ClusterResources,
  cluster: ClusterFacts,
  sha1: (text: string) => Uint8Array,
  problems: IntentProblem[],
): NodeTunnels {
  const ipip = new Map<string, IpAddress>();
  const ends = { 4: new Map<string, TunnelEnd>(), 6: new Map<string, TunnelEnd>() };
  for (const resource of resources.nodes) {
    const node = cluster.nodesByName.get(resource.metadata.name);
    if (node === undefined) continue;
    const ipipAddress = addressIn(resource.spec.bgp?.ipv4IPIPTunnelAddr, 4);
    if (ipipAddress !== undefined) ipip.set(node.name, ipipAddress);
    const facts = endsOf(resource, sha1);
    for (const family of [4, 6] as const) {
      const end = facts.get(family);
      if (end !== undefined && node.addresses.has(family)) ends[family].set(node.name, { node, ...end });
    }
  }
  for (const family of [4, 6] as const) settleEnds(ends[family], problems);
  return { ipip, vxlan: new Map([[4, ends[4]] as const, [6, ends[6]] as const]) };
}

function endsOf(resource: Node, sha1: (text: string) => Uint8Array): ReadonlyMap<IpFamily, EndFacts> {
  const known = endsOfNode.get(resource);
  if (known !== undefined) return known;
  const { spec, metadata } = resource;
  const { vxlanTunnelMACAddr, vxlanTunnelMACAddrV6 } = spec;
  const ends = new Map<IpFamily, EndFacts>([
    [
      4,
      {
        address: addressIn(spec.ipv4VXLANTunnelAddr, 4),
        mac: macIn(vxlanTunnelMACAddr) ?? madeMac(sha1(metadata.name)),
      },
    ],
    [
      6,
      {
        address: addressIn(spec.ipv6VXLANTunnelAddr, 6),
        mac: macIn(vxlanTunnelMACAddrV6) ?? madeMac(sha1(`${metadata.name}-v6`)),
      },
    ],
  ]);
  endsOfNode.set(resource, ends);
  return ends;
}

function settleEnds(ends: Map<string, TunnelEnd>, problems: IntentProblem[]): void {
  const taken = new Map<string, TunnelEnd>();
  for (const end of [...ends.values()].toSorted((a, b) => compareAge(a.node, b.node))) {
    const claims = [
      `MAC ${Mac.format(end.mac)}`,
      ...(end.address === undefined ? [] : [`tunnel address ${IpAddress.format(end.address)}`]),
    ];
    const clash = claims.find((claim) => taken.has(claim));
    if (clash === undefined) {
      for (const claim of claims) taken.set(claim, end);
      continue;
    }
    const owner = taken.get(clash)?.node.name ?? "";
    const message = `has the VXLAN ${clash} of Node(${owner}), and is not reached through VXLAN: give one of them another`;
    problems.push({ about: `Node(${end.node.name})`, message });
    ends.delete(end.node.name);
  }
}

function compareAge(a: NodeFacts, b: NodeFacts): number {
  return compareText(a.createdAt, b.createdAt) || compareText(a.name, b.name);
}

function addressIn(text: string | undefined, family: IpFamily): IpAddress | undefined {
  const found = text === undefined ? undefined : IpAddress.parse(text);
  return found !== undefined && IpAddress.family(found) === family ? found : undefined;
}

/** A MAC of a group is nobody's. */
function macIn(text: string | undefined): Mac | undefined {
  const found = text === undefined ? undefined : Mac.parse(text);
  const [first = 1] = found === undefined ? [] : Mac.toBytes(found);
  return (first & 1) === 0 ? found : undefined;
}

function madeMac(digest: Uint8Array): Mac {
  const made = Mac.fromBytes(Uint8Array.of(madeMacByte, ...digest.subarray(0, 5)));
  if (made === undefined) throw new RangeError("a SHA-1 has twenty bytes");
  return made;
}
