import { type Static, Type } from "../type.ts";
import type { Immutable } from "../immutable.ts";
import { defineKind, type Kind } from "../kind.ts";
import { checkStagedDelete, stagedAction } from "../policy/policy-schema.ts";
import { choice, conditionsStatusSchema, resourceWithStatusSchema, setOf, text } from "../resource-schema.ts";

const labelSelector = Type.Object({
  matchLabels: Type.Optional(Type.Map(Type.String())),
  matchExpressions: Type.Optional(
    Type.Array(
      Type.Object({
        key: Type.String(),
        operator: choice(["In", "NotIn", "Exists", "DoesNotExist"]),
        values: Type.Optional(Type.Array(Type.String())),
      }),
    ),
  ),
});

const ports = Type.Optional(
  Type.Array(
    Type.Object({
      protocol: Type.Optional(choice(["TCP", "UDP", "SCTP"])),
      port: Type.Optional(Type.Union([Type.Integer({ minimum: 1, maximum: 65535 }), Type.String()])),
      endPort: Type.Optional(Type.Integer({ minimum: 1, maximum: 65535 })),
    }),
  ),
);

const peers = Type.Optional(
  Type.Array(
    Type.Object({
      podSelector: Type.Optional(labelSelector),
      namespaceSelector: Type.Optional(labelSelector),
      ipBlock: Type.Optional(
        Type.Object({ cidr: text("ipOrCidr"), except: Type.Optional(Type.Array(text("ipOrCidr"))) }),
      ),
    }),
  ),
);

const stagedKubernetesNetworkPolicySchema = resourceWithStatusSchema(
  "StagedKubernetesNetworkPolicy",
  Type.Object(
    {
      stagedAction,
      podSelector: Type.Optional({ ...labelSelector, default: {} }),
      ingress: Type.Optional(Type.Array(Type.Object({ ports, from: peers }))),
      egress: Type.Optional(Type.Array(Type.Object({ ports, to: peers }))),
      policyTypes: Type.Optional(setOf(choice(["Ingress", "Egress"]), { maxItems: 2 })),
    },
    { default: {} },
  ),
  conditionsStatusSchema,
);

/** A Kubernetes NetworkPolicy to be, watched and not enforced. */
export type StagedKubernetesNetworkPolicy = Immutable<Static<typeof stagedKubernetesNetworkPolicySchema>>;

export const stagedKubernetesNetworkPolicyKind: Kind<StagedKubernetesNetworkPolicy> = defineKind({
  name: "StagedKubernetesNetworkPolicy",
  plural: "stagedkubernetesnetworkpolicies",
  aliases: [
    "stagedkubernetesnetworkpolicy",
    "stagedkubernetesnetworkpolicies",
    "stagedkubernetespolicy",
    "stagedkubernetespolicies",
    "sknp",
    "sknps",
    "skpol",
    "skpols",
  ],
  isNamespaced: true,
  schema: stagedKubernetesNetworkPolicySchema,
  check: ({ spec }) => {
    if (spec.stagedAction !== "Delete") return [];
    const { podSelector, ...rest } = spec;
    const isEmptySelector = podSelector === undefined || Object.keys(podSelector).length === 0;
    return checkStagedDelete(isEmptySelector ? rest : spec, "StagedKubernetesNetworkPolicySpec");
  },
});
