import { type FelixConfiguration, type Labels, matchesSelector, parseSelector } from "@caracal/resources";
import { compareText } from "./intent-problem.ts";

/** Settings of the node agent; what is absent has the default that the schema describes. */
export type FelixSettings = FelixConfiguration["spec"];

const ofNodePrefix = "node.";

/**
 * The settings that hold on a node, setting by setting: what its daemon's environment says before its own `node.<name>`,
 * that before those whose selector picks it (of several the last by name), and `default` last.
 */
export function felixSettingsOf(
  configurations: readonly FelixConfiguration[],
  node: { readonly name: string; readonly labels: Labels },
  environment: FelixSettings = {},
): FelixSettings {
  const named = (name: string): FelixSettings =>
    configurations.find(({ metadata }) => metadata.name === name)?.spec ?? {};
  const selected = configurations
    .filter((one) => isSelected(one, node.labels))
    .toSorted((a, b) => compareText(a.metadata.name, b.metadata.name))
    .map(({ spec }) => spec);
  return Object.assign({}, named("default"), ...selected, named(`${ofNodePrefix}${node.name}`), environment);
}

function isSelected({ metadata: { name }, spec }: FelixConfiguration, labels: Labels): boolean {
  if (spec.nodeSelector === undefined || name === "default" || name.startsWith(ofNodePrefix)) return false;
  const parsed = parseSelector(spec.nodeSelector);
  return parsed.kind === "ok" && matchesSelector(parsed.selector, labels);
}
