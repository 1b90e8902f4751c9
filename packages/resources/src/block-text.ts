import type { AllocationAttribute, AllocationBlock } from "./ipam-records.ts";
import { writeJson } from "./json-text.ts";

/*
 * A block is written for every address that is assigned, and nearly all of its text is what it was before. So what an
 * assignment adds is told here (`withOwners`, `withSequence`), and the text is the last one with that put in: the other
 * addresses are not looked at. The order of members, the sorted maps and the escapes are those of Go's encoder, so that a
 * block reads the same whoever wrote it.
 */

type Owners = readonly AllocationAttribute[];
type Sequences = Readonly<Record<string, bigint>>;

interface Numbered {
  readonly base: Sequences;
  readonly ordinals: readonly number[];
}

/** Texts of what was written once, without the brackets around owners. */
const ownersTexts = new WeakMap<Owners, string>();
const sequencesTexts = new WeakMap<Sequences, string>();
/** What was made of what, until it is written. */
const ownersBases = new WeakMap<Owners, Owners>();
const sequencesBases = new WeakMap<Sequences, Numbered>();

const attributeTexts = new WeakMap<AllocationAttribute, string>();

/** More numbers than these are quicker written anew than put into the text one by one. */
const maxPutIn = 8;

/** A block's owners and more behind them. */
export function withOwners(base: Owners, added: Owners): Owners {
  if (added.length === 0) return base;
  const owners = [...base, ...added];
  ownersBases.set(owners, base);
  return owners;
}

/** A block's sequence numbers with those of some ordinals replaced. */
export function withSequence(base: Sequences, ordinals: readonly number[], number: bigint): Sequences {
  const sequences = { ...base };
  for (const ordinal of ordinals) sequences[String(ordinal)] = number;
  sequencesBases.set(sequences, { base, ordinals });
  return sequences;
}

/** JSON text of a block. */
export function blockText(block: AllocationBlock): string {
  const { affinity, affinity_claim_time: claimTime, attributes, sequenceNumberForAllocation } = block;
  const head = [
    `{"cidr":${goString(block.cidr)}`,
    affinity === undefined ? ',"affinity":null' : `,"affinity":${goString(affinity)}`,
    claimTime === undefined ? "" : `,"affinity_claim_time":${goString(claimTime)}`,
    `,"allocations":${JSON.stringify(block.allocations)}`,
    `,"unallocated":${JSON.stringify(block.unallocated)}`,
    `,"attributes":[`,
  ].join("");
  const owners = ownersText(attributes);
  const middle = `],"sequenceNumber":${block.sequenceNumber},"sequenceNumberForAllocation":`;
  const sequences = sequencesText(sequenceNumberForAllocation, block.allocations.length);
  const tail = `,${[`"deleted":${block.deleted}`, ...otherMembers(block, blockFields)].join(",")}}`;
  const text = [head, owners, middle, sequences, tail].join("");
  // Kept as parts of this text, which is one piece: kept as they were put together, they would grow to long chains.
  const sequencesAt = head.length + owners.length + middle.length;
  ownersTexts.set(attributes, text.slice(head.length, head.length + owners.length));
  if (hasOnlyOrdinals(sequenceNumberForAllocation, block.allocations.length)) {
    sequencesTexts.set(sequenceNumberForAllocation, text.slice(sequencesAt, sequencesAt + sequences.length));
  }
  ownersBases.delete(attributes);
  sequencesBases.delete(sequenceNumberForAllocation);
  return text;
}

function ownersText(owners: Owners): string {
  const known = ownersTexts.get(owners);
  if (known !== undefined) return known;
  const base = ownersBases.get(owners);
  const before = base === undefined ? undefined : ownersTexts.get(base);
  if (base === undefined || before === undefined) return owners.map(attributeText).join(",");
  const added = owners.slice(base.length).map(attributeText);
  return (base.length === 0 ? added : [before, ...added]).join(",");
}

function sequencesText(sequences: Sequences, blockSize: number): string {
  const known = sequencesTexts.get(sequences);
  if (known !== undefined) return known;
  const made = sequencesBases.get(sequences);
  const before = made === undefined ? undefined : sequencesTexts.get(made.base);
  const isMany = made === undefined || made.ordinals.length > maxPutIn;
  if (isMany || before === undefined || !hasOnlyOrdinals(sequences, blockSize)) {
    return goMap(sequences, String);
  }
  return made.ordinals.reduce(
    (text, ordinal) => putIn(text, sequences, made.base, ordinal, blockSize),
    before,
  );
}

