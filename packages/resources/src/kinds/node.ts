import { type Static, Type } from "../type.ts";
import type { Immutable } from "../immutable.ts";
import { defineKind, type Kind } from "../kind.ts";
import { problem } from "../problem.ts";
import { asNumber, choice, resourceWithStatusSchema, text } from "../resource-schema.ts";

const bgpSchema = Type.Object({
  asNumber: Type.Optional(asNumber("AS of this node; absent means the cluster's.")),
  ipv4Address: Type.Optional(
    text("ipv4OrCidr", { description: "Address of the sessions, with its subnet." }),
  ),
  ipv6Address: Type.Optional(text("ipv6OrCidr")),
  ipv4IPIPTunnelAddr: Type.Optional(text("ipv4")),
  routeReflectorClusterID: Type.Optional(
    text("ipv4", {
      description: "Makes the node a route reflector of this cluster and takes it out of the mesh.",
    }),
  ),
});

const nodeSchema = resourceWithStatusSchema(
  "Node",
  Type.Object(
    {
      bgp: Type.Optional(bgpSchema),
      ipv4VXLANTunnelAddr: Type.Optional(text("ipv4")),
      vxlanTunnelMACAddr: Type.Optional(text("mac")),
      ipv6VXLANTunnelAddr: Type.Optional(text("ipv6")),
      vxlanTunnelMACAddrV6: Type.Optional(text("mac")),
      orchRefs: Type.Optional(
        Type.Array(Type.Object({ nodeName: Type.Optional(Type.String()), orchestrator: Type.String() })),
      ),
      wireguard: Type.Optional(
        Type.Object({
          interfaceIPv4Address: Type.Optional(text("ipv4")),
          interfaceIPv6Address: Type.Optional(text("ipv6")),
        }),
      ),
      addresses: Type.Optional(
        Type.Array(
          Type.Object({
            address: text("ipOrCidr"),
            type: Type.Optional(choice(["CalicoNodeIP", "InternalIP", "ExternalIP"])),
          }),
        ),
      ),
      interfaces: Type.Optional(
        Type.Array(
          Type.Object({
            name: Type.String(),
            addresses: Type.Optional(Type.Array(text("ipOrCidr"))),
          }),
        ),
      ),
    },
    { default: {} },
  ),
  Type.Object({
    wireguardPublicKey: Type.Optional(Type.String()),
    wireguardPublicKeyV6: Type.Optional(Type.String()),
    podCIDRs: Type.Optional(Type.Array(text("ipOrCidr"))),
  }),
);

/** A host that runs the node daemon. */
export type Node = Immutable<Static<typeof nodeSchema>>;

export const nodeKind: Kind<Node> = defineKind({
  name: "Node",
  plural: "nodes",
  aliases: ["node", "nodes", "no", "nos"],
  schema: nodeSchema,
  check: (node) =>
    node.spec.bgp !== undefined && Object.keys(node.spec.bgp).length === 0
      ? [problem("spec.bgp", undefined, "Spec.BGP should not be empty", { field: "BGP" })]
      : [],
});
