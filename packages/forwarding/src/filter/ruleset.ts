import { isObject } from "../json-object.ts";

/** A packet filter as `nft --json list ruleset` tells it, by what refers to what. See libnftables-json(5). */
export interface Ruleset {
  /** By family, table and name: `ip calico filter-FORWARD`. */
  readonly chains: ReadonlyMap<string, Chain>;
  /** Elements of sets and maps, by the same kind of key. */
  readonly elements: ReadonlyMap<string, readonly unknown[]>;
}

export interface Chain {
  readonly family: string;
  readonly table: string;
  readonly name: string;
  readonly type?: string;
  /** Of a chain that the kernel itself calls. */
  readonly hook?: string;
  readonly priority: number;
  readonly policy: string;
  readonly rules: readonly Rule[];
}

export interface Rule {
  readonly handle: number;
  readonly comment?: string;
  readonly expressions: readonly Record<string, unknown>[];
}

export function readRuleset(objects: readonly unknown[]): Ruleset {
  const chains = new Map<string, Chain & { readonly rules: Rule[] }>();
  const elements = new Map<string, readonly unknown[]>();
  for (const [kind, body] of objects.flatMap((object) => (isObject(object) ? Object.entries(object) : []))) {
    if (!isObject(body)) continue;
    const { family, table, name } = body;
    if (kind === "chain") {
      const chain = readChain(body);
      chains.set(keyOf(chain.family, chain.table, chain.name), chain);
    }
    if (kind === "set" || kind === "map") {
      const list: unknown = body["elem"];
      elements.set(keyOf(String(family), String(table), String(name)), Array.isArray(list) ? list : []);
    }
    // The chain of a rule is listed before it.
    if (kind === "rule") {
      chains.get(keyOf(String(family), String(table), String(body["chain"])))?.rules.push(readRule(body));
    }
  }
  return { chains, elements };
}

export function keyOf(family: string, table: string, name: string): string {
  return `${family} ${table} ${name}`;
}

function readChain(body: Record<string, unknown>): Chain & { readonly rules: Rule[] } {
  const { family, table, name, type, hook, prio, policy } = body;
  return {
    family: String(family),
    table: String(table),
    name: String(name),
    ...(typeof type === "string" ? { type } : {}),
    ...(typeof hook === "string" ? { hook } : {}),
    priority: typeof prio === "number" ? prio : 0,
    policy: typeof policy === "string" ? policy : "accept",
    rules: [],
  };
}

function readRule({ handle, comment, expr }: Record<string, unknown>): Rule {
  return {
    handle: typeof handle === "number" ? handle : 0,
    ...(typeof comment === "string" ? { comment } : {}),
    expressions: Array.isArray(expr) ? expr.filter(isObject) : [],
  };
}
