import { type Static, Type } from "../type.ts";
import type { Immutable } from "../immutable.ts";
import { defineKind, type Kind } from "../kind.ts";
import { problem, type Problem } from "../problem.ts";
import { resourceSchema } from "../resource-schema.ts";
import { dataplaneSettings } from "./felix/dataplane-settings.ts";
import { ebpfSettings } from "./felix/ebpf-settings.ts";
import { packetFilterSettings } from "./felix/packet-filter-settings.ts";
import { processSettings } from "./felix/process-settings.ts";

const felixConfigurationSchema = resourceSchema(
  "FelixConfiguration",
  Type.Object(
    { ...processSettings, ...dataplaneSettings, ...packetFilterSettings, ...ebpfSettings },
    { default: {} },
  ),
);

/** Settings of the node agent: of all nodes (`default`), of one (`node.<name>`), or of those a selector picks. */
export type FelixConfiguration = Immutable<Static<typeof felixConfigurationSchema>>;

export const felixConfigurationKind: Kind<FelixConfiguration> = defineKind({
  name: "FelixConfiguration",
  plural: "felixconfigurations",
  aliases: ["felixconfig", "felixconfigs", "felixconfiguration", "felixconfigurations"],
  schema: felixConfigurationSchema,
  // Calico's client writes these three out, so that a later change of default does not change a running cluster.
  completeWrite: (configuration) => ({
    ...configuration,
    spec: {
      ...configuration.spec,
      floatingIPs: configuration.spec.floatingIPs ?? "Disabled",
      bpfConnectTimeLoadBalancing: configuration.spec.bpfConnectTimeLoadBalancing ?? "TCP",
      bpfHostNetworkedNATWithoutCTLB: configuration.spec.bpfHostNetworkedNATWithoutCTLB ?? "Enabled",
    },
  }),
  check: checkConfiguration,
});

/** Tables that the agent may take at most. */
const maxTables = 65535;

function checkConfiguration({ metadata: { name }, spec }: FelixConfiguration): readonly Problem[] {
  const problems: Problem[] = [];
  const { nodeSelector, routeTableRange, routeTableRanges } = spec;
  if (nodeSelector !== undefined && (name === "default" || name.startsWith("node."))) {
    const reason = "nodeSelector must not be set on the 'default' or per-node ('node.*') FelixConfiguration";
    problems.push(problem("spec.nodeSelector", nodeSelector, reason, { field: "NodeSelector" }));
  }
  if (routeTableRange !== undefined && routeTableRanges !== undefined) {
    const reason = "cannot be set when `RouteTableRanges` is also set";
    problems.push(problem("spec.routeTableRange", routeTableRange, reason, { field: "RouteTableRange" }));
  }
  if (routeTableRange !== undefined) {
    const { min, max } = routeTableRange;
    if (min < 1 || max < min || max > 250) {
      const reason = "must be a range of route table indices within 1..250";
      problems.push(problem("spec.routeTableRange", routeTableRange, reason, { field: "RouteTableRange" }));
    }
  }
  return [...problems, ...checkRanges(spec), ...checkTables(routeTableRanges ?? [])];
}

/** What Calico's client limits more than the published definition does. */
const ranges = {
  wireguardListeningPort: [1, 65535],
  wireguardListeningPortV6: [1, 65535],
  wireguardRoutingRulePriority: [1, 32765],
  bpfExtToServiceConnmark: [0, 0xffffffff],
} as const;

function checkRanges(spec: FelixConfiguration["spec"]): readonly Problem[] {
  const problems: Problem[] = [];
  const limited = [
    "wireguardListeningPort",
    "wireguardListeningPortV6",
    "wireguardRoutingRulePriority",
    "bpfExtToServiceConnmark",
  ] as const;
  for (const name of limited) problems.push(...checkRange(name, spec[name]));
  for (const name of Object.keys(spec.bpfLogFilters ?? {})) {
    if (/^[a-zA-Z0-9_.-]{1,15}$/.test(name)) continue;
    problems.push(problem("spec.bpfLogFilters", name, "is not an interface name"));
  }
  return problems;
}

function checkRange(name: keyof typeof ranges, found: number | undefined): readonly Problem[] {
  const [minimum, maximum] = ranges[name];
  if (found === undefined || (found >= minimum && found <= maximum)) return [];
  return [problem(`spec.${name}`, found, "is out of range", { allowed: `${minimum} to ${maximum}` })];
}

/** Linux numbers its tables with 32 bits. */
function checkTables(ranges: readonly { readonly min: number; readonly max: number }[]): readonly Problem[] {
  const problems = ranges.flatMap((range, index) => {
    const reason =
      range.min < 1
        ? "cannot target indices < 1"
        : range.min > range.max
          ? "min value cannot be greater than max value"
          : range.max > 0xffffffff
            ? "max index too high"
            : undefined;
    const path = `spec.routeTableRanges[${index}]`;
    return reason === undefined ? [] : [problem(path, range, reason, { field: "RouteTableRange" })];
  });
  const count = ranges.reduce((sum, { min, max }) => sum + max - min + 1, 0);
  if (problems.length > 0 || count <= maxTables) return problems;
  return [
    problem("spec.routeTableRanges", `${count} tables`, "targets too many tables", {
      field: "RouteTableRanges",
      allowed: `${maxTables} tables together`,
    }),
  ];
}
