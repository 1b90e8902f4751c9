import { Prefix } from "@caracal/net";
import { checkAnnotations } from "../metadata.ts";
import { checkNames } from "../name-fields.ts";
import { problem, type Problem } from "../problem.ts";
import type { EntityRule, Rule, RuleDirection } from "./rule-schema.ts";

/** What a rule belongs to: it says which of its fields mean something. */
export type RuleScope = "namespaced" | "global" | "profile";

/** Calico's rules on the rules of a policy or profile. */
export function checkRules(
  rules: readonly Rule[] | undefined,
  direction: RuleDirection,
  scope: RuleScope,
): readonly Problem[] {
  return (rules ?? []).flatMap((rule, index) => {
    const path = `spec.${direction}[${index}]`;
    const check = new RuleCheck(rule, path);
    check.checkMatches();
    check.checkFamilies();
    check.checkHttp(direction, scope);
    check.checkEnd("source", direction === "ingress", direction, scope);
    check.checkEnd("destination", direction === "egress", direction, scope);
    const annotations = checkAnnotations(rule.metadata?.annotations, `${path}.metadata.annotations`);
    return [...check.problems, ...annotations];
  });
}

/** `global()` outside the one place that it has a meaning in. */
export function checkNoGlobal(path: string, selector: string | undefined, field: string): readonly Problem[] {
  if (selector === undefined || !mentionsGlobal(selector)) return [];
  const reason = "global() can only be used in an EntityRule namespaceSelector";
  return [problem(path, selector, reason, { field })];
}

/** Outside quotes, that is. */
function mentionsGlobal(selector: string): boolean {
  return selector.replaceAll(/'[^']*'|"[^"]*"/g, "").includes("global(");
}

const ends = ["source", "destination"] as const;
const protocolsWithPorts: readonly unknown[] = ["TCP", "UDP", "SCTP", 6, 17, 132];

/** The problems of one rule, as they are found. */
class RuleCheck {
  readonly problems: Problem[] = [];
  readonly #rule: Rule;
  readonly #path: string;

  constructor(rule: Rule, path: string) {
    this.#rule = rule;
    this.#path = path;
  }

  /** Ports and ICMP fields against the protocol that has them. */
  checkMatches(): void {
    const { protocol, icmp, notICMP } = this.#rule;
    for (const end of ends) {
      for (const list of ["ports", "notPorts"] as const) {
        const found = this.#rule[end]?.[list] ?? [];
        if (protocolsWithPorts.includes(protocol) || found.every(isNamedPort)) continue;
        const reason = "rules that specify ports must set protocol to TCP or UDP or SCTP";
        this.#refuse(`${end}.${list}`, found, reason, `${capital(end)}.${capital(list)}`);
      }
    }
    const isIcmp = protocol === "ICMP" || protocol === "ICMPv6";
    for (const [name, fields] of [
      ["icmp", icmp],
      ["notICMP", notICMP],
    ] as const) {
      if (fields === undefined) continue;
      if (name === "icmp" && !isIcmp) {
        this.#refuse(name, fields, "rules that specify ICMP fields must set protocol to ICMP", "ICMP");
      }
      if (fields.code !== undefined && fields.type === undefined) {
        this.#refuse(`${name}.code`, fields.code, "ICMP code specified without an ICMP type", "Code");
      }
    }
  }

  /** All that a rule says of addresses is of one family. */
  checkFamilies(): void {
    const { ipVersion, protocol, notProtocol } = this.#rule;
    for (const [name, family] of [
      ["ICMP", 4],
      ["ICMPv6", 6],
    ] as const) {
      if (ipVersion === undefined || ipVersion === family) continue;
      if (protocol !== name && notProtocol !== name) continue;
      const reason = `must set ipversion to '${family}' with protocol ${name.toLowerCase()}`;
      this.#refuse("ipVersion", ipVersion, reason, "IPVersion");
    }
    const seen = new Set<number>();
    for (const end of ends) {
      for (const list of ["nets", "notNets"] as const) {
        const found = this.#rule[end]?.[list] ?? [];
        const families = new Set(found.flatMap((net) => Prefix.parse(net)?.family ?? []));
        const field = `${capital(end)}.${capital(list)}`;
        if (
          ipVersion !== undefined &&
          families.size > 0 &&
          !(families.size === 1 && families.has(ipVersion))
        ) {
          this.#refuse(`${end}.${list}`, found, "rule IP version doesn't match CIDR version", field);
        }
        const before = seen.size;
        for (const family of families) seen.add(family);
        if (seen.size > 1 && (before < 2 || families.size > 0)) {
          this.#refuse(`${end}.${list}`, found, "rule contains both IPv4 and IPv6 CIDRs", field);
        }
      }
    }
  }

