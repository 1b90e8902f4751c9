import { isRecord } from "@caracal/resources";
import { partOf, present, type RawDocument, refuseStray, textOf } from "./document-parts.ts";

/** Only pods of Kubernetes are meant. */
const podsOnly = "projectcalico.org/orchestrator == 'k8s'";

/** The order of policies that were Kubernetes' own. */
const kubernetesOrder = 1000;

/** A Kubernetes NetworkPolicy as a NetworkPolicy of Calico's, with the same meaning. */
export function convertKubernetesPolicy(document: RawDocument): RawDocument {
  const { name, namespace, labels, annotations } = partOf(document, "metadata");
  const { podSelector, ingress, egress, policyTypes, ...stray } = partOf(document, "spec");
  refuseStray(stray, "a NetworkPolicy");
  const hasEgress = Array.isArray(egress) && egress.length > 0;
  const types: readonly unknown[] =
    Array.isArray(policyTypes) && policyTypes.length > 0
      ? policyTypes
      : ["Ingress", ...(hasEgress ? ["Egress"] : [])];
  return {
    apiVersion: "projectcalico.org/v3",
    kind: "NetworkPolicy",
    metadata: present({ name, namespace: textOf(namespace) || "default", labels, annotations }),
    spec: present({
      tier: "default",
      order: kubernetesOrder,
      selector: labelSelector(podSelector, podsOnly),
      types,
      ingress: rulesOf(ingress, "from", "source"),
      egress: rulesOf(egress, "to", "destination"),
    }),
  };
}

function rulesOf(
  rules: unknown,
  peers: "from" | "to",
  side: "source" | "destination",
): readonly unknown[] | undefined {
  const list: readonly unknown[] = Array.isArray(rules) ? rules : [];
  const converted = list.flatMap((rule) => {
    if (!isRecord(rule)) return [];
    const { [peers]: who, ports, ...stray } = rule;
    refuseStray(stray, "a NetworkPolicy's rule");
    // No peers are all peers, no ports all ports.
    const entities: readonly RawDocument[] =
      Array.isArray(who) && who.length > 0 ? who.map(peerEntity) : [{}];
    return portGroups(ports).flatMap(({ protocol, ports: numbers }) =>
      entities.map((entity) => {
        const rest = present({ ports: numbers });
        const other = side === "source" ? { destination: rest } : {};
        const own = side === "source" ? entity : { ...entity, ...rest };
        return present({ action: "Allow", protocol, [side]: own, ...other });
      }),
    );
  });
  return converted.length === 0 ? undefined : converted;
}

function peerEntity(peer: unknown): RawDocument {
  if (!isRecord(peer)) return {};
  const { ipBlock, podSelector, namespaceSelector, ...stray } = peer;
  refuseStray(stray, "a NetworkPolicy's peer");
  if (isRecord(ipBlock)) return present({ nets: [ipBlock.cidr], notNets: ipBlock.except });
  return present({
    selector:
      podSelector === undefined || podSelector === null ? undefined : labelSelector(podSelector, podsOnly),
    namespaceSelector:
      namespaceSelector === undefined || namespaceSelector === null
        ? undefined
        : labelSelector(namespaceSelector, undefined),
  });
}

/** Ports of one protocol go into one rule. */
function portGroups(
  ports: unknown,
): readonly { readonly protocol: string | undefined; readonly ports: readonly unknown[] | undefined }[] {
  if (!Array.isArray(ports) || ports.length === 0) return [{ protocol: undefined, ports: undefined }];
  const list: readonly unknown[] = ports;
  const groups = new Map<string, { ports: unknown[]; isAll: boolean }>();
  for (const one of list) {
    if (!isRecord(one)) continue;
    const protocol = textOf(one.protocol) || "TCP";
    const group = groups.get(protocol) ?? { ports: [], isAll: false };
    groups.set(protocol, group);
    if (one.port === undefined || one.port === null) group.isAll = true;
    else if (typeof one.port === "number" && typeof one.endPort === "number") {
      group.ports.push(`${one.port}:${one.endPort}`);
    } else group.ports.push(one.port);
  }
  return [...groups].map(([protocol, group]) => ({ protocol, ports: group.isAll ? undefined : group.ports }));
}

/** A Kubernetes label selector in Calico's grammar; without any term, all that `base` selects. */
function labelSelector(selector: unknown, base: string | undefined): string {
  const { matchLabels, matchExpressions } = isRecord(selector) ? selector : {};
  const terms = base === undefined ? [] : [base];
  const labels = Object.entries(isRecord(matchLabels) ? matchLabels : {});
  for (const [name, value] of labels.toSorted(([a], [b]) => (a < b ? -1 : 1)))
    terms.push(`${name} == '${String(value)}'`);
  const expressions: readonly unknown[] = Array.isArray(matchExpressions) ? matchExpressions : [];
  for (const expression of expressions) terms.push(expressionText(isRecord(expression) ? expression : {}));
  return terms.length === 0 ? "all()" : terms.join(" && ");
}

function expressionText({ key, operator, values }: RawDocument): string {
  const name = textOf(key);
  const list: readonly unknown[] = Array.isArray(values) ? values : [];
  const set = `{ ${list.map((value) => `'${String(value)}'`).join(", ")} }`;
  switch (operator) {
    case "In":
      return `${name} in ${set}`;
    case "NotIn":
      return `${name} not in ${set}`;
    case "Exists":
      return `has(${name})`;
    default:
      return `! has(${name})`;
  }
}
