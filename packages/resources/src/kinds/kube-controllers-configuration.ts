import { type Static, Type } from "../type.ts";
import type { Immutable } from "../immutable.ts";
import { defineKind, type Kind } from "../kind.ts";
import { checkLabels } from "../metadata.ts";
import { checkNames } from "../name-fields.ts";
import { problem } from "../problem.ts";
import { anyCase, choice, resourceWithStatusSchema, setOf, text } from "../resource-schema.ts";

const onOff = Type.Optional(choice(["Enabled", "Disabled"]));
const reconciler = Type.Optional(
  Type.Object({ reconcilerPeriod: Type.Optional(text("goDuration", { description: "5m0s where absent." })) }),
);
const port = Type.Optional(Type.Integer({ minimum: 0, maximum: 65535 }));
const textMap = Type.Optional(Type.Map(Type.String()));

const nodeController = Type.Object({
  reconcilerPeriod: Type.Optional(text("goDuration", { description: "5m0s where absent." })),
  syncLabels: onOff,
  hostEndpoint: Type.Optional(
    Type.Object({
      autoCreate: onOff,
      createDefaultHostEndpoint: onOff,
      templates: Type.Optional(
        Type.Array(
          Type.Object({
            generateName: Type.Optional(Type.String({ maxLength: 253 })),
            interfaceCIDRs: Type.Optional(setOf(text("ipOrCidr"))),
            interfacePattern: Type.Optional(text("regularExpression")),
            nodeSelector: Type.Optional(text("selector")),
            labels: textMap,
            annotations: textMap,
          }),
        ),
      ),
    }),
  ),
  leakGracePeriod: Type.Optional(text("goDuration", { description: "15m0s where absent; 0 turns it off." })),
});

const specSchema = Type.Object(
  {
    logSeverityScreen: Type.Optional(
      anyCase(["None", "Debug", "Info", "Warning", "Error", "Fatal", "Panic"], {
        description: "Info where absent.",
      }),
    ),
    healthChecks: Type.Optional(choice(["Enabled", "Disabled"], { description: "Enabled where absent." })),
    etcdV3CompactionPeriod: Type.Optional(
      text("goDuration", { description: "10m0s where absent; 0 turns compaction off." }),
    ),
    prometheusMetricsPort: port,
    debugProfilePort: port,
    controllers: Type.Object(
      {
        node: Type.Optional(nodeController),
        policy: reconciler,
        workloadEndpoint: reconciler,
        serviceAccount: reconciler,
        namespace: reconciler,
        loadBalancer: Type.Optional(
          Type.Object({ assignIPs: Type.Optional(choice(["AllServices", "RequestedServicesOnly"])) }),
        ),
        policyMigration: Type.Optional(Type.Object({ enabled: onOff })),
        migration: Type.Optional(Type.Object({ policyNameMigrator: onOff })),
      },
      // Calico's client sends an empty one where nobody wrote any.
      { description: "The controllers that run; one that is left out does not.", default: {} },
    ),
  },
  { default: {} },
);

const kubeControllersConfigurationSchema = resourceWithStatusSchema(
  "KubeControllersConfiguration",
  specSchema,
  Type.Object({
    runningConfig: Type.Optional(Type.Object(specSchema.properties)),
    environmentVars: textMap,
  }),
);

/** Settings of the controllers that keep Calico and Kubernetes in step. */
export type KubeControllersConfiguration = Immutable<Static<typeof kubeControllersConfigurationSchema>>;

export const kubeControllersConfigurationKind: Kind<KubeControllersConfiguration> = defineKind({
  name: "KubeControllersConfiguration",
  plural: "kubecontrollersconfigurations",
  aliases: [
    "kubecontrollersconfig",
    "kubecontrollersconfigs",
    "kubecontrollersconfiguration",
    "kubecontrollersconfigurations",
  ],
  schema: kubeControllersConfigurationSchema,
  nameRule: { accepts: (name) => name === "default", allowed: "default" },
  check: ({ spec }) => {
    const templates = spec.controllers.node?.hostEndpoint?.templates ?? [];
    return templates.flatMap(({ generateName, interfaceCIDRs = [], interfacePattern, labels }, index) => {
      const path = `spec.controllers.node.hostEndpoint.templates[${index}]`;
      const problems = [
        ...checkNames({ [`${path}.generateName`]: generateName }),
        ...checkLabels(labels, `${path}.labels`, "Labels"),
      ];
      if (interfaceCIDRs.length > 0 || interfacePattern !== undefined) return problems;
      const reason = "one of interfaceCIDRs and interfacePattern must be given";
      return [...problems, problem(path, undefined, reason)];
    });
  },
});
