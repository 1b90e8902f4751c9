import { type Static, Type } from "../type.ts";
import type { Immutable } from "../immutable.ts";
import { defineKind, type Kind } from "../kind.ts";
import {
  defaultTier,
  keepPolicyName,
  labelTier,
  policyNameRule,
  readPolicyName,
} from "../policy/policy-names.ts";
import { checkGlobalPolicy, globalPolicyFields, policyFields, policyTypes } from "../policy/policy-schema.ts";
import { resourceSchema } from "../resource-schema.ts";

const globalNetworkPolicySchema = resourceSchema(
  "GlobalNetworkPolicy",
  Type.Object({ ...policyFields, ...globalPolicyFields }, { default: {} }),
);

/** Rules on the traffic of workloads of any namespace, and of hosts. */
export type GlobalNetworkPolicy = Immutable<Static<typeof globalNetworkPolicySchema>>;

export const globalNetworkPolicyKind: Kind<GlobalNetworkPolicy> = defineKind({
  name: "GlobalNetworkPolicy",
  plural: "globalnetworkpolicies",
  aliases: ["globalnetworkpolicy", "globalnetworkpolicies", "gnp", "gnps"],
  schema: globalNetworkPolicySchema,
  nameRule: policyNameRule,
  convert: readPolicyName,
  forStore: keepPolicyName,
  completeWrite: (policy) => ({
    ...policy,
    metadata: labelTier(policy.metadata, policy.spec.tier ?? defaultTier),
    spec: { ...policy.spec, types: policyTypes(policy.spec) },
  }),
  check: ({ spec }) => checkGlobalPolicy(spec),
});
