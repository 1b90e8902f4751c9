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
import {
  checkPolicy,
  performanceHints,
  policyFields,
  policyTypes,
  serviceAccountSelector,
} from "../policy/policy-schema.ts";
import { resourceSchema } from "../resource-schema.ts";

const networkPolicySchema = resourceSchema(
  "NetworkPolicy",
  Type.Object({ ...policyFields, serviceAccountSelector, performanceHints }, { default: {} }),
);

/** Rules on the traffic of the workloads of one namespace. */
export type NetworkPolicy = Immutable<Static<typeof networkPolicySchema>>;

export const networkPolicyKind: Kind<NetworkPolicy> = defineKind({
  name: "NetworkPolicy",
  plural: "networkpolicies",
  aliases: ["networkpolicy", "networkpolicies", "policy", "policies", "np", "nps", "pol", "pols"],
  isNamespaced: true,
  schema: networkPolicySchema,
  nameRule: policyNameRule,
  convert: readPolicyName,
  forStore: keepPolicyName,
  completeWrite: (policy) => ({
    ...policy,
    metadata: labelTier(policy.metadata, policy.spec.tier ?? defaultTier),
    spec: { ...policy.spec, types: policyTypes(policy.spec) },
  }),
  check: ({ spec }) => checkPolicy(spec, "namespaced"),
});
