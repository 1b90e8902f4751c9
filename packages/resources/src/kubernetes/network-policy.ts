import { isRecord } from "../schema-reader.ts";

type Fields = Readonly<Record<string, unknown>>;

/** Told of fields that the conversion does not know. */
export type OnStray = (fields: Fields, place: string) => void;

/** Only pods of Kubernetes are meant. */
const podsOnly = "projectcalico.org/orchestrator == 'k8s'";

/** The order of policies that were Kubernetes' own. */
const kubernetesOrder = 1000;

/** The spec of a Kubernetes NetworkPolicy (networking.k8s.io/v1) as that of a NetworkPolicy of Calico's, with the same meaning. */
export function calicoPolicySpec(spec: Fields, onStray: OnStray = () => undefined): Fields {
  const { podSelector, ingress, egress, policyTypes, ...stray } = spec;
  onStray(stray, "a NetworkPolicy");
  const hasEgress = Array.isArray(egress) && egress.length > 0;
  const types: readonly unknown[] =
    Array.isArray(policyTypes) && policyTypes.length > 0
      ? policyTypes
      : ["Ingress", ...(hasEgress ? ["Egress"] : [])];
  return present({
    tier: "default",
    order: kubernetesOrder,
    selector: labelSelector(podSelector, podsOnly),
    types,
    ingress: rulesOf(ingress, { peers: "from", side: "source", onStray }),
    egress: rulesOf(egress, { peers: "to", side: "destination", onStray }),
  });
}

/** Which way a list of rules goes. */
interface Way {
  readonly peers: "from" | "to";
  readonly side: "source" | "destination";
  readonly onStray: OnStray;
}

function rulesOf(rules: unknown, { peers, side, onStray }: Way): readonly unknown[] | undefined {
  const list: readonly unknown[] = Array.isArray(rules) ? rules : [];
  const converted = list.flatMap((rule) => {
    if (!isRecord(rule)) return [];
    const { [peers]: who, ports, ...stray } = rule;
    onStray(stray, "a NetworkPolicy's rule");
    // No peers are all peers, no ports all ports.
    const entities: readonly Fields[] =
      Array.isArray(who) && who.length > 0 ? who.map((peer) => peerEntity(peer, onStray)) : [{}];
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

function peerEntity(peer: unknown, onStray: OnStray): Fields {
  if (!isRecord(peer)) return {};
  const { ipBlock, podSelector, namespaceSelector, ...stray } = peer;
  onStray(stray, "a NetworkPolicy's peer");
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

function expressionText({ key, operator, values }: Fields): string {
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

/** Without what is not set. */
function present(fields: Fields): Fields {
  const isSet = (value: unknown): boolean =>
    value !== undefined && value !== null && !(isRecord(value) && Object.keys(value).length === 0);
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => isSet(value)));
}

function textOf(value: unknown): string {
  return typeof value === "string" ? value : "";
}
