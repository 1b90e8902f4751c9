import { isCommunity } from "../formats.ts";
import { type Static, Type } from "../type.ts";
import type { Immutable } from "../immutable.ts";
import { defineKind, type Kind } from "../kind.ts";
import { checkNames } from "../name-fields.ts";
import { problem, type Problem } from "../problem.ts";
import {
  anyCase,
  asNumber,
  choice,
  resourceSchema,
  secretRefSchema,
  setOf,
  text,
} from "../resource-schema.ts";

/** Communities and prefix advertisements of one configuration. */
const maxCommunities = 500;

const cidrList = setOf(Type.Object({ cidr: text("cidr") }));

const routePriority = Type.Integer({ minimum: 1, maximum: 2147483646 });

const bgpConfigurationSchema = resourceSchema(
  "BGPConfiguration",
  Type.Object(
    {
      logSeverityScreen: Type.Optional(
        anyCase(["Trace", "Debug", "Info", "Warning", "Error", "Fatal"], {
          description: "Info where absent.",
        }),
      ),
      nodeToNodeMeshEnabled: Type.Optional(
        Type.Boolean({ description: "Whether every node peers with every other; true where absent." }),
      ),
      asNumber: Type.Optional(asNumber("AS of nodes without their own; 64512 where absent.")),
      serviceLoadBalancerIPs: Type.Optional(cidrList),
      serviceExternalIPs: Type.Optional(cidrList),
      serviceClusterIPs: Type.Optional(cidrList),
      serviceLoadBalancerAggregation: Type.Optional(choice(["Enabled", "Disabled"])),
      communities: Type.Optional(
        setOf(Type.Object({ name: Type.String({ maxLength: 253 }), value: text("community") }), {
          maxItems: maxCommunities,
        }),
      ),
      prefixAdvertisements: Type.Optional(
        setOf(
          Type.Object({
            cidr: text("cidr"),
            communities: Type.Optional(Type.Array(Type.String(), { maxItems: 50 })),
          }),
          { maxItems: maxCommunities },
        ),
      ),
      listenPort: Type.Optional(
        Type.Integer({ minimum: 1, maximum: 65535, description: "179 where absent." }),
      ),
      nodeMeshPassword: Type.Optional(secretRefSchema),
      nodeMeshMaxRestartTime: Type.Optional(text("goDuration")),
      bindMode: Type.Optional(choice(["None", "NodeIP"])),
      ignoredInterfaces: Type.Optional(setOf(text("ignoredInterface"))),
      localWorkloadPeeringIPV4: Type.Optional(text("ipv4")),
      localWorkloadPeeringIPV6: Type.Optional(text("ipv6")),
      programClusterRoutes: Type.Optional(
        choice(["Enabled", "Disabled", "EnabledIPIPOnly", "EnabledNoEncapOnly"], {
          description: "Which routes to other nodes BGP puts into the kernel.",
        }),
      ),
      ipv4NormalRoutePriority: Type.Optional(routePriority),
      ipv6NormalRoutePriority: Type.Optional(routePriority),
    },
    { default: {} },
  ),
);

/** BGP settings of the cluster (`default`) or of one node (`node.<name>`). */
export type BgpConfiguration = Immutable<Static<typeof bgpConfigurationSchema>>;

const nodePrefix = "node.";

/** Settings that a node's own configuration may carry. */
const nodeFields: ReadonlySet<string> = new Set(["listenPort", "logSeverityScreen", "prefixAdvertisements"]);

export const bgpConfigurationKind: Kind<BgpConfiguration> = defineKind({
  name: "BGPConfiguration",
  plural: "bgpconfigurations",
  aliases: ["bgpconfig", "bgpconfigs", "bgpconfiguration", "bgpconfigurations"],
  schema: bgpConfigurationSchema,
  nameRule: {
    accepts: (name) => name === "default" || (name.startsWith(nodePrefix) && name.length > nodePrefix.length),
    allowed: "default, node.<nodename>",
  },
  check: checkConfiguration,
});

function checkConfiguration(configuration: BgpConfiguration): readonly Problem[] {
  const { spec, metadata } = configuration;
  const problems: Problem[] = (spec.communities ?? []).flatMap(({ name }, index) => [
    ...checkNames({ [`spec.communities[${index}].name`]: name }),
  ]);
  if (metadata.name.startsWith(nodePrefix)) {
    for (const [name, value] of Object.entries(spec)) {
      if (nodeFields.has(name)) continue;
      const allowed = [...nodeFields].join(", ");
      problems.push(problem(`spec.${name}`, value, "cannot be set for a single node", { allowed }));
    }
  }
  if (spec.nodeToNodeMeshEnabled === false) {
    const reason = "needs the node-to-node mesh, which nodeToNodeMeshEnabled: false turns off";
    if (spec.nodeMeshPassword !== undefined) {
      problems.push(problem("spec.nodeMeshPassword", undefined, reason));
    }
    if (spec.nodeMeshMaxRestartTime !== undefined) {
      problems.push(problem("spec.nodeMeshMaxRestartTime", spec.nodeMeshMaxRestartTime, reason));
    }
  }
  if ((spec.communities ?? []).length > 0 && (spec.prefixAdvertisements ?? []).length === 0) {
    problems.push(problem("spec.communities", undefined, "needs prefixAdvertisements, which use them"));
  }
  // A node's own advertisements name the communities of the cluster's configuration, which is not at hand here.
  return metadata.name.startsWith(nodePrefix) ? problems : [...problems, ...checkCommunityNames(spec)];
}

/** What a prefix advertisement names is a community value or one of the named communities. */
function checkCommunityNames(spec: BgpConfiguration["spec"]): readonly Problem[] {
  const names = new Set((spec.communities ?? []).map(({ name }) => name));
  return (spec.prefixAdvertisements ?? []).flatMap(({ communities = [] }, index) =>
    communities.flatMap((community, at) => {
      if (names.has(community) || isCommunity(community)) return [];
      const path = `spec.prefixAdvertisements[${index}].communities[${at}]`;
      const allowed = "aa:nn, aa:nn:mm or a name from spec.communities";
      return [problem(path, community, "is neither a community nor the name of one", { allowed })];
    }),
  );
}
