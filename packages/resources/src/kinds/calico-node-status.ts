import { type Static, Type } from "../type.ts";
import type { Immutable } from "../immutable.ts";
import { defineKind, type Kind } from "../kind.ts";
import { checkNames } from "../name-fields.ts";
import { problem } from "../problem.ts";
import { choice, resourceWithStatusSchema, text } from "../resource-schema.ts";

const optionalText = Type.Optional(Type.String());

const birdSchema = Type.Optional(
  Type.Object({
    state: Type.Optional(choice(["Ready", "NotReady"])),
    version: optionalText,
    routerID: optionalText,
    lastBootTime: optionalText,
    lastReconfigurationTime: optionalText,
  }),
);

const peersSchema = Type.Optional(
  Type.Array(
    Type.Object({
      peerIP: optionalText,
      type: Type.Optional(choice(["NodeMesh", "NodePeer", "GlobalPeer"])),
      state: Type.Optional(
        choice(["Idle", "Connect", "Active", "OpenSent", "OpenConfirm", "Established", "Close"]),
      ),
      since: optionalText,
    }),
  ),
);

const routesSchema = Type.Optional(
  Type.Array(
    Type.Object({
      type: Type.Optional(choice(["FIB", "RIB"])),
      destination: optionalText,
      gateway: optionalText,
      interface: optionalText,
      learnedFrom: Type.Optional(
        Type.Object({
          sourceType: Type.Optional(choice(["Kernel", "Static", "Direct", "NodeMesh", "BGPPeer"])),
          peerIP: optionalText,
        }),
      ),
    }),
  ),
);

const count = Type.Integer({ minimum: 0, default: 0 });

const calicoNodeStatusSchema = resourceWithStatusSchema(
  "CalicoNodeStatus",
  Type.Object({
    node: Type.Optional(Type.String({ description: "The node whose state is wanted." })),
    classes: Type.Optional(
      Type.Array(choice(["Agent", "BGP", "Routes"]), { description: "What of its state." }),
    ),
    updatePeriodSeconds: Type.Optional(
      Type.Integer({ minimum: 0, maximum: 86400, description: "Seconds between updates; 0 is never." }),
    ),
  }),
  Type.Object({
    lastUpdated: Type.Optional(text("timestamp")),
    agent: Type.Optional(Type.Object({ birdV4: birdSchema, birdV6: birdSchema })),
    bgp: Type.Optional(
      Type.Object({
        numberEstablishedV4: count,
        numberNotEstablishedV4: count,
        numberEstablishedV6: count,
        numberNotEstablishedV6: count,
        peersV4: peersSchema,
        peersV6: peersSchema,
      }),
    ),
    routes: Type.Optional(Type.Object({ routesV4: routesSchema, routesV6: routesSchema })),
  }),
);

/** Asks a node to keep its state in the store, and holds it. */
export type CalicoNodeStatus = Immutable<Static<typeof calicoNodeStatusSchema>>;

export const calicoNodeStatusKind: Kind<CalicoNodeStatus> = defineKind({
  name: "CalicoNodeStatus",
  plural: "caliconodestatuses",
  aliases: ["caliconodestatus", "caliconodestatuses", "nodestatus", "nodestatuses"],
  schema: calicoNodeStatusSchema,
  check: ({ spec }) => [
    ...requireField("node", spec.node),
    ...checkNames({ "spec.node": spec.node }),
    ...requireField("classes", spec.classes),
    ...requireField("updatePeriodSeconds", spec.updatePeriodSeconds),
    ...(new Set(spec.classes).size === (spec.classes ?? []).length
      ? []
      : [problem("spec.classes", spec.classes, "names a class more than once")]),
  ],
});

function requireField(name: string, found: unknown): ReturnType<typeof problem>[] {
  return found === undefined ? [problem(`spec.${name}`, undefined, "is required")] : [];
}