  checkHttp(direction: RuleDirection, scope: RuleScope): void {
    const { http, action, protocol } = this.#rule;
    if (http === undefined) return;
    if (protocol !== undefined && protocol !== "TCP") {
      const reason = "rules that specify HTTP fields must set protocol to TCP or empty";
      this.#refuse("protocol", protocol, reason, "Protocol");
    }
    if (action !== "Allow") this.#refuse("http", http, "only valid for Allow rules", "HTTP");
    if (direction === "egress" && scope !== "profile") {
      this.#refuse("http", http, "not allowed in egress rule", "HTTP");
    }
    const { methods = [], paths = [] } = http;
    if (new Set(methods).size !== methods.length) {
      this.#refuse("http.methods", methods, "Invalid methods (duplicates)", "Methods");
    }
    for (const [index, { exact, prefix }] of paths.entries()) {
      const path = `http.paths[${index}]`;
      const text = exact ?? prefix;
      if ((exact === undefined) === (prefix === undefined)) {
        this.#refuse(path, paths[index], "must have either 'exact' or 'prefix'", "Paths");
      } else if (text === undefined || !/^\/[^? #]*$/.test(text)) {
        this.#refuse(path, text, "must start with / and not contain a blank, ? or #", "Paths");
      }
    }
  }

  checkEnd(
    end: "source" | "destination",
    mayHaveServices: boolean,
    direction: RuleDirection,
    scope: RuleScope,
  ): void {
    const entity = this.#rule[end];
    if (entity === undefined) return;
    this.problems.push(
      ...checkNoGlobal(`${this.#path}.${end}.selector`, entity.selector, "Selector field"),
      ...checkNoGlobal(`${this.#path}.${end}.notSelector`, entity.notSelector, "NotSelector field"),
    );
    const { namespaceSelector = "" } = entity;
    if (mentionsGlobal(namespaceSelector) && !/^[ \t]*global\([ \t]*\)[ \t]*$/.test(namespaceSelector)) {
      const reason = "global() cannot be combined with other selectors";
      this.#refuse(`${end}.namespaceSelector`, namespaceSelector, reason, "NamespaceSelector field");
    }
    for (const [index, net] of (entity.notNets ?? []).entries()) {
      if (Prefix.parse(net)?.length !== 0) continue;
      const reason = "a rule that excludes every address matches nothing";
      this.#refuse(`${end}.notNets[${index}]`, net, reason, `${capital(end)}.NotNets`);
    }
    if (entity.services === undefined) return;
    this.#checkServices(end, entity);
    if (scope === "profile") return;
    if (!mayHaveServices) {
      this.#refuse(`${end}.services`, entity.services, `not allowed in ${direction} rule ${end}`, "Services");
    } else if (scope === "global" && entity.services.namespace === undefined) {
      this.#refuse(`${end}.services.namespace`, undefined, "must specify a namespace", "Namespace");
    }
  }

  /** A service says which endpoints and ports it is, so nothing else may. */
  #checkServices(end: "source" | "destination", entity: EntityRule): void {
    const refuse = (name: string, reason: string): void =>
      this.#refuse(`${end}.${name}`, undefined, reason, "Services field");
    const { name, namespace } = entity.services ?? {};
    if (name === undefined) refuse("services.name", "must specify a service name");
    const at = `${this.#path}.${end}.services`;
    this.problems.push(...checkNames({ [`${at}.name`]: name, [`${at}.namespace`]: namespace }));
    const clash = (name: string): string => `cannot specify ${name} and Services on the same rule`;
    if (entity.namespaceSelector !== undefined) refuse("services", clash("NamespaceSelector"));
    if (entity.selector !== undefined || entity.notSelector !== undefined) {
      refuse("services", clash("Selector/NotSelector"));
    }
    if (entity.serviceAccounts !== undefined) refuse("services", clash("ServiceAccounts"));
    if ((entity.nets ?? []).length > 0 || (entity.notNets ?? []).length > 0) {
      refuse("services", clash("Nets/NotNets"));
    }
    if (end === "source") return;
    for (const list of ["ports", "notPorts"] as const) {
      const found = entity[list] ?? [];
      if (found.length === 0) continue;
      const reason = `cannot specify ${list.toLowerCase()} with a service selector`;
      this.#refuse(`${end}.${list}`, found, reason, `Destination.${capital(list)}`);
    }
  }

  #refuse(name: string, found: unknown, reason: string, field: string): void {
    this.problems.push(problem(`${this.#path}.${name}`, found, reason, { field }));
  }
}

function isNamedPort(port: number | string): boolean {
  return typeof port === "string" && !/^[0-9]+:[0-9]+$/.test(port);
}

function capital(name: string): string {
  return name.slice(0, 1).toUpperCase() + name.slice(1);
}
