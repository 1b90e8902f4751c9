import { type Static, Type } from "../type.ts";
import type { Immutable } from "../immutable.ts";
import { defineKind, type Kind } from "../kind.ts";
import { problem, type Problem } from "../problem.ts";
import { choice, conditionsStatusSchema, resourceWithStatusSchema } from "../resource-schema.ts";

const tierSchema = resourceWithStatusSchema(
  "Tier",
  Type.Object(
    {
      order: Type.Optional(Type.Number({ description: "Lower orders come first; absent comes last." })),
      defaultAction: Type.Optional(
        choice(["Deny", "Pass"], {
          description: "What becomes of traffic that a policy of the tier is for and no rule decides.",
        }),
      ),
    },
    { default: {} },
  ),
  conditionsStatusSchema,
);

/** A group of policies that is evaluated as one, before the tiers of higher order. */
export type Tier = Immutable<Static<typeof tierSchema>>;

/** The tiers that every cluster has; neither their order nor what they do at their end can be changed. */
export const fixedTiers: Readonly<
  Record<string, { readonly order: number; readonly defaultAction: "Deny" | "Pass" }>
> = {
  default: { order: 1_000_000, defaultAction: "Deny" },
  "kube-admin": { order: 1000, defaultAction: "Pass" },
  "kube-baseline": { order: 10_000_000, defaultAction: "Pass" },
};

/** Policies are found by their tier in a label's value. */
const maxTierNameLength = 63;

export const tierKind: Kind<Tier> = defineKind({
  name: "Tier",
  plural: "tiers",
  aliases: ["tier", "tiers"],
  schema: tierSchema,
  nameRule: {
    accepts: (name) => name.length <= maxTierNameLength && !name.includes("."),
    allowed: "up to 63 of a–z 0–9 -",
  },
  completeWrite: (tier) => ({
    ...tier,
    spec: { ...tier.spec, defaultAction: tier.spec.defaultAction ?? defaultActionOf(tier.metadata.name) },
  }),
  check: checkFixed,
});

function defaultActionOf(name: string): "Deny" | "Pass" {
  return Object.hasOwn(fixedTiers, name) ? (fixedTiers[name]?.defaultAction ?? "Deny") : "Deny";
}

function checkFixed({ metadata: { name }, spec }: Tier): readonly Problem[] {
  const fixed = Object.hasOwn(fixedTiers, name) ? fixedTiers[name] : undefined;
  if (fixed === undefined) return [];
  const problems: Problem[] = [];
  if (spec.order !== fixed.order) {
    const reason = `${name} tier order must be ${fixed.order}`;
    problems.push(problem("spec.order", spec.order, reason, { field: "TierSpec.Order" }));
  }
  if (spec.defaultAction !== undefined && spec.defaultAction !== fixed.defaultAction) {
    const reason = `${name} tier defaultAction must be ${fixed.defaultAction}`;
    problems.push(
      problem("spec.defaultAction", spec.defaultAction, reason, { field: "TierSpec.DefaultAction" }),
    );
  }
  return problems;
}

/** Tiers as they are evaluated: by order, those without one last, then by name. */
export function compareTiers(a: Tier, b: Tier): number {
  const [first, second] = [a.spec.order ?? Infinity, b.spec.order ?? Infinity];
  if (first !== second) return first < second ? -1 : 1;
  return a.metadata.name < b.metadata.name ? -1 : a.metadata.name > b.metadata.name ? 1 : 0;
}
