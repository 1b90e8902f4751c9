import { IpAddress } from "@caracal/net";
import { type Static, Type } from "../type.ts";
import type { Immutable } from "../immutable.ts";
import { defineKind, type Kind } from "../kind.ts";
import { parsePeerAddress } from "../peer-address.ts";
import { checkNames } from "../name-fields.ts";
import { problem, type Problem } from "../problem.ts";
import { asNumber, choice, resourceSchema, secretRefSchema, text } from "../resource-schema.ts";

const bgpPeerSchema = resourceSchema(
  "BGPPeer",
  Type.Object(
    {
      node: Type.Optional(Type.String({ maxLength: 253, description: "The one node that has this peer." })),
      nodeSelector: Type.Optional(text("selector", { description: "The nodes that have this peer." })),
      peerIP: Type.Optional(text("peerIP", { description: "IP, IPv4:port or [IPv6]:port." })),
      asNumber: Type.Optional(asNumber("The peer's AS; with peerSelector it is the peer node's own.")),
      localASNumber: Type.Optional(asNumber("AS to show this peer instead of the node's own.")),
      peerSelector: Type.Optional(text("selector", { description: "Nodes to peer with." })),
      keepOriginalNextHop: Type.Optional(Type.Boolean({ description: "Deprecated: use nextHopMode." })),
      password: Type.Optional(secretRefSchema),
      sourceAddress: Type.Optional(choice(["UseNodeIP", "None"])),
      maxRestartTime: Type.Optional(text("goDuration")),
      keepaliveTime: Type.Optional(text("goDuration")),
      numAllowedLocalASNumbers: Type.Optional(Type.Integer({ minimum: 0, maximum: 2147483647 })),
      ttlSecurity: Type.Optional(Type.Integer({ minimum: 0, maximum: 255 })),
      reachableBy: Type.Optional(text("ip", { description: "Gateway that the peer is behind." })),
      filters: Type.Optional(Type.Array(Type.String())),
      localWorkloadSelector: Type.Optional(text("selector")),
      reversePeering: Type.Optional(choice(["Auto", "Manual"])),
      nextHopMode: Type.Optional(choice(["Auto", "Self", "Keep"])),
    },
    { default: {} },
  ),
);

/** A peering of one, some or all nodes. */
export type BgpPeer = Immutable<Static<typeof bgpPeerSchema>>;

export const bgpPeerKind: Kind<BgpPeer> = defineKind({
  name: "BGPPeer",
  plural: "bgppeers",
  aliases: ["bgppeer", "bgppeers", "bgpp", "bgpps", "bp", "bps"],
  schema: bgpPeerSchema,
  check: ({ spec }) => [
    ...checkNames({ "spec.node": spec.node }),
    ...checkExclusives(spec),
    ...checkReachableBy(spec),
  ],
});

/** A peer without an address or an AS is legal and of no use: what becomes of it is told where peers are made of it. */
function checkExclusives(spec: BgpPeer["spec"]): readonly Problem[] {
  const problems: Problem[] = [];
  const refuse = (name: string, found: unknown, reason: string, field: string): void => {
    problems.push(problem(`spec.${name}`, found, reason, { field }));
  };
  if (spec.node !== undefined && spec.nodeSelector !== undefined) {
    refuse("node", spec.node, "Node field must be empty when NodeSelector is specified", "Node");
  }
  if (spec.peerSelector !== undefined) {
    const suffix = "field must be empty when PeerSelector is specified";
    if (spec.peerIP !== undefined) refuse("peerIP", spec.peerIP, `PeerIP ${suffix}`, "PeerIP");
    if ((spec.asNumber ?? 0) !== 0) refuse("asNumber", spec.asNumber, `ASNumber ${suffix}`, "ASNumber");
  }
  if (spec.localWorkloadSelector !== undefined) {
    const suffix = "when LocalWorkloadSelector is specified";
    if (spec.peerIP !== undefined)
      refuse("peerIP", spec.peerIP, `PeerIP field must be empty ${suffix}`, "PeerIP");
    if (spec.peerSelector !== undefined) {
      refuse("peerSelector", spec.peerSelector, `PeerSelector field must be empty ${suffix}`, "PeerSelector");
    }
    if ((spec.asNumber ?? 0) === 0) {
      refuse("asNumber", spec.asNumber, `ASNumber field must NOT be empty ${suffix}`, "ASNumber");
    }
  }
  if (spec.keepOriginalNextHop === true && spec.nextHopMode !== undefined) {
    const reason =
      "The KeepOriginalNextHop field is deprecated. It must not be set to true when NextHopMode is configured.";
    refuse("keepOriginalNextHop", true, reason, "KeepOriginalNextHop");
  }
  return problems;
}

function checkReachableBy(spec: BgpPeer["spec"]): readonly Problem[] {
  if (spec.reachableBy === undefined) return [];
  const gateway = IpAddress.parse(spec.reachableBy);
  const peer = spec.peerIP === undefined ? undefined : parsePeerAddress(spec.peerIP)?.address;
  const options = { field: "ReachableBy" };
  if (peer === undefined) {
    const reason = "ReachableBy field must be empty when PeerIP is empty";
    return [problem("spec.reachableBy", spec.reachableBy, reason, options)];
  }
  if (gateway === undefined || IpAddress.family(gateway) === IpAddress.family(peer)) return [];
  const reason = "ReachableBy and PeerIP address family mismatched";
  return [problem("spec.reachableBy", spec.reachableBy, reason, options)];
}
