import type { ListedTable } from "./listed-table.ts";
import type { NftFamily } from "./nft-table.ts";
import type { ListOutcome, Ruleset, RulesetAuthor, RulesetNotice, TransactionOutcome } from "./ruleset.ts";

interface FakeSet {
  readonly keyType: string;
  readonly valueType: string | undefined;
  readonly isInterval: boolean;
  readonly elements: Map<string, string>;
}

interface FakeChain {
  readonly header: string;
  readonly rules: { readonly text: string; readonly comment: string | undefined }[];
}

interface FakeTable {
  readonly sets: Map<string, FakeSet>;
  readonly chains: Map<string, FakeChain>;
}

type Tables = Map<string, FakeTable>;

/**
 * A ruleset in memory, for tests. It carries out the statements that this package writes, a transaction wholly or not at
 * all, and refuses what nft refuses; beside the port it has the hands of others.
 */
export class FakeRuleset implements Ruleset {
  #tables: Tables = new Map();
  readonly #listeners = new Set<(notice: RulesetNotice) => void>();
  /** Every script that was given to the port. */
  readonly scripts: string[] = [];
  /** What the port answers instead of doing anything, while it is set. */
  failure: Extract<TransactionOutcome, { readonly kind: "failed" }> | undefined;

  apply(script: string): Promise<TransactionOutcome> {
    this.scripts.push(script);
    if (this.failure !== undefined) return Promise.resolve(this.failure);
    return Promise.resolve(this.#carryOut(script));
  }

  list(family: NftFamily, name: string): Promise<ListOutcome> {
    if (this.failure !== undefined) return Promise.resolve(this.failure);
    const table = this.#tables.get(`${family} ${name}`);
    return Promise.resolve({ kind: "listed", ...(table === undefined ? {} : { table: listed(table) }) });
  }

  subscribe(listener: (notice: RulesetNotice) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** Another program's transaction, with the news of it. Throws when it makes no sense. */
  byOthers(script: string, by?: RulesetAuthor): void {
    const outcome = this.#carryOut(script);
    if (outcome.kind === "failed") throw new Error(outcome.detail);
    const names = new Set(
      script.split("\n").flatMap((line) => {
        const [, , family, name] = line.split(" ");
        return (family === "ip" || family === "ip6") && name !== undefined ? [`${family} ${name}`] : [];
      }),
    );
    const tables = [...names].map((title) => {
      const [family, name = ""] = title.split(" ");
      return { family: family === "ip6" ? ("ip6" as const) : ("ip" as const), name };
    });
    this.tell({ kind: "changed", tables, ...(by === undefined ? {} : { by }) });
  }

  /** `nft flush ruleset`, with the news of it. */
  flushByOthers(by?: RulesetAuthor): void {
    this.byOthers([...this.#tables.keys()].map((title) => `delete table ${title}\n`).join(""), by);
  }

  tell(notice: RulesetNotice): void {
    for (const listener of this.#listeners) listener(notice);
  }

  #carryOut(script: string): TransactionOutcome {
    const tables = copyOf(this.#tables);
    for (const line of script.split("\n").filter((text) => text !== "")) {
      const problem = execute(tables, line);
      if (problem !== undefined) return { kind: "failed", reason: "refused", detail: `${problem}: ${line}` };
    }
    const loose = dangling(tables);
    if (loose !== undefined) return { kind: "failed", reason: "refused", detail: loose };
    this.#tables = tables;
    return { kind: "done" };
  }
}

const none = "No such file or directory";

function copyOf(tables: Tables): Tables {
  const copy = ({ sets, chains }: FakeTable): FakeTable => ({
    sets: copySets(sets),
    chains: new Map([...chains].map(([name, chain]) => [name, { ...chain, rules: [...chain.rules] }])),
  });
  return new Map([...tables].map(([title, table]) => [title, copy(table)]));
}

function copySets(sets: FakeTable["sets"]): FakeTable["sets"] {
  return new Map([...sets].map(([name, set]) => [name, { ...set, elements: new Map(set.elements) }]));
}

function execute(tables: Tables, line: string): string | undefined {
  const [, verb, kind, title = "", rest = ""] =
    /^(add|delete|flush) (table|set|map|element|chain|rule) (\S+ \S+) ?(.*)$/.exec(line) ?? [];
  if (kind === "table") {
    if (verb === "delete") return tables.delete(title) ? undefined : none;
    if (!tables.has(title)) tables.set(title, { sets: new Map(), chains: new Map() });
    return undefined;
  }
  const table = tables.get(title);
  if (table === undefined) return none;
  const space = rest.indexOf(" ");
  const name = space < 0 ? rest : rest.slice(0, space);
  const body = space < 0 ? "" : rest.slice(space + 1);
  if (kind === "set" || kind === "map") return executeSet(table, verb, name, body);
  if (kind === "element") return executeElements(table, verb, name, body);
  return executeChain(table, `${verb} ${kind}`, name, body);
}

function executeSet(
  table: FakeTable,
  verb: string | undefined,
  name: string,
  body: string,
): string | undefined {
  if (verb === "delete") return table.sets.delete(name) ? undefined : none;
  const [, type = "", flags] = /^\{ type ([^;]+);( flags interval;)? \}$/.exec(body) ?? [];
  const [keyType = "", valueType] = type.split(" : ");
  table.sets.set(name, { keyType, valueType, isInterval: flags !== undefined, elements: new Map() });
  return undefined;
}

function executeElements(
  table: FakeTable,
  verb: string | undefined,
  name: string,
  body: string,
): string | undefined {
  const set = table.sets.get(name);
  if (set === undefined) return none;
  for (const text of body.slice(2, -2).split(", ")) {
    const [key = "", value = ""] = text.split(" : ");
    if (verb === "delete" && !set.elements.delete(key)) return none;
    if (verb === "delete") continue;
    const found = set.elements.get(key);
    if (found !== undefined && found !== value) return "File exists";
    set.elements.set(key, value);
  }
  return undefined;
}

function executeChain(table: FakeTable, what: string, name: string, body: string): string | undefined {
  const chain = table.chains.get(name);
  if (what === "add chain") {
    if (chain !== undefined) return chain.header === body ? undefined : "File exists";
    table.chains.set(name, { header: body, rules: [] });
    return undefined;
  }
  if (chain === undefined) return none;
  if (what === "add rule") {
    const [, text = body, comment] = /^(.*) comment "(.*)"$/.exec(body) ?? [];
    chain.rules.push({ text, comment });
  } else if (what === "flush chain") chain.rules.length = 0;
  else if (chain.rules.length > 0) return "Device or resource busy";
  else table.chains.delete(name);
  return undefined;
}

/** A rule may only name what is there. */
function dangling(tables: Tables): string | undefined {
  for (const { sets, chains } of tables.values()) {
    for (const { text } of [...chains.values()].flatMap(({ rules }) => rules)) {
      const target = /(?:jump|goto) (\S+)/.exec(text)?.[1];
      const set = /@(\S+)/.exec(text)?.[1];
      if (target !== undefined && !chains.has(target)) return `${none}: ${text}`;
      if (set !== undefined && !sets.has(set)) return `${none}: ${text}`;
    }
  }
  return undefined;
}

function listed({ sets, chains }: FakeTable): ListedTable {
  return {
    sets: copySets(sets),
    chains: new Map(
      [...chains].map(([name, { header, rules }]) => {
        const [, type = "", hook = "", priority] =
          /type (\S+) hook (\S+) priority (\S+); policy accept/.exec(header) ?? [];
        return [
          name,
          {
            base: header === "" ? undefined : { type, hook, priority: Number(priority) },
            policy: header === "" ? undefined : "accept",
            // The kernel's own form is not ours.
            rules: rules.map(({ text, comment }) => ({ comment, expression: `[${text}]` })),
          },
        ];
      }),
    ),
    others: [],
  };
}
