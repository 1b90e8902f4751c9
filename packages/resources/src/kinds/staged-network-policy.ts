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
  checkStagedDelete,
  performanceHints,
  policyFields,
  policyTypes,
  serviceAccountSelector,
  stagedAction,
} from "../policy/policy-schema.ts";
import { resourceSchema } from "../resource-schema.ts";

const stagedNetworkPolicySchema = resourceSchema(
  "StagedNetworkPolicy",
  Type.Object({ stagedAction, ...policyFields, serviceAccountSelector, performanceHints }, { default: {} }),
);

/** A NetworkPolicy to be, watched and not enforced. */
export type StagedNetworkPolicy = Immutable<Static<typeof stagedNetworkPolicySchema>>;

export const stagedNetworkPolicyKind: Kind<StagedNetworkPolicy> = defineKind({
  name: "StagedNetworkPolicy",
  plural: "stagednetworkpolicies",
  aliases: [
    "stagednetworkpolicy",
    "stagednetworkpolicies",
    "snp",
    "snps",
    "spol",
    "spols",
    "stagedpolicy",
    "stagedpolicies",
  ],
  isNamespaced: true,
  schema: stagedNetworkPolicySchema,
  nameRule: policyNameRule,
  convert: readPolicyName,
  forStore: keepPolicyName,
  completeWrite: (policy) => ({
    ...policy,
    metadata: labelTier(policy.metadata, policy.spec.tier ?? defaultTier),
    spec:
      policy.spec.stagedAction === "Delete"
        ? policy.spec
        : { ...policy.spec, types: policyTypes(policy.spec) },
  }),
  check: ({ spec }) =>
    spec.stagedAction === "Delete"
      ? checkStagedDelete(spec, "StagedNetworkPolicySpec")
      : checkPolicy(spec, "namespaced"),
});
