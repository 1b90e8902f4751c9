import { Type } from "../type.ts";
import { problem, type Problem } from "../problem.ts";
import { choice, setOf, text } from "../resource-schema.ts";
import { checkNoGlobal, checkRules, type RuleScope } from "./check-rules.ts";
import { defaultTier } from "./policy-names.ts";
import { type Rule, rulesSchema } from "./rule-schema.ts";

/** What all of Calico's own policies have, in its order. */
export const policyFields = {
  tier: Type.Optional(
    Type.String({ default: defaultTier, description: "The tier that the policy is in.", maxLength: 63 }),
  ),
  order: Type.Optional(
    Type.Number({ description: "Lower orders come first within the tier; absent comes last." }),
  ),
  ingress: rulesSchema,
  egress: rulesSchema,
  selector: Type.Optional(text("selector", { description: "The endpoints that it is for; absent is all." })),
  types: Type.Optional(
    Type.Array(choice(["Ingress", "Egress"]), {
      description: "The directions it governs; absent, those that it has rules for, or else Ingress.",
    }),
  ),
} as const;

export const serviceAccountSelector = Type.Optional(
  text("selector", { description: "Only endpoints of the service accounts that match." }),
);

export const performanceHints = Type.Optional(setOf(choice(["AssumeNeededOnEveryNode"])));

/** What GlobalNetworkPolicies have besides, in Calico's order. */
export const globalPolicyFields = {
  doNotTrack: Type.Optional(
    Type.Boolean({ description: "Enforced before connection tracking; needs applyOnForward." }),
  ),
  preDNAT: Type.Optional(
    Type.Boolean({ description: "Enforced before destination NAT; needs applyOnForward." }),
  ),
  applyOnForward: Type.Optional(Type.Boolean({ description: "Also enforced on forwarded traffic." })),
  serviceAccountSelector,
  namespaceSelector: Type.Optional(
    text("selector", { description: "Only endpoints of the namespaces that match." }),
  ),
  performanceHints,
} as const;

/** What a staged policy does when it is committed. */
export const stagedAction = Type.Optional(
  choice(["Set", "Delete", "Learn", "Ignore"], {
    description: "Delete stands for the removal of the policy of this name; Set where absent.",
  }),
);

type PolicyType = "Ingress" | "Egress";

/** The parts that every policy is checked by. */
interface PolicySpec {
  readonly ingress?: readonly Rule[];
  readonly egress?: readonly Rule[];
  readonly selector?: string;
  readonly types?: readonly PolicyType[];
  readonly serviceAccountSelector?: string;
}

interface GlobalPolicySpec extends PolicySpec {
  readonly doNotTrack?: boolean;
  readonly preDNAT?: boolean;
  readonly applyOnForward?: boolean;
  readonly namespaceSelector?: string;
}

/** The directions of a policy that does not say: those it has rules for, and Ingress where it has none. */
export function policyTypes({ ingress = [], egress = [], types = [] }: PolicySpec): readonly PolicyType[] {
  if (types.length > 0) return types;
  if (egress.length === 0) return ["Ingress"];
  return ingress.length === 0 ? ["Egress"] : ["Ingress", "Egress"];
}

/** Calico's rules on what a policy says. */
export function checkPolicy(spec: PolicySpec, scope: RuleScope): readonly Problem[] {
  const kind = scope === "global" ? "GlobalNetworkPolicySpec" : "NetworkPolicySpec";
  const { types = [] } = spec;
  const repeated = types.find((type, index) => types.indexOf(type) !== index);
  return [
    ...checkRules(spec.ingress, "ingress", scope),
    ...checkRules(spec.egress, "egress", scope),
    ...(repeated === undefined
      ? []
      : [
          problem("spec.types", types, `'${repeated}' type specified more than once`, {
            field: `${kind}.Types`,
          }),
        ]),
    ...checkNoGlobal("spec.selector", spec.selector, `${kind}.Selector`),
    ...checkNoGlobal(
      "spec.serviceAccountSelector",
      spec.serviceAccountSelector,
      `${kind}.ServiceAccountSelector`,
    ),
  ];
}

export function checkGlobalPolicy(spec: GlobalPolicySpec): readonly Problem[] {
  const problems: Problem[] = [];
  const refuse = (name: string, found: unknown, reason: string, field: string): void => {
    problems.push(problem(`spec.${name}`, found, reason, { field: `PolicySpec.${field}` }));
  };
  const { doNotTrack = false, preDNAT = false, applyOnForward = false, egress = [], types = [] } = spec;
  if (doNotTrack && preDNAT) {
    refuse("preDNAT", true, "PreDNAT and DoNotTrack cannot both be true, for a given PolicySpec", "PreDNAT");
  }
  if (preDNAT && egress.length > 0) {
    refuse("egress", `${egress.length} rules`, "PreDNAT PolicySpec cannot have any Egress rules", "Egress");
  }
  if (preDNAT && types.includes("Egress") && egress.length === 0) {
    refuse("types", types, "PreDNAT PolicySpec cannot have 'egress' Type", "Types");
  }
  if ((doNotTrack || preDNAT) && !applyOnForward) {
    const reason =
      "ApplyOnForward must be true if either PreDNAT or DoNotTrack is true, for a given PolicySpec";
    refuse("applyOnForward", applyOnForward, reason, "ApplyOnForward");
  }
  return [
    ...problems,
    ...checkPolicy(spec, "global"),
    ...checkNoGlobal(
      "spec.namespaceSelector",
      spec.namespaceSelector,
      "GlobalNetworkPolicySpec.NamespaceSelector",
    ),
  ];
}

/** A staged deletion says only which policy, and of which tier. */
export function checkStagedDelete(spec: object, field: string): readonly Problem[] {
  const extra = Object.entries(spec).find(
    ([name, value]) => name !== "stagedAction" && name !== "tier" && !isEmpty(value),
  );
  if (extra === undefined) return [];
  const reason = "Spec fields, except Tier, should all be zero-value if stagedAction is Delete";
  return [problem(`spec.${extra[0]}`, extra[1], reason, { field })];
}

/** Go's zero values. */
function isEmpty(value: unknown): boolean {
  return value === false || value === "" || (Array.isArray(value) && value.length === 0);
}
