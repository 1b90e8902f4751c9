import { isRecord } from "@caracal/resources";
import { present, refuseStray, textOf } from "./document-parts.ts";

const actions: Readonly<Record<string, string>> = {
  allow: "Allow",
  deny: "Deny",
  log: "Log",
  pass: "Pass",
  "next-tier": "Pass",
};

const protocols: Readonly<Record<string, string>> = {
  tcp: "TCP",
  udp: "UDP",
  icmp: "ICMP",
  icmpv6: "ICMPv6",
  sctp: "SCTP",
  udplite: "UDPLite",
};

/** The rules of a policy or profile of API version 1 in today's fields. */
export function convertRules(rules: unknown): readonly unknown[] | undefined {
  if (rules === undefined || rules === null) return undefined;
  const list: readonly unknown[] = Array.isArray(rules) ? rules : [rules];
  return list.map(convertRule);
}

function convertRule(rule: unknown): unknown {
  if (!isRecord(rule)) return rule;
  const { action, ipVersion, protocol, icmp, "!protocol": notProtocol, "!icmp": notIcmp, ...more } = rule;
  const { source, destination, notProtocol: alsoNotProtocol, notICMP: alsoNotIcmp, ...stray } = more;
  refuseStray(stray, "a rule");
  return present({
    action: convertAction(action),
    ipVersion,
    protocol: convertProtocol(protocol),
    icmp,
    notProtocol: convertProtocol(notProtocol ?? alsoNotProtocol),
    notICMP: notIcmp ?? alsoNotIcmp,
    source: convertEntity(source),
    destination: convertEntity(destination),
  });
}

function convertAction(action: unknown): unknown {
  if (action === undefined || action === "") return "Allow";
  return typeof action === "string" ? (actions[action.toLowerCase()] ?? action) : action;
}

/** Names are written otherwise today; numbers are as they were. */
export function convertProtocol(protocol: unknown): unknown {
  return typeof protocol === "string" ? (protocols[protocol.toLowerCase()] ?? protocol) : protocol;
}

function convertEntity(entity: unknown): unknown {
  if (!isRecord(entity)) return entity;
  const { tag, net, nets, selector, ports, ...rest } = entity;
  const not = (name: string): unknown => {
    const old = rest[`!${name}`];
    return old ?? rest[`not${name.charAt(0).toUpperCase()}${name.slice(1)}`];
  };
  const known = ["tag", "net", "nets", "selector", "ports"];
  const negated = known.flatMap((name) => [`!${name}`, `not${name.charAt(0).toUpperCase()}${name.slice(1)}`]);
  refuseStray(
    Object.fromEntries(Object.entries(rest).filter(([name]) => !negated.includes(name))),
    "a rule's entity",
  );
  return present({
    nets: merge(net, nets),
    selector: withTag(selector, tag),
    ports,
    notNets: merge(not("net"), not("nets")),
    notSelector: withTag(not("selector"), not("tag")),
    notPorts: not("ports"),
  });
}

function merge(one: unknown, many: unknown): readonly unknown[] | undefined {
  const list: readonly unknown[] = Array.isArray(many) ? many : [];
  const all = [...(one === undefined || one === null ? [] : [one]), ...list];
  return all.length === 0 ? undefined : all;
}

/** Tags are labels without a value today. */
function withTag(selector: unknown, tag: unknown): string | undefined {
  const own = convertSelector(selector);
  const tagged = textOf(tag);
  if (tagged === "") return own;
  return own === undefined ? `${tagged} == ''` : `(${own}) && ${tagged} == ''`;
}

/** The label of a workload's namespace has another name today. */
export function convertSelector(selector: unknown): string | undefined {
  const text = textOf(selector);
  return text === "" ? undefined : text.replaceAll("calico/k8s_ns", "projectcalico.org/namespace");
}
