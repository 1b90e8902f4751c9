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
  checkGlobalPolicy,
  checkStagedDelete,
  globalPolicyFields,
  policyFields,
  policyTypes,
  stagedAction,
} from "../policy/policy-schema.ts";
import { resourceSchema } from "../resource-schema.ts";

const stagedGlobalNetworkPolicySchema = resourceSchema(
  "StagedGlobalNetworkPolicy",
  Type.Object({ stagedAction, ...policyFields, ...globalPolicyFields }, { default: {} }),
);

/** A GlobalNetworkPolicy to be, watched and not enforced. */
export type StagedGlobalNetworkPolicy = Immutable<Static<typeof stagedGlobalNetworkPolicySchema>>;

export const stagedGlobalNetworkPolicyKind: Kind<StagedGlobalNetworkPolicy> = defineKind({
  name: "StagedGlobalNetworkPolicy",
  plural: "stagedglobalnetworkpolicies",
  aliases: ["stagedglobalnetworkpolicy", "stagedglobalnetworkpolicies", "sgnp", "sgnps"],
  schema: stagedGlobalNetworkPolicySchema,
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
      ? checkStagedDelete(spec, "StagedGlobalNetworkPolicySpec")
      : checkGlobalPolicy(spec),
});
