import type { PeerIntent } from "@caracal/intent";
import { IpAddress, Ipv4 } from "@caracal/net";
import type { FamilyView } from "./family-view.ts";
import { block, quoted } from "./bird-text.ts";
import { filterCalls } from "./filter-functions.ts";

/** The peers of a family, by where they come from. */
export function peerSections(view: FamilyView): readonly string[] {
  const { bgp, family } = view;
  const peers = bgp.peers.filter((peer) => peer.family === family);
  const of = (type: PeerIntent["type"]): readonly string[] =>
    peers.filter((peer) => peer.type === type).flatMap((peer) => ["", ...peerLines(view, peer)]);
  const workloads = of("workload");
  return [
    "# ------------- Node-to-node mesh -------------",
    ...meshLines(view, peers),
    "",
    "# ------------- Global peers -------------",
    ...orNone(of("global"), "# No global peers configured."),
    "",
    "# ------------- Node-specific peers -------------",
    ...orNone(of("node"), "# No node-specific peers configured."),
    ...(workloads.length === 0
      ? []
      : ["", "# ------------- Local workload peers -------------", ...workloads]),
  ];
}

function orNone(lines: readonly string[], none: string): readonly string[] {
  return lines.length === 0 ? [none] : lines;
}

/** All nodes of the mesh by name, ourselves among them. */
function meshLines(view: FamilyView, peers: readonly PeerIntent[]): readonly string[] {
  const { intent, bgp, family } = view;
  if (bgp.clusterId !== undefined) {
    const id = Ipv4.format(bgp.clusterId);
    return [`# This node is a route reflector with cluster ID ${id}: it is not in the mesh.`];
  }
  if (!bgp.isInMesh) return ["# Node-to-node mesh disabled"];
  const own = bgp.addresses.get(family);
  const ours = own === undefined ? "" : IpAddress.format(own);
  const entries = [
    {
      node: intent.node,
      lines: [`# For peer /host/${intent.node}/ip_addr_v${family}`, `# Skipping ourselves (${ours})`],
    },
    ...peers
      .filter(({ type }) => type === "mesh")
      .map((peer) => ({ node: peer.node ?? "", lines: peerLines(view, peer) })),
  ];
  return entries.toSorted((a, b) => (a.node < b.node ? -1 : 1)).flatMap(({ lines }) => ["", ...lines]);
}

function peerLines(view: FamilyView, peer: PeerIntent): readonly string[] {
  return [
    `# For peer ${originOf(view, peer)}`,
    ...block(`protocol bgp ${peer.name} from bgp_template`, [
      ...connectionLines(view, peer),
      ...routeLines(view, peer),
    ]),
  ];
}

/** The key that Calico keeps the peer under. */
function originOf({ intent, family }: FamilyView, { type, node, address }: PeerIntent): string {
  const text = IpAddress.format(address);
  if (type === "mesh") return `/host/${node}/ip_addr_v${family}`;
  const scope = type === "global" ? "global" : `host/${intent.node}`;
  return `/bgp/v1/${scope}/peer_v${family}/${text}`;
}

function connectionLines({ bgp, options }: FamilyView, peer: PeerIntent): readonly string[] {
  const { address, port, remoteAsNumber, localAsNumber, sourceAddress, ttlSecurityHops } = peer;
  const password = peer.password === undefined ? undefined : options.passwordOf(peer.password);
  const at = port === 179 ? "" : ` port ${port}`;
  return [
    ...(ttlSecurityHops === undefined
      ? ["ttl security off;", "multihop;"]
      : ["ttl security on;", `multihop ${ttlSecurityHops};`]),
    `neighbor ${IpAddress.format(address)}${at} as ${remoteAsNumber};`,
    ...(localAsNumber === bgp.asNumber ? [] : [`local as ${localAsNumber};`]),
    ...(sourceAddress === undefined
      ? []
      : [
          `source address ${IpAddress.format(sourceAddress)};  # The local address we use for the TCP connection`,
        ]),
    ...(password === undefined ? [] : [`password ${quoted(password)};`]),
    ...(peer.isPassive ? ["passive on; # The peer will connect to us."] : []),
    ...timerLines(peer),
  ];
}

/** BIRD's own timers need no line. */
function timerLines({ restartSeconds, keepaliveSeconds }: PeerIntent): readonly string[] {
  return [
    ...(restartSeconds === 120 ? [] : [`graceful restart time ${restartSeconds};`]),
    ...(keepaliveSeconds === 80 ? [] : [`keepalive time ${keepaliveSeconds};`]),
  ];
}

function routeLines({ bgp, family }: FamilyView, peer: PeerIntent): readonly string[] {
  const { reflectorClusterId, nextHop, allowedLocalAsCount, filters } = peer;
  const isInternal = peer.localAsNumber === peer.remoteAsNumber;
  const imports = filterCalls(filters, bgp.filters, { direction: "import", family, isInternal });
  const exports = filterCalls(filters, bgp.filters, { direction: "export", family, isInternal });
  return [
    ...(reflectorClusterId === undefined
      ? []
      : ["rr client;", `rr cluster id ${Ipv4.format(reflectorClusterId)};`]),
    ...(nextHop === "auto" ? [] : [`next hop ${nextHop};`]),
    ...(allowedLocalAsCount === 0 ? [] : [`allow local as ${allowedLocalAsCount};`]),
    ...(imports.length === 0
      ? []
      : filterBlock("import", [...imports, "accept; # Prior filters left it open."])),
    ...filterBlock("export", [...exports, `calico_export_to_bgp_peers(${String(isInternal)});`, "reject;"]),
  ];
}

function filterBlock(direction: string, lines: readonly string[]): readonly string[] {
  const opened = block(`${direction} filter`, lines);
  return [...opened.slice(0, -1), "};"];
}
