import { Utf8 } from "@caracal/net";
import { problem, type Problem } from "./problem.ts";
import { maxAnnotationBytes } from "./resource-schema.ts";
import { isRecord } from "./schema-reader.ts";

/** Which names a kind accepts besides the general form: `default`, `node.<name>`. */
export interface NameRule {
  readonly accepts: (name: string) => boolean;
  readonly allowed: string;
}

const subdomain = "[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*";
const subdomainPattern = new RegExp(`^${subdomain}$`);

/** RFC 1123 subdomain, as Kubernetes limits it. */
const maxNameLength = 253;

/** Whether a text has the form of a name: an RFC 1123 subdomain. */
export function isSubdomain(text: string): boolean {
  return text.length <= maxNameLength && subdomainPattern.test(text);
}

/** Calico's rules on a document's metadata, read from the raw document so that they also work on malformed ones. */
export function checkMetadata(
  document: Readonly<Record<string, unknown>>,
  kind: string,
  isNamespaced: boolean,
  rule: NameRule | undefined,
): Problem[] {
  const metadata = isRecord(document.metadata) ? document.metadata : {};
  const problems = checkName(metadata.name, rule);
  const { namespace } = metadata;
  if (!isNamespaced && typeof namespace === "string" && namespace !== "") {
    const reason = `namespace should not be specified for a non-namespaced resource. ${kind} is not a namespaced resource`;
    problems.push(problem("metadata.namespace", namespace, reason, { field: "Metadata.Namespace" }));
  }
  return [...problems, ...checkLabels(metadata.labels), ...checkAnnotations(metadata.annotations)];
}

function checkName(name: unknown, rule: NameRule | undefined): Problem[] {
  const field = "Metadata.Name";
  if (name === undefined || name === null || name === "") {
    return [problem("metadata.name", undefined, "resource name may not be empty", { field })];
  }
  if (typeof name !== "string") return [];
  const problems: Problem[] = [];
  if (name.length > maxNameLength) {
    const reason = `name is too long by ${name.length - maxNameLength} bytes`;
    problems.push(problem("metadata.name", name, reason, { field }));
  }
  if (!subdomainPattern.test(name)) {
    const reason = `name must consist of lower case alphanumeric characters, '-' or '.' (regex: ${subdomain})`;
    problems.push(problem("metadata.name", name, reason, { field }));
  } else if (rule !== undefined && !rule.accepts(name)) {
    problems.push(
      problem("metadata.name", name, "is not a name of this kind", { field, allowed: rule.allowed }),
    );
  }
  return problems;
}

const labelNamePattern = /^[a-zA-Z0-9]([-a-zA-Z0-9_.]{0,61}[a-zA-Z0-9])?$/;

/** Kubernetes' rules on the names and values of labels. */
export function checkLabels(labels: unknown, at = "metadata.labels", field = "Metadata.Labels"): Problem[] {
  if (!isRecord(labels)) return [];
  return Object.entries(labels).flatMap(([key, value]) => {
    const path = `${at}.${key}`;
    if (!isQualifiedName(key)) {
      return [
        problem(path, key, "is not a label name", {
          field,
          allowed: "[dns-prefix/]name of up to 63 characters",
        }),
      ];
    }
    if (typeof value !== "string" || value === "" || labelNamePattern.test(value)) return [];
    const allowed = "up to 63 of a–z A–Z 0–9 - _ . that begin and end with a letter or digit";
    return [problem(path, value, "is not a label value", { field, allowed })];
  });
}

function isQualifiedName(key: string): boolean {
  const slash = key.indexOf("/");
  const prefix = slash < 0 ? undefined : key.slice(0, slash);
  if (prefix !== undefined && !isSubdomain(prefix)) return false;
  return labelNamePattern.test(key.slice(slash + 1));
}

/** The rules on annotations, of an object or of a rule. */
export function checkAnnotations(annotations: unknown, path = "metadata.annotations"): Problem[] {
  if (!isRecord(annotations)) return [];
  let size = 0;
  const problems = Object.keys(annotations)
    .filter((key) => !isQualifiedName(key.toLowerCase()))
    .map((key) =>
      problem(`${path}.${key}`, key, "is not an annotation's name", {
        field: "Metadata.Annotations (key)",
        allowed: "[dns-prefix/]name of up to 63 characters",
      }),
    );
  for (const [key, value] of Object.entries(annotations)) {
    size += Utf8.encode(key).length + (typeof value === "string" ? Utf8.encode(value).length : 0);
  }
  if (size <= maxAnnotationBytes) return problems;
  const reason = `annotations are too large by ${size - maxAnnotationBytes} bytes`;
  return [...problems, problem(path, undefined, reason, { field: "Metadata.Annotations" })];
}
