import { type Static, Type } from "../type.ts";
import type { Immutable } from "../immutable.ts";
import { defineKind, type Kind } from "../kind.ts";
import { problem, type Problem } from "../problem.ts";
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

/** Address assignment settings as a resource; IPAM itself reads them from a record of its own, written with this. */
export type IpamConfiguration = Immutable<Static<typeof ipamConfigurationSchema>>;

export const ipamConfigurationKind: Kind<IpamConfiguration> = defineKind({
  name: "IPAMConfiguration",
  plural: "ipamconfigurations",
  aliases: ["ipamconfig", "ipamconfigs", "ipamconfiguration", "ipamconfigurations"],
  schema: ipamConfigurationSchema,
  nameRule: { accepts: (name) => name === "default", allowed: "default" },
  check: checkSettings,
});

/** Settings that contradict each other. */
function checkSettings({ spec }: IpamConfiguration): readonly Problem[] {
  const { strictAffinity, autoAllocateBlocks, maxBlocksPerHost = 0 } = spec;
  if (strictAffinity) return [];
  const problems: Problem[] = [];
  if (!autoAllocateBlocks) {
    const reason = "cannot be false while strictAffinity is false";
    problems.push(problem("spec.autoAllocateBlocks", autoAllocateBlocks, reason));
  }
  if (maxBlocksPerHost > 0) {
    problems.push(problem("spec.maxBlocksPerHost", maxBlocksPerHost, "needs strictAffinity to be true"));
  }
  return problems;
}
