import { IpAddress, Prefix } from "@caracal/net";
import type { NftBaseChain } from "./nft-table.ts";

/** A table as `nft -j list table` shows it (libnftables-json(5)), as far as ours have such things. */
export interface ListedTable {
  readonly sets: ReadonlyMap<string, ListedSet>;
  readonly chains: ReadonlyMap<string, ListedChain>;
  /** What else is in it, such as `flowtable f`. */
  readonly others: readonly string[];
}

export interface ListedSet {
  readonly keyType: string;
  readonly valueType: string | undefined;
  readonly isInterval: boolean;
  readonly elements: ReadonlyMap<string, string>;
}

export interface ListedChain {
  readonly base:
    | (Pick<NftBaseChain, "priority"> & { readonly type: string; readonly hook: string })
    | undefined;
  readonly policy: string | undefined;
  readonly rules: readonly ListedRule[];
}

export interface ListedRule {
  readonly comment: string | undefined;
  /** What the rule does, as the kernel holds it: JSON text, the same for the same rule by the same nft. */
  readonly expression: string;
}

/** Reads what nft printed; `undefined` when it is something else. */
export function readListedTable(document: unknown): ListedTable | undefined {
  const objects = isRecord(document) ? document["nftables"] : undefined;
  if (!Array.isArray(objects)) return undefined;
  const sets = new Map<string, ListedSet>();
  const chains = new Map<string, { readonly chain: ListedChain; readonly rules: ListedRule[] }>();
  const others: string[] = [];
  for (const object of objects.filter(isRecord)) {
    const [kind, value] = Object.entries(object)[0] ?? [];
    if (kind === undefined || !isRecord(value) || kind === "metainfo" || kind === "table") continue;
    const name = textOf(value["name"]);
    if (kind === "set" || kind === "map") sets.set(name, readSet(value));
    else if (kind === "chain") {
      const rules: ListedRule[] = [];
      chains.set(name, { chain: { ...readChain(value), rules }, rules });
    } else if (kind === "rule") chains.get(textOf(value["chain"]))?.rules.push(readRule(value));
    else others.push(`${kind} ${name}`);
  }
  return { sets, chains: new Map([...chains].map(([name, { chain }]) => [name, chain])), others };
}

function readSet(value: Readonly<Record<string, unknown>>): ListedSet {
  const elements: unknown = value["elem"];
  const flags: unknown = value["flags"];
  return {
    keyType: typeText(value["type"]),
    valueType: value["map"] === undefined ? undefined : typeText(value["map"]),
    isInterval: Array.isArray(flags) && flags.includes("interval"),
    elements: new Map(
      (Array.isArray(elements) ? elements : []).map((element: unknown): [string, string] =>
        Array.isArray(element)
          ? [elementText(element[0]), elementText(element[1])]
          : [elementText(element), ""],
      ),
    ),
  };
}

function readChain(value: Readonly<Record<string, unknown>>): Omit<ListedChain, "rules"> {
  const { hook, prio, policy } = value;
  return {
    base:
      hook === undefined
        ? undefined
        : { type: textOf(value["type"]), hook: textOf(hook), priority: Number(prio) },
    policy: policy === undefined ? undefined : textOf(policy),
  };
}

function readRule({ comment, expr }: Readonly<Record<string, unknown>>): ListedRule {
  return {
    comment: comment === undefined ? undefined : textOf(comment),
    expression: JSON.stringify(expr),
  };
}

function typeText(type: unknown): string {
  return Array.isArray(type) ? type.map(textOf).join(" . ") : textOf(type);
}

/** An element as `NftSet` has it; nft shows a prefix as an object, a range of another size too. */
function elementText(element: unknown): string {
  if (!isRecord(element)) return addressText(textOf(element));
  const { prefix, concat, range, elem } = element;
  if (isRecord(prefix)) return prefixText(textOf(prefix["addr"]), Number(prefix["len"]));
  if (Array.isArray(concat)) return concat.map(elementText).join(" . ");
  if (Array.isArray(range)) return range.map(elementText).join("-");
  // An element with a comment, a timeout or a counter.
  if (isRecord(elem)) return `${elementText(elem["val"])} and more`;
  return JSON.stringify(element);
}

function prefixText(address: string, length: number): string {
  const prefix = Prefix.parse(`${address}/${length}`);
  return prefix === undefined ? `${address}/${length}` : Prefix.format(prefix);
}

/** The C library writes some IPv6 addresses in another form than ours. */
function addressText(text: string): string {
  const address = IpAddress.parse(text);
  return address === undefined ? text : IpAddress.format(address);
}

function textOf(value: unknown): string {
  return typeof value === "string" || typeof value === "number"
    ? String(value)
    : JSON.stringify(value ?? null);
}

function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
