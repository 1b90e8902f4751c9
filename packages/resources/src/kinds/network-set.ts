import { type Static, Type } from "../type.ts";
import type { Immutable } from "../immutable.ts";
import { defineKind, type Kind, type ResourceBase } from "../kind.ts";
import { problem, type Problem } from "../problem.ts";
import { resourceSchema, setOf, text } from "../resource-schema.ts";

/** Networks of one set. */
const maxNets = 100_000;

const nets = setOf(text("ipOrCidr"), { maxItems: maxNets, description: "The networks that rules match." });
const spec = Type.Object({ nets: Type.Optional(nets) }, { default: {} });

const networkSetSchema = resourceSchema("NetworkSet", spec);
const globalNetworkSetSchema = resourceSchema("GlobalNetworkSet", spec);

/** Networks outside the cluster with labels, for the policies of one namespace. */
export type NetworkSet = Immutable<Static<typeof networkSetSchema>>;

/** Networks outside the cluster with labels, for the policies of all. */
export type GlobalNetworkSet = Immutable<Static<typeof globalNetworkSetSchema>>;

export const networkSetKind: Kind<NetworkSet> = defineKind({
  name: "NetworkSet",
  plural: "networksets",
  aliases: ["networkset", "networksets", "netset", "netsets"],
  isNamespaced: true,
  schema: networkSetSchema,
  check: checkLabels,
});

export const globalNetworkSetKind: Kind<GlobalNetworkSet> = defineKind({
  name: "GlobalNetworkSet",
  plural: "globalnetworksets",
  aliases: ["globalnetworkset", "globalnetworksets", "gnetset", "gnetsets"],
  schema: globalNetworkSetSchema,
  check: checkLabels,
});

const namespaceLabel = "projectcalico.org/namespace";

/** Policies give this label its meaning, so a set cannot claim a namespace. */
function checkLabels({ metadata }: ResourceBase): readonly Problem[] {
  const found = metadata.labels?.[namespaceLabel];
  if (found === undefined) return [];
  const reason = `${namespaceLabel} is not a valid label name`;
  return [problem("metadata.labels", namespaceLabel, reason, { field: "Metadata.Labels (label)" })];
}
