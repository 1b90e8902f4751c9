import type { AllocationAttribute, AllocationBlock } from "./ipam-records.ts";
import { writeJson } from "./json-text.ts";
import type { Written } from "./written.ts";

type Owners = readonly AllocationAttribute[];
type Sequences = Readonly<Record<string, bigint>>;

/** More numbers than these are quicker written anew than put into the text one by one. */
const maxPutIn = 8;

/**
 * A block as JSON text. A block is written for every address that is assigned or given back, and nearly all of its text is
 * what it was before: what the block before has in common with it is taken from that one's text. The order of members,
 * the sorted maps and the escapes are those of Go's encoder, so that a block reads the same whoever wrote it.
 */
export class BlockText implements Written<AllocationBlock> {
  readonly record: AllocationBlock;
  readonly text: string;
  /** Each owner's text. Behind them may be those that were added later: texts of one block share the list as it grows. */
  readonly owners: string[];
  /** Whether the sequence numbers are ordinals' only. */
  readonly isPlain: boolean;
  // Where the parts of the text begin and end.
  readonly allocationsAt: number;
  readonly ownersAt: number;
  readonly ownersEnd: number;
  readonly sequencesAt: number;
  readonly sequencesEnd: number;

  /** `before` is the same block's text, of earlier or later; another block's will do, it only has less in common. */
  constructor(block: AllocationBlock, before?: BlockText) {
    const { allocations, attributes, sequenceNumberForAllocation: sequences } = block;
    const hasGrown = before !== undefined && beginsWith(attributes, before.record.attributes);
    this.record = block;
    this.owners = hasGrown ? grownOwners(before, attributes) : ownersOf(attributes, before);
    this.isPlain = hasOnlyOrdinals(sequences, allocations.length);
    const name = (before === undefined ? undefined : knownName(before, block)) ?? nameText(block);
    const slots = `${JSON.stringify(allocations)},"unallocated":${JSON.stringify(block.unallocated)},"attributes":[`;
    const owners = hasGrown ? grownText(before, attributes.length, this.owners) : this.owners.join(",");
    const middle = `],"sequenceNumber":${block.sequenceNumber},"sequenceNumberForAllocation":`;
    const numbers = (this.isPlain ? grownNumbers(before, block) : undefined) ?? goMap(sequences, String);
    const others = otherMembers(block, blockFields).map((member) => `,${member}`);
    const tail = [`,"deleted":${block.deleted}`, ...others, "}"].join("");
    this.text = [name, slots, owners, middle, numbers, tail].join("");
    this.allocationsAt = name.length;
    this.ownersAt = this.allocationsAt + slots.length;
    this.ownersEnd = this.ownersAt + owners.length;
    this.sequencesAt = this.ownersEnd + middle.length;
    this.sequencesEnd = this.sequencesAt + numbers.length;
  }
}

function nameText({ cidr, affinity, affinity_claim_time: claimTime }: AllocationBlock): string {
  const owner = affinity === undefined ? "null" : goString(affinity);
  const since = claimTime === undefined ? "" : `,"affinity_claim_time":${goString(claimTime)}`;
  return `{"cidr":${goString(cidr)},"affinity":${owner}${since},"allocations":`;
}

/** The same as `nameText`, if it says the same. */
function knownName({ record, text, allocationsAt }: BlockText, block: AllocationBlock): string | undefined {
  const isSame =
    record.cidr === block.cidr &&
    record.affinity === block.affinity &&
    record.affinity_claim_time === block.affinity_claim_time;
  return isSame ? text.slice(0, allocationsAt) : undefined;
}

function beginsWith(owners: Owners, first: Owners): boolean {
  for (let place = 0; place < first.length; place += 1) if (owners[place] !== first[place]) return false;
  return first.length > 0;
}

/** The texts of owners that are those of before and more. */
function grownOwners({ record, owners: known }: BlockText, owners: Owners): string[] {
  const { length } = record.attributes;
  const texts = known.length === length ? known : known.slice(0, length);
  for (let place = length; place < owners.length; place += 1) {
    const owner = owners[place];
    if (owner !== undefined) texts.push(attributeText(owner));
  }
  return texts;
}

/** Put together, and copied only with the rest. */
function grownText(
  { record, text, ownersAt, ownersEnd }: BlockText,
  count: number,
  owners: string[],
): string {
  let all = text.slice(ownersAt, ownersEnd);
  for (let place = record.attributes.length; place < count; place += 1) all += `,${owners[place]}`;
  return all;
}

/** The texts of owners; those that were among the owners before, in the same order, have theirs already. */
function ownersOf(owners: Owners, before: BlockText | undefined): string[] {
  if (before === undefined) return owners.map(attributeText);
  const { attributes } = before.record;
  let place = 0;
  return owners.map((owner) => {
    while (place < attributes.length && attributes[place] !== owner) place += 1;
    const known = place < attributes.length ? before.owners[place] : undefined;
    place += 1;
    return known ?? attributeText(owner);
  });
}

/** The text of a block's sequence numbers, which are ordinals' only; `undefined` when they are quicker written anew. */
function grownNumbers(before: BlockText | undefined, block: AllocationBlock): string | undefined {
  const { allocations, sequenceNumberForAllocation: now } = block;
  const size = allocations.length;
  if (before?.isPlain !== true || before.record.allocations.length !== size) return undefined;
  const then = before.record.sequenceNumberForAllocation;
  const changed: number[] = [];
  for (let ordinal = 0; ordinal < size; ordinal += 1) {
    if (now[ordinal] === then[ordinal]) continue;
    if (now[ordinal] === undefined || changed.push(ordinal) > maxPutIn) return undefined;
  }
  const text = before.text.slice(before.sequencesAt, before.sequencesEnd);
  return changed.reduce((map, ordinal) => putIn(map, now, then, ordinal, size), text);
}

/** Whether a number can be put into a map's text: names that are no ordinals have no known place in it. */
function hasOnlyOrdinals(sequences: Sequences, blockSize: number): boolean {
  let count = 0;
  for (let ordinal = 0; ordinal < blockSize; ordinal += 1) if (sequences[ordinal] !== undefined) count += 1;
  return count === Object.keys(sequences).length;
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
  const { handle_id: handle, secondary, alternateOwnerAttrs, releasedAt } = attribute;
  const members = [
    handle === undefined ? [] : `"handle_id":${goString(handle)}`,
    secondary === undefined ? [] : `"secondary":${goMap(secondary, goString)}`,
    alternateOwnerAttrs === undefined ? [] : `"alternateOwnerAttrs":${goMap(alternateOwnerAttrs, goString)}`,
    releasedAt === undefined ? [] : `"releasedAt":${goString(releasedAt)}`,
  ];
  return `{${[...members.flat(), ...otherMembers(attribute, attributeFields)].join(",")}}`;
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
