import type { DocumentSource, RawDocument, ResourceBase } from "../kind.ts";
import type { NameRule } from "../metadata.ts";
import { isRecord, type Reading } from "../schema-reader.ts";

/** The tier of policies that name none. */
export const defaultTier = "default";

/** Set by Calico on every policy, so that the policies of a tier can be listed. */
const tierLabel = "projectcalico.org/tier";

/** Where Calico keeps the name that the user gave, which older versions stored in another form. */
const nameAnnotation = "projectcalico.org/metadata";

const label = "[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?";
const policyNamePattern = new RegExp(`^(${label}\\.)?${label}$`);

/** Begins the names of Calico's copies of Kubernetes policies. They can be read from files, but people may not change them. */
export const kubernetesPolicyPrefix = "knp.default.";

/** `name` or `tier.name`, or the name of a copy. */
export const policyNameRule: NameRule = {
  accepts: (name) =>
    policyNamePattern.test(name) ||
    (name.startsWith(kubernetesPolicyPrefix) && name.length > kubernetesPolicyPrefix.length),
  allowed: "name or tier.name, each a label of up to 63 of a–z 0–9 -",
};

/**
 * The name to show for a stored policy. Calico to 3.29 stored `default.foo` for the `foo` of tier `default`, later
 * versions keep the user's spelling in an annotation, and today's store `foo`. All are read.
 */
export function readPolicyName(document: RawDocument, source: DocumentSource): Reading<RawDocument> {
  const { metadata, spec } = document;
  if (source !== "store" || !isRecord(metadata)) return { kind: "ok", value: document };
  const { annotations, name } = metadata;
  if (isRecord(annotations) && annotations[nameAnnotation] !== undefined) {
    const { [nameAnnotation]: kept, ...others } = annotations;
    const shown = nameIn(kept) ?? name;
    const { annotations: _all, ...rest } = metadata;
    const more = Object.keys(others).length === 0 ? {} : { annotations: others };
    return { kind: "ok", value: { ...document, metadata: { ...rest, name: shown, ...more } } };
  }
  const tier = isRecord(spec) ? (spec.tier ?? "") : "";
  const prefix = `${defaultTier}.`;
  if ((tier !== "" && tier !== defaultTier) || typeof name !== "string" || !name.startsWith(prefix)) {
    return { kind: "ok", value: document };
  }
  return {
    kind: "ok",
    value: { ...document, metadata: { ...metadata, name: name.slice(prefix.length) } },
  };
}

/** The policy with the annotation that keeps its name. */
export function keepPolicyName(policy: ResourceBase): ResourceBase {
  const { metadata } = policy;
  const kept = { ...metadata.annotations, [nameAnnotation]: JSON.stringify({ name: metadata.name }) };
  const annotations = Object.fromEntries(Object.entries(kept).toSorted(([a], [b]) => (a < b ? -1 : 1)));
  return { ...policy, metadata: { ...metadata, annotations } };
}

/** Names that an older Calico may have stored this policy under, besides its own. */
export function formerPolicyNames(name: string): readonly string[] {
  return name.startsWith(`${defaultTier}.`) ? [] : [`${defaultTier}.${name}`];
}

/** The metadata with the label of its tier. */
export function labelTier<M extends ResourceBase["metadata"]>(metadata: M, tier: string): M {
  return { ...metadata, labels: { ...metadata.labels, [tierLabel]: tier } };
}

function nameIn(annotation: unknown): string | undefined {
  if (typeof annotation !== "string") return undefined;
  try {
    const kept: unknown = JSON.parse(annotation);
    return isRecord(kept) && typeof kept.name === "string" && kept.name !== "" ? kept.name : undefined;
  } catch {
    return undefined;
  }
}
