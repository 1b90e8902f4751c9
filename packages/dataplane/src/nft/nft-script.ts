import { type NftChain, type NftRule, type NftSet, type NftTable, tableTitle } from "./nft-table.ts";

/** Elements in one statement: nft reads a line into memory as a whole. */
const elementsPerStatement = 1000;

/** The transaction that puts a table in the place of whatever has its name: packets meet the one or the other. */
export function wholeScript(table: NftTable): string {
  return lines([
    ...dropStatements(table),
    `add table ${tableTitle(table)}`,
    ...table.sets.flatMap((set) => [addSet(table, set), ...elementStatements(table, "add", set)]),
    ...table.chains.map((chain) => addChain(table, chain)),
    ...table.chains.flatMap((chain) => addRules(table, chain)),
  ]);
}

/** The transaction after which there is no such table, whether there was one or not. */
export function dropScript(table: Pick<NftTable, "family" | "name">): string {
  return lines(dropStatements(table));
}

/**
 * The transaction that makes `after` of `before`, as small as it can be: elements come and go one by one, rules by chains.
 * The empty text when both are the same. A set that becomes of another type, or a chain that moves, is a matter for
 * `wholeScript`, which this falls back to.
 */
export function changeScript(before: NftTable, after: NftTable): string {
  const sets = paired(before.sets, after.sets);
  const chains = paired(before.chains, after.chains);
  const isMended =
    sets.kept.every(([old, now]) => setHeader(old) === setHeader(now)) &&
    chains.kept.every(([old, now]) => chainHeader(old) === chainHeader(now));
  if (!isMended || tableTitle(before) !== tableTitle(after)) return wholeScript(after);
  const rewritten = chains.kept.filter(([old, now]) => rulesKey(old) !== rulesKey(now)).map(([, now]) => now);
  return lines([
    ...sets.added.flatMap((set) => [addSet(after, set), ...elementStatements(after, "add", set)]),
    ...sets.kept.flatMap(([old, now]) => changeElements(after, old, now)),
    ...chains.added.map((chain) => addChain(after, chain)),
    // A chain or set can go only when no rule names it any more.
    ...[...rewritten, ...chains.removed].map(({ name }) => `flush chain ${tableTitle(after)} ${name}`),
    ...[...rewritten, ...chains.added].flatMap((chain) => addRules(after, chain)),
    ...chains.removed.map(({ name }) => `delete chain ${tableTitle(after)} ${name}`),
    ...sets.removed.map((set) => `delete ${kindOf(set)} ${tableTitle(after)} ${set.name}`),
  ]);
}

/** A rule as `add rule` takes it and as two rules are told apart. */
export function ruleText({ text, comment }: NftRule): string {
  return comment === undefined ? text : `${text} comment "${comment}"`;
}

function lines(statements: readonly string[]): string {
  return statements.map((one) => `${one}\n`).join("");
}

/** Deleting what is not there fails, so it is made first. */
function dropStatements(table: Pick<NftTable, "family" | "name">): readonly string[] {
  return [`add table ${tableTitle(table)}`, `delete table ${tableTitle(table)}`];
}

function addSet(table: NftTable, set: NftSet): string {
  return `add ${kindOf(set)} ${tableTitle(table)} ${set.name} ${setHeader(set)}`;
}

function kindOf({ valueType }: NftSet): "set" | "map" {
  return valueType === undefined ? "set" : "map";
}

function setHeader({ keyType, valueType, isInterval }: NftSet): string {
  const type = valueType === undefined ? keyType : `${keyType} : ${valueType}`;
  return `{ type ${type};${isInterval === true ? " flags interval;" : ""} }`;
}

function addChain(table: NftTable, chain: NftChain): string {
  return `add chain ${tableTitle(table)} ${chain.name}${chainHeader(chain)}`;
}

function chainHeader({ base }: NftChain): string {
  if (base === undefined) return "";
  return ` { type ${base.type} hook ${base.hook} priority ${base.priority}; policy accept; }`;
}

function addRules(table: NftTable, { name, rules }: NftChain): readonly string[] {
  return rules.map((rule) => `add rule ${tableTitle(table)} ${name} ${ruleText(rule)}`);
}

function rulesKey({ rules }: NftChain): string {
  return rules.map(ruleText).join("\n");
}

function changeElements(table: NftTable, old: NftSet, now: NftSet): readonly string[] {
  if (old.elements === now.elements) return [];
  const isIn = (elements: NftSet["elements"], key: string, value: string): boolean =>
    elements.get(key) === value;
  const gone = [...old.elements].filter(([key, value]) => !isIn(now.elements, key, value));
  const come = [...now.elements].filter(([key, value]) => !isIn(old.elements, key, value));
  return [
    ...elementStatements(table, "delete", { ...now, elements: new Map(gone) }),
    ...elementStatements(table, "add", { ...now, elements: new Map(come) }),
  ];
}

function elementStatements(table: NftTable, verb: "add" | "delete", set: NftSet): readonly string[] {
  const texts = [...set.elements].map(([key, value]) =>
    value === "" || verb === "delete" ? key : `${key} : ${value}`,
  );
  const statements: string[] = [];
  for (let at = 0; at < texts.length; at += elementsPerStatement) {
    const part = texts.slice(at, at + elementsPerStatement).join(", ");
    statements.push(`${verb} element ${tableTitle(table)} ${set.name} { ${part} }`);
  }
  return statements;
}

/** What both have by name, and what only one of them has. */
function paired<T extends { readonly name: string }>(
  before: readonly T[],
  after: readonly T[],
): {
  readonly kept: readonly (readonly [T, T])[];
  readonly added: readonly T[];
  readonly removed: readonly T[];
} {
  const old = new Map(before.map((one) => [one.name, one]));
  const names = new Set(after.map(({ name }) => name));
  return {
    kept: after.flatMap((now) => {
      const was = old.get(now.name);
      return was === undefined ? [] : [[was, now] as const];
    }),
    added: after.filter(({ name }) => !old.has(name)),
    removed: before.filter(({ name }) => !names.has(name)),
  };
}
