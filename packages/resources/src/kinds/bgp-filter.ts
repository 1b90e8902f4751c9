import { type Static, Type } from "../type.ts";
import type { Immutable } from "../immutable.ts";
import { defineKind, type Kind } from "../kind.ts";
import { problem, type Problem } from "../problem.ts";
import { asNumber, choice, resourceSchema, text } from "../resource-schema.ts";

/** What a rule may do to a route that it accepts. */
const operationSchema = Type.Object({
  addCommunity: Type.Optional(Type.Object({ value: text("community") })),
  prependASPath: Type.Optional(
    Type.Object({ prefix: Type.Array(asNumber("AS to prepend."), { minItems: 1, maxItems: 10 }) }),
  ),
  setPriority: Type.Optional(Type.Object({ value: Type.Integer({ minimum: 1, maximum: 2147483646 }) })),
});

function ruleSchema(cidrFormat: "cidrv4" | "cidrv6", maxLength: 32 | 128) {
  const length = Type.Optional(Type.Integer({ minimum: 0, maximum: maxLength }));
  return Type.Object({
    cidr: Type.Optional(text(cidrFormat)),
    prefixLength: Type.Optional(Type.Object({ min: length, max: length })),
    matchOperator: Type.Optional(choice(["Equal", "NotEqual", "In", "NotIn"])),
    source: Type.Optional(choice(["RemotePeers"])),
    interface: Type.Optional(text("interfacePattern")),
    peerType: Type.Optional(choice(["eBGP", "iBGP"])),
    communities: Type.Optional(
      Type.Object({ values: Type.Array(text("community"), { minItems: 1, maxItems: 1 }) }),
    ),
    asPathPrefix: Type.Optional(Type.Array(asNumber("AS that the path begins with."))),
    priority: Type.Optional(Type.Integer({ minimum: 1, maximum: 2147483646 })),
    action: choice(["Accept", "Reject"]),
    operations: Type.Optional(Type.Array(operationSchema, { minItems: 1, maxItems: 10 })),
  });
}

const rules4 = Type.Optional(Type.Array(ruleSchema("cidrv4", 32)));
const rules6 = Type.Optional(Type.Array(ruleSchema("cidrv6", 128)));

const bgpFilterSchema = resourceSchema(
  "BGPFilter",
  Type.Object({ exportV4: rules4, importV4: rules4, exportV6: rules6, importV6: rules6 }, { default: {} }),
);

/** Ordered rules on the routes that a peer gives or gets. */
export type BgpFilter = Immutable<Static<typeof bgpFilterSchema>>;

/** One rule of a filter, of either family. */
export type BgpFilterRule = NonNullable<BgpFilter["spec"]["exportV4"]>[number];

export const bgpFilterKind: Kind<BgpFilter> = defineKind({
  name: "BGPFilter",
  plural: "bgpfilters",
  aliases: ["bgpfilter", "bgpfilters", "bgpf", "bgpfs", "bf", "bfs"],
  schema: bgpFilterSchema,
  check: ({ spec }) =>
    Object.entries(spec).flatMap(([name, rules]) =>
      rules.flatMap((rule, index) => checkRule(rule, `spec.${name}[${index}]`)),
    ),
});

function checkRule(rule: BgpFilterRule, path: string): readonly Problem[] {
  const problems: Problem[] = [];
  const refuse = (name: string, found: unknown, reason: string, field: string): void => {
    problems.push(problem(`${path}.${name}`, found, reason, { field }));
  };
  if (rule.cidr !== undefined && rule.matchOperator === undefined) {
    refuse("cidr", rule.cidr, "MatchOperator cannot be empty when CIDR is not", "CIDR");
  }
  if (rule.cidr === undefined && rule.matchOperator !== undefined) {
    refuse(
      "matchOperator",
      rule.matchOperator,
      "CIDR cannot be empty when MatchOperator is not",
      "MatchOperator",
    );
  }
  if (rule.prefixLength !== undefined && rule.cidr === undefined) {
    refuse(
      "prefixLength",
      rule.prefixLength,
      "CIDR cannot be empty when PrefixLength is not",
      "PrefixLength",
    );
  }
  const { min = 0, max = Infinity } = rule.prefixLength ?? {};
  if (min > max) refuse("prefixLength", rule.prefixLength, "min is larger than max", "PrefixLength");
  if (rule.operations !== undefined && rule.action !== "Accept") {
    refuse("operations", rule.operations, "only an accepted route can be changed", "Operations");
  }
  for (const [index, operation] of (rule.operations ?? []).entries()) {
    if (Object.keys(operation).length === 1) continue;
    refuse(`operations[${index}]`, operation, "must hold exactly one operation", "Operations");
  }
  return problems;
}
