import type { AllocationAttribute, AllocationBlock } from "./ipam-records.ts";

/*
 * A block is written for every address that is assigned, and most of its text is that of the others, as it was the last time:
 * the text of an owner, of a row of owners and of a sequence number is made once. The order of members, the sorted maps and
 * the escapes are those of Go's encoder, so that a block reads the same whoever wrote it.
 */

/** Parts of a block's text as they were last written. */
interface LastText {
  attributes: readonly AllocationAttribute[];
  attributesText: string;
  /** Members of `sequenceNumberForAllocation`, in the order of `ordinals`. */
  readonly sequences: { readonly value: bigint; readonly text: string }[];
  /** The block's ordinals as a sorted map has them. */
  readonly ordinals: readonly string[];
}

/** Blocks whose last texts are kept: a node writes to few at a time. */
const maxLastTexts = 256;

const lastTexts = new Map<string, LastText>();

const attributeTexts = new WeakMap<AllocationAttribute, string>();

/** JSON text of a block. */
export function blockText(block: AllocationBlock): string {
  const { affinity, affinity_claim_time: claimTime, allocations } = block;
  const last = lastTextOf(block);
  return [
    `{"cidr":${goString(block.cidr)}`,
    affinity === undefined ? "" : `,"affinity":${goString(affinity)}`,
    claimTime === undefined ? "" : `,"affinity_claim_time":${goString(claimTime)}`,
    `,"allocations":${JSON.stringify(allocations)}`,
    `,"unallocated":${JSON.stringify(block.unallocated)}`,
    `,"attributes":[${attributesText(block.attributes, last)}]`,
    `,"sequenceNumber":${block.sequenceNumber}`,
    `,"sequenceNumberForAllocation":${sequencesText(block.sequenceNumberForAllocation, last)}`,
    `,"deleted":${block.deleted}}`,
  ].join("");
}

function lastTextOf({ cidr, allocations }: AllocationBlock): LastText {
  const known = lastTexts.get(cidr);
  if (known?.ordinals.length === allocations.length) return known;
  const [oldest] = lastTexts.keys();
  if (lastTexts.size >= maxLastTexts && oldest !== undefined) lastTexts.delete(oldest);
  const ordinals = [...allocations.keys()].map(String).sort();
  const last: LastText = { attributes: [], attributesText: "", sequences: [], ordinals };
  lastTexts.set(cidr, last);
  return last;
}

/** An assignment leaves the owners that there are, and appends. */
function attributesText(attributes: readonly AllocationAttribute[], last: LastText): string {
  const isLonger = last.attributes.every((attribute, index) => attributes[index] === attribute);
  const added = isLonger ? attributes.slice(last.attributes.length) : attributes;
  const before = isLonger && last.attributes.length > 0 ? [last.attributesText] : [];
  last.attributesText = [...before, ...added.map(attributeText)].join(",");
  last.attributes = attributes;
  return last.attributesText;
}

function sequencesText(map: Readonly<Record<string, bigint>>, { ordinals, sequences }: LastText): string {
  const members: string[] = [];
  let place = -1;
  for (const ordinal of ordinals) {
    place += 1;
    const value = map[ordinal];
    if (value === undefined) continue;
    let member = sequences[place];
    if (member?.value !== value) {
      member = { value, text: `"${ordinal}":${value}` };
      sequences[place] = member;
    }
    members.push(member.text);
  }
  // Names that are no ordinals of the block are no concern of ours, but stay as they are.
  const isWhole = members.length === Object.keys(map).length;
  return isWhole ? `{${members.join(",")}}` : goMap(map, String);
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
  const text = `{${members.flat().join(",")}}`;
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

/** Go escapes what HTML or JavaScript could mistake. */
function goString(text: string): string {
  const quoted = JSON.stringify(text);
  return /[<>&\u2028\u2029]/.test(quoted) ? quoted.replaceAll(/[<>&\u2028\u2029]/g, escape) : quoted;
}

function escape(character: string): string {
  return `\\u${character.charCodeAt(0).toString(16).padStart(4, "0")}`;
}
