import type { FelixSettings } from "@caracal/intent";
import { felixConfigurationKind } from "@caracal/resources";

/** Names of variables that are not those of the resource's fields (facts: API, §4). */
const otherNames: Readonly<Record<string, string>> = {
  ipipenabled: "ipinipenabled",
  ipipmtu: "ipinipmtu",
  externalnodeslist: "externalnodescidrlist",
  wireguardkeepalive: "wireguardpersistentkeepalive",
  bpfconntrackmode: "bpfconntrackcleanupmode",
};

export interface FelixEnvironment {
  readonly settings: FelixSettings;
  /** Variables that are left out, as Felix leaves them out, and why. */
  readonly problems: readonly string[];
}

/**
 * Settings that `FELIX_<NAME>` variables give, in any case: the field's own name, or Felix's where that is another. Empty is
 * unset, `none` is the zero value, and what makes no sense leaves the setting to the resources.
 */
export function readFelixEnvironment(
  environment: Readonly<Record<string, string | undefined>>,
): FelixEnvironment {
  let settings: FelixSettings = {};
  const problems: string[] = [];
  for (const [variable, text] of Object.entries(environment)) {
    const field = fieldOf(variable);
    const value = text?.trim() ?? "";
    if (field === undefined || value === "") continue;
    const found = candidates(value)
      .map((candidate) => settingOf(field, candidate))
      .find((one) => one !== undefined);
    if (found === undefined)
      problems.push(`environment ${variable}='${value}' makes no sense and is left out`);
    else settings = { ...settings, ...found };
  }
  return { settings, problems };
}

const prefix = "felix_";
const fields = new Map(
  fieldNames().map((field) => [otherNames[field.toLowerCase()] ?? field.toLowerCase(), field]),
);

function fieldOf(variable: string): string | undefined {
  const name = variable.toLowerCase();
  return name.startsWith(prefix) ? fields.get(name.slice(prefix.length)) : undefined;
}

/** The fields of the resource's specification, from its schema. */
function fieldNames(): readonly string[] {
  const spec = property(property(felixConfigurationKind.schema, "properties"), "spec");
  return Object.keys(property(spec, "properties"));
}

function property(value: object, name: string): object {
  const found: unknown = Reflect.get(value, name);
  return typeof found === "object" && found !== null ? found : {};
}

/** What a text may mean, the likeliest first; the field's type decides. */
function candidates(text: string): readonly (string | number | boolean)[] {
  const word = text.toLowerCase();
  if (word === "none") return [false, 0, "", text];
  const flag = flags[word];
  const number = /^-?(0x[0-9a-f]+|[0-9]+)$/.test(word) ? [Number(word)] : [];
  return [...(flag === undefined ? [] : [flag]), ...number, text];
}

const flags: Readonly<Record<string, boolean>> = {
  true: true,
  "1": true,
  yes: true,
  y: true,
  t: true,
  false: false,
  "0": false,
  no: false,
  n: false,
  f: false,
};

/** One field with this value, if a resource may have it so. */
function settingOf(field: string, value: string | number | boolean): FelixSettings | undefined {
  const { apiVersion, kind } = { apiVersion: "projectcalico.org/v3", kind: felixConfigurationKind.name };
  const document = { apiVersion, kind, metadata: { name: "default" }, spec: { [field]: value } };
  const reading = felixConfigurationKind.parse(document, "user");
  if (reading.kind === "bad") return undefined;
  // What a write fills in is nobody's wish.
  return Object.fromEntries(Object.entries(reading.value.spec).filter(([name]) => name === field));
}
