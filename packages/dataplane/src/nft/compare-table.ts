import type { ListedChain, ListedSet, ListedTable } from "./listed-table.ts";
import { ruleText } from "./nft-script.ts";
import type { NftChain, NftSet, NftTable } from "./nft-table.ts";

/** How the kernel shows rules that we wrote, by their text; see `learnRules`. */
export type KnownRules = ReadonlyMap<string, string>;

/** Differences told of one table; there may be as many as elements. */
const differencesMax = 20;

/**
 * How a listed table differs from the wanted one, each difference in a few words; none when it is the same. Rules are
 * compared by what the kernel shows for a rule of that text; one that was never learned is compared by its comment only.
 */
export function compareTable(
  wanted: NftTable,
  listed: ListedTable | undefined,
  known: KnownRules,
): readonly string[] {
  if (listed === undefined) return [`table ${wanted.family} ${wanted.name} is gone`];
  const sets = new Set(wanted.sets.map(({ name }) => name));
  const chains = new Set(wanted.chains.map(({ name }) => name));
  const differences = [
    ...wanted.sets.flatMap((set) => compareSet(set, listed.sets.get(set.name))),
    ...wanted.chains.flatMap((chain) => compareChain(chain, listed.chains.get(chain.name), known)),
    ...[...listed.sets.keys()].filter((name) => !sets.has(name)).map((name) => `set ${name} is not ours`),
    ...[...listed.chains.keys()]
      .filter((name) => !chains.has(name))
      .map((name) => `chain ${name} is not ours`),
    ...listed.others.map((other) => `${other} is not ours`),
  ];
  return differences.length <= differencesMax
    ? differences
    : [...differences.slice(0, differencesMax), `and ${differences.length - differencesMax} more`];
}

/**
 * What the kernel shows for each rule of a table that has just been written. nft's language has many ways to say one thing,
 * and the kernel gives back its own: instead of foreseeing that for every release, it is looked up once and held to.
 */
export function learnRules(wanted: NftTable, listed: ListedTable): KnownRules {
  const known = new Map<string, string>();
  for (const chain of wanted.chains) {
    const found = listed.chains.get(chain.name)?.rules ?? [];
    for (const [index, rule] of chain.rules.entries()) {
      const expression = found[index]?.expression;
      if (expression !== undefined) known.set(ruleText(rule), expression);
    }
  }
  return known;
}

function compareSet(wanted: NftSet, listed: ListedSet | undefined): readonly string[] {
  const { name } = wanted;
  if (listed === undefined) return [`set ${name} is gone`];
  const isSameType =
    listed.keyType === wanted.keyType &&
    listed.valueType === wanted.valueType &&
    listed.isInterval === (wanted.isInterval === true);
  if (!isSameType) return [`set ${name} is of another type`];
  const differences: string[] = [];
  for (const [key, value] of wanted.elements) {
    const found = listed.elements.get(key);
    if (found === undefined) differences.push(`set ${name} lacks ${key}`);
    else if (found !== value) differences.push(`set ${name} has ${key} : ${found} for ${value}`);
  }
  for (const key of listed.elements.keys()) {
    if (!wanted.elements.has(key)) differences.push(`set ${name} has ${key} too much`);
  }
  return differences;
}

function compareChain(
  { name, base, rules }: NftChain,
  listed: ListedChain | undefined,
  known: KnownRules,
): readonly string[] {
  if (listed === undefined) return [`chain ${name} is gone`];
  if (!isSameBase(base, listed))
    return [`chain ${name} hangs elsewhere, or drops what it does not decide on`];
  if (rules.length !== listed.rules.length)
    return [`chain ${name} has ${listed.rules.length} rules instead of ${rules.length}`];
  return rules.flatMap((rule, index) => {
    const found = listed.rules[index];
    const expression = known.get(ruleText(rule));
    const isSame =
      found !== undefined &&
      found.comment === rule.comment &&
      (expression === undefined || expression === found.expression);
    return isSame ? [] : [`rule ${index + 1} of chain ${name} is another: ${rule.comment ?? rule.text}`];
  });
}

function isSameBase(wanted: NftChain["base"], { base, policy }: ListedChain): boolean {
  if (wanted === undefined || base === undefined) return wanted === undefined && base === undefined;
  return (
    wanted.type === base.type &&
    wanted.hook === base.hook &&
    wanted.priority === base.priority &&
    policy === "accept"
  );
}
