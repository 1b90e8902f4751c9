import { type Static, Type } from "typebox";
import type { Immutable } from "../immutable.ts";
import { defineKind, type Kind } from "../kind.ts";
import { choice, resourceSchema } from "../resource-schema.ts";

const ipamConfigurationSchema = resourceSchema(
  "IPAMConfiguration",
  Type.Object(
    {
      strictAffinity: Type.Boolean({
        default: false,
        description: "Never borrow from another node's block.",
      }),
      autoAllocateBlocks: Type.Boolean({ default: true }),
      maxBlocksPerHost: Type.Optional(
        Type.Integer({ minimum: 0, maximum: 1000000, description: "0 or absent is 20." }),
      ),
      kubeVirtVMAddressPersistence: Type.Optional(choice(["Enabled", "Disabled"])),
      ipCooldownSeconds: Type.Optional(Type.Integer({ minimum: 0, maximum: 1200 })),
    },
    { default: {} },
  ),
);

/** Address assignment settings as a resource; IPAM itself keeps them in its own record. */
export type IpamConfiguration = Immutable<Static<typeof ipamConfigurationSchema>>;

export const ipamConfigurationKind: Kind<IpamConfiguration> = defineKind({
  name: "IPAMConfiguration",
  plural: "ipamconfigurations",
  aliases: ["ipamconfig", "ipamconfigs", "ipamconfiguration", "ipamconfigurations"],
  schema: ipamConfigurationSchema,
  nameRule: { accepts: (name) => name === "default", allowed: "default" },
});