/** Whether a number can be put into a map's text: names that are no ordinals have no known place in it. */
function hasOnlyOrdinals(sequences: Sequences, blockSize: number): boolean {
  const made = sequencesBases.get(sequences);
  const { places } = orderOf(blockSize);
  const isFromKnown = sequencesTexts.has(made?.base ?? sequences);
  const keys = isFromKnown ? (made?.ordinals ?? []).map(String) : Object.keys(sequences);
  return keys.every((key) => places.has(key));
}

/** The text of a map whose keys are all ordinals, `base` with some of the others, with one more of these. */
function putIn(
  text: string,
  sequences: Sequences,
  base: Sequences,
  ordinal: number,
  blockSize: number,
): string {
  const key = String(ordinal);
  const member = `"${key}":${sequences[key]}`;
  if (base[key] !== undefined) {
    const from = text.indexOf(`"${key}":`);
    const comma = text.indexOf(",", from);
    return text.slice(0, from) + member + text.slice(comma < 0 ? text.length - 1 : comma);
  }
  const { sorted, places } = orderOf(blockSize);
  for (let place = (places.get(key) ?? 0) + 1; place < sorted.length; place += 1) {
    const next = sorted[place] ?? "";
    // Those of one change come into the text one after another.
    const at = sequences[next] === undefined ? -1 : text.indexOf(`"${next}":`);
    if (at >= 0) return `${text.slice(0, at)}${member},${text.slice(at)}`;
  }
  return text === "{}" ? `{${member}}` : `${text.slice(0, -1)},${member}}`;
}

interface Order {
  /** 0, 1, 10, 11, …, 2: as a sorted map has a block's ordinals. */
  readonly sorted: readonly string[];
  readonly places: ReadonlyMap<string, number>;
}

/** Block sizes are powers of two, so there are few, unless a record is damaged. */
const maxOrders = 32;
const orders = new Map<number, Order>();

function orderOf(blockSize: number): Order {
  const known = orders.get(blockSize);
  if (known !== undefined) return known;
  const sorted = Array.from({ length: blockSize }, (_, ordinal) => String(ordinal)).sort();
  const order = { sorted, places: new Map(sorted.map((key, place) => [key, place])) };
  if (orders.size >= maxOrders) orders.clear();
  orders.set(blockSize, order);
  return order;
}

const blockFields: ReadonlySet<string> = new Set([
  "cidr",
  "affinity",
  "affinity_claim_time",
  "allocations",
  "unallocated",
  "attributes",
  "deleted",
  "sequenceNumber",
  "sequenceNumberForAllocation",
]);

const attributeFields: ReadonlySet<string> = new Set([
  "handle_id",
  "secondary",
  "alternateOwnerAttrs",
  "releasedAt",
]);

/** Members that are not known here. */
function otherMembers(record: object, known: ReadonlySet<string>): readonly string[] {
  if (Object.keys(record).every((name) => known.has(name))) return [];
  const others = Object.entries(record).filter(([name, value]) => value !== undefined && !known.has(name));
  return others.map(([name, value]) => `${goString(name)}:${writeJson(value)}`);
}

function attributeText(attribute: AllocationAttribute): string {
  const known = attributeTexts.get(attribute);
  if (known !== undefined) return known;
  const { handle_id: handle, secondary, alternateOwnerAttrs, releasedAt } = attribute;
  const members = [
    handle === undefined ? [] : `"handle_id":${goString(handle)}`,
    secondary === undefined ? [] : `"secondary":${goMap(secondary, goString)}`,
    alternateOwnerAttrs === undefined ? [] : `"alternateOwnerAttrs":${goMap(alternateOwnerAttrs, goString)}`,
    releasedAt === undefined ? [] : `"releasedAt":${goString(releasedAt)}`,
  ];
  const text = `{${[...members.flat(), ...otherMembers(attribute, attributeFields)].join(",")}}`;
  attributeTexts.set(attribute, text);
  return text;
}

/** Go writes maps sorted by key. */
function goMap<T>(map: Readonly<Record<string, T>>, write: (value: T) => string): string {
  const members: string[] = [];
  for (const key of Object.keys(map).sort()) {
    const value = map[key];
    if (value !== undefined) members.push(`${goString(key)}:${write(value)}`);
  }
  return `{${members.join(",")}}`;
}

/** Printable ASCII that neither JSON nor Go escapes. */
const plain = /^[ !#-%'-;=?-[\]-~]*$/;

/** Go escapes what HTML or JavaScript could mistake. */
function goString(text: string): string {
  if (plain.test(text)) return `"${text}"`;
  return JSON.stringify(text).replaceAll(/[<>&\u2028\u2029]/g, escape);
}

function escape(character: string): string {
  return `\\u${character.charCodeAt(0).toString(16).padStart(4, "0")}`;
}
