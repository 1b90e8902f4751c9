import { type Static, Type } from "../type.ts";
import type { Immutable } from "../immutable.ts";
import { defineKind, type Kind } from "../kind.ts";
import { resourceSchema } from "../resource-schema.ts";

const clusterInformationSchema = resourceSchema(
  "ClusterInformation",
  Type.Object(
    {
      clusterGUID: Type.Optional(Type.String({ description: "32 hexadecimal digits." })),
      clusterType: Type.Optional(Type.String({ description: "What the cluster is made of: k8s,bgp." })),
      calicoVersion: Type.Optional(Type.String()),
      datastoreReady: Type.Optional(
        Type.Boolean({
          description: "False locks the cluster's networking against changes; absent is true.",
        }),
      ),
      variant: Type.Optional(Type.String()),
    },
    { default: {} },
  ),
);

/** Facts about the cluster, kept by the nodes. */
export type ClusterInformation = Immutable<Static<typeof clusterInformationSchema>>;

export const clusterInformationKind: Kind<ClusterInformation> = defineKind({
  name: "ClusterInformation",
  plural: "clusterinformations",
  aliases: ["clusterinfo", "clusterinfos", "clusterinformation", "clusterinformations"],
  schema: clusterInformationSchema,
  operations: [],
  nameRule: { accepts: (name) => name === "default", allowed: "default" },
});
