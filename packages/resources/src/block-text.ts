import type { AllocationAttribute, AllocationBlock } from "./ipam-records.ts";

/*
 * A block is written for every address that is assigned, and most of its text is the owners of the others: the text of an
 * owner is made once. The order of members, the sorted maps and the escapes are those of Go's encoder, so that a block
 * reads the same whoever wrote it.
 */

const attributeTexts = new WeakMap<AllocationAttribute, string>();

/** JSON text of a block. */
export function blockText(block: AllocationBlock): string {
  const { affinity, affinity_claim_time: claimTime, allocations, attributes } = block;
  return [
    `{"cidr":${goString(block.cidr)}`,
    affinity === undefined ? "" : `,"affinity":${goString(affinity)}`,
    claimTime === undefined ? "" : `,"affinity_claim_time":${goString(claimTime)}`,
    `,"allocations":${JSON.stringify(allocations)}`,
    `,"unallocated":[${block.unallocated.join(",")}]`,
    `,"attributes":[${attributes.map(attributeText).join(",")}]`,
    `,"sequenceNumber":${block.sequenceNumber}`,
    `,"sequenceNumberForAllocation":${goMap(block.sequenceNumberForAllocation, String)}`,
    `,"deleted":${block.deleted}}`,
  ].join("");
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
