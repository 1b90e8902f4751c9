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
  /** The owners' texts, one by one, and where all of them are in the text. */
  readonly #owners: readonly string[];
  readonly #ownersAt: number;
  readonly #ownersEnd: number;
  readonly #sequencesAt: number;
  readonly #sequencesEnd: number;
  readonly #hasOnlyOrdinals: boolean;

  /** `before` is the same block's text, of earlier or later; another block's will do, it only has less in common. */
  constructor(block: AllocationBlock, before: BlockText | undefined) {
    const { affinity, affinity_claim_time: claimTime } = block;
    const head = [
      `{"cidr":${goString(block.cidr)}`,
      affinity === undefined ? ',"affinity":null' : `,"affinity":${goString(affinity)}`,
      claimTime === undefined ? "" : `,"affinity_claim_time":${goString(claimTime)}`,
      `,"allocations":${JSON.stringify(block.allocations)}`,
      `,"unallocated":${JSON.stringify(block.unallocated)}`,
      `,"attributes":[`,
    ].join("");
    const [owners, ownersText] =
      before === undefined ? ownersAnew(block.attributes) : before.#ownersOf(block.attributes);
    const middle = `],"sequenceNumber":${block.sequenceNumber},"sequenceNumberForAllocation":`;
    const isPlain = hasOnlyOrdinals(block.sequenceNumberForAllocation, block.allocations.length);
    const known = before === undefined || !isPlain ? undefined : before.#sequencesOf(block);
    const sequences = known ?? goMap(block.sequenceNumberForAllocation, String);
    const others = otherMembers(block, blockFields).map((member) => `,${member}`);
    const tail = [`,"deleted":${block.deleted}`, ...others, "}"].join("");
    this.record = block;
    this.text = [head, ownersText, middle, sequences, tail].join("");
    this.#owners = owners;
    this.#ownersAt = head.length;
    this.#ownersEnd = this.#ownersAt + ownersText.length;
    this.#sequencesAt = this.#ownersEnd + middle.length;
    this.#sequencesEnd = this.#sequencesAt + sequences.length;
    this.#hasOnlyOrdinals = isPlain;
  }

  /** The texts of owners, one by one and all: of those that are this block's too, in the same order, it has them. */
  #ownersOf(owners: Owners): readonly [readonly string[], string] {
    const before = this.record.attributes;
    if (before.length > 0 && before.every((owner, place) => owners[place] === owner)) {
      const added = owners.slice(before.length).map(attributeText);
      const known = this.text.slice(this.#ownersAt, this.#ownersEnd);
      // Put together here, and copied once, with the rest.
      return [[...this.#owners, ...added], added.reduce((text, one) => `${text},${one}`, known)];
    }
    let place = 0;
    const texts = owners.map((owner) => {
      while (place < before.length && before[place] !== owner) place += 1;
      const known = this.#owners[place];
      place += 1;
      return known ?? attributeText(owner);
    });
    return [texts, texts.join(",")];
  }

  /** The text of another block's sequence numbers, if that has only ordinals; `undefined` when they are quicker written anew. */
  #sequencesOf({
    allocations: { length: size },
    sequenceNumberForAllocation: now,
  }: AllocationBlock): string | undefined {
    if (!this.#hasOnlyOrdinals || this.record.allocations.length !== size) return undefined;
    const before = this.record.sequenceNumberForAllocation;
    const changed: number[] = [];
    for (let ordinal = 0; ordinal < size; ordinal += 1) {
      if (now[ordinal] === before[ordinal]) continue;
      if (now[ordinal] === undefined || changed.push(ordinal) > maxPutIn) return undefined;
    }
    const text = this.text.slice(this.#sequencesAt, this.#sequencesEnd);
    return changed.reduce((map, ordinal) => putIn(map, now, before, ordinal, size), text);
  }
}

function ownersAnew(owners: Owners): readonly [readonly string[], string] {
  const texts = owners.map(attributeText);
  return [texts, texts.join(",")];
}

/** Whether a number can be put into a map's text: names that are no ordinals have no known place in it. */
function hasOnlyOrdinals(sequences: Sequences, blockSize: number): boolean {
  const { places } = orderOf(blockSize);
  for (const key in sequences) if (!places.has(key)) return false;
  return true;
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
