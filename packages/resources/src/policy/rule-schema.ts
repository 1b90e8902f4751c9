import { type Static, Type } from "../type.ts";
import type { Immutable } from "../immutable.ts";
import { choice, port, protocol, setOf, text } from "../resource-schema.ts";

/** Entries of one of an entity rule's lists of networks. */
const maxNets = 256;

/** Entries of one of an entity rule's lists of ports. */
const maxPorts = 50;

/** Rules of one direction of one policy. */
const maxRules = 1024;

const maxHttpMatches = 20;

const nets = Type.Optional(setOf(text("network"), { maxItems: maxNets }));
const ports = Type.Optional(Type.Array(port("port", 1), { maxItems: maxPorts }));

const icmpSchema = Type.Object({
  type: Type.Optional(Type.Integer({ minimum: 0, maximum: 254 })),
  code: Type.Optional(Type.Integer({ minimum: 0, maximum: 255, description: "Needs a type." })),
});

const kubernetesName = Type.Optional(Type.String({ maxLength: 253 }));

const entityRuleSchema = Type.Object({
  nets: nets,
  selector: Type.Optional(text("selector", { description: "Endpoints and network sets that match." })),
  namespaceSelector: Type.Optional(
    text("selector", { description: "Namespaces to choose from; global() for what is in none." }),
  ),
  services: Type.Optional(Type.Object({ name: kubernetesName, namespace: kubernetesName })),
  ports: ports,
  notNets: nets,
  notSelector: Type.Optional(text("selector")),
  notPorts: ports,
  serviceAccounts: Type.Optional(
    Type.Object({
      names: Type.Optional(setOf(Type.String())),
      selector: Type.Optional(text("selector")),
    }),
  ),
});

const httpText = Type.Optional(Type.String({ maxLength: 1024 }));

const ruleSchema = Type.Object({
  action: choice(["Allow", "Deny", "Log", "Pass"]),
  ipVersion: Type.Optional(Type.Enum([4, 6])),
  protocol: Type.Optional(protocol()),
  icmp: Type.Optional(icmpSchema),
  notProtocol: Type.Optional(protocol()),
  notICMP: Type.Optional(icmpSchema),
  // Calico writes both ends even when they are empty.
  source: Type.Optional({ ...entityRuleSchema, default: {} }),
  destination: Type.Optional({ ...entityRuleSchema, default: {} }),
  http: Type.Optional(
    Type.Object({
      methods: Type.Optional(Type.Array(Type.String(), { maxItems: maxHttpMatches })),
      paths: Type.Optional(
        Type.Array(Type.Object({ exact: httpText, prefix: httpText }), { maxItems: maxHttpMatches }),
      ),
    }),
  ),
  metadata: Type.Optional(Type.Object({ annotations: Type.Optional(Type.Map(Type.String())) })),
});

/** The rules of one direction. */
export const rulesSchema = Type.Optional(Type.Array(ruleSchema, { maxItems: maxRules }));

/** A rule of a policy or profile. */
export type Rule = Immutable<Static<typeof ruleSchema>>;

/** One end of a rule's traffic. */
export type EntityRule = Immutable<Static<typeof entityRuleSchema>>;

/** A direction of traffic, seen from the endpoint. */
export type RuleDirection = "ingress" | "egress";
