/**
 * Messages from dice: well formed to the last byte, or with one thing wrong at any level — a value, a length, a flag, a
 * repeated or missing part, a stray byte. Built from raw bytes, so that nothing here depends on our own encoders.
 */
import { type Dice, mutateBytes } from "@caracal/testbed";
import { type DecodeContext } from "../../src/wire/attribute-decoder.ts";
import { birdCaptures } from "../bird-captures.ts";
import { message, u16, withLength } from "../raw-message.ts";

const captures = Object.values(birdCaptures).map((hex) => Uint8Array.fromHex(hex));

/** Any message, most of the time with something wrong. */
export function anyMessage(dice: Dice, context: DecodeContext): Uint8Array {
  const kind = dice.below(10);
  let bytes: Uint8Array;
  if (kind < 5) bytes = message(2, anyUpdateBody(dice, context));
  else if (kind < 7) bytes = message(1, anyOpenBody(dice));
  else if (kind < 8) bytes = dice.pick(captures);
  else bytes = message(dice.pick([2, 3, 4, 5, 5, 3]), dice.bytes(dice.below(12)));
  if (dice.chance(0.4)) bytes = mutateBytes(dice, bytes, dice.chance(0.1) ? 0 : 16);
  // Most of the time the header's length is right, so that the body is reached.
  return dice.chance(0.95) ? withLength(bytes) : bytes;
}

/** What the two ends may have agreed on. */
export function anyContext(dice: Dice): DecodeContext {
  return {
    as4: dice.chance(0.7),
    external: dice.chance(0.5),
    addPath: dice.pick([[], [4], [6], [4, 6]] as const),
    extendedNextHop: dice.chance(0.3),
  };
}

/** The body of an UPDATE. */
export function anyUpdateBody(dice: Dice, context: DecodeContext): Uint8Array {
  if (dice.chance(0.25)) return anyReachBody(dice, context);
  const withPaths = context.addPath.includes(4);
  const withdrawn = dice.chance(0.2) ? anyPrefixes(dice, 4, withPaths) : [];
  const attributes = dice.chance(0.95) ? anyAttributeList(dice, context) : [];
  const announced = dice.chance(0.85) ? anyPrefixes(dice, 4, withPaths) : [];
  const wrong = (): number => (dice.chance(0.02) ? dice.below(9) - 4 : 0);
  return Uint8Array.from([
    ...u16(withdrawn.length + wrong()),
    ...withdrawn,
    ...u16(attributes.length + wrong()),
    ...attributes,
    ...announced,
  ]);
}

/** The body of an UPDATE as speakers of IPv6 send it: all in its attributes, MP_REACH_NLRI mostly first or in its place. */
function anyReachBody(dice: Dice, context: DecodeContext): Uint8Array {
  const codes = [1, 2, ...laterCodes.filter((code) => code !== 14 && dice.chance(0.08))];
  if (dice.chance(0.05)) codes.push(3);
  codes.splice(dice.pick([0, 2, dice.below(codes.length + 1)]), 0, 14);
  const attributes = codes.flatMap((code) => anyAttribute(dice, code, context));
  return Uint8Array.from([0, 0, ...u16(attributes.length), ...attributes]);
}

/** A run of prefixes; now and then one that is too long or cut off. */
export function anyPrefixes(dice: Dice, family: 4 | 6, withPaths: boolean): number[] {
  const bytes: number[] = [];
  const most = family === 4 ? 32 : 128;
  for (let count = 1 + dice.below(5); count > 0; count -= 1) {
    const length = dice.chance(0.01) ? dice.below(256) : dice.below(most + 1);
    if (withPaths && dice.chance(0.99)) bytes.push(...dice.bytes(4));
    const size = (length + 7) >> 3;
    bytes.push(length, ...dice.bytes(dice.chance(0.99) ? size : dice.below(size + 1)));
  }
  return bytes;
}

/** A path attribute list, mostly in order, complete and right. */
export function anyAttributeList(dice: Dice, context: DecodeContext): number[] {
  const codes = dice.chance(0.9) ? [1, 2, 3] : [dice.pick([1, 2]), 3];
  for (const code of laterCodes) if (dice.chance(0.15)) codes.push(code);
  if (dice.chance(0.05)) codes.push(dice.pick(codes));
  if (dice.chance(0.1)) codes.reverse();
  return codes.flatMap((code) => anyAttribute(dice, code, context));
}

const laterCodes: readonly number[] = [
  4, 5, 6, 7, 8, 9, 10, 14, 15, 16, 17, 18, 26, 32, 35, 40, 128, 0xee, 255,
];

/** One attribute with its header. */
function anyAttribute(dice: Dice, code: number, context: DecodeContext): number[] {
  let value = attributeValue(dice, code, context);
  if (dice.chance(0.04)) value = [...mutateBytes(dice, Uint8Array.from(value))];
  if (dice.chance(0.01)) value = [];
  if (dice.chance(0.005)) value = [...dice.bytes(300)];
  let flags = attributeFlags[code] ?? dice.pick([0xc0, 0xc0, 0xe0, 0x80, 0xa0, 0xcf]);
  if (dice.chance(0.02)) flags ^= 1 << dice.below(8);
  const isLong = value.length > 255 || dice.chance(0.05);
  const length = Math.max(0, value.length + (dice.chance(0.01) ? dice.below(5) - 2 : 0));
  return isLong
    ? [flags | 0x10, code, ...u16(length), ...value]
    : [flags & ~0x10, code, length & 255, ...value];
}

/** What the standards say; of others, any. */
const attributeFlags: Readonly<Record<number, number>> = {
  1: 0x40,
  2: 0x40,
  3: 0x40,
  4: 0x80,
  5: 0x40,
  6: 0x40,
  7: 0xc0,
  8: 0xc0,
  9: 0x80,
  10: 0x80,
  14: 0x80,
  15: 0x80,
  16: 0xc0,
  17: 0xc0,
  18: 0xc0,
  26: 0x80,
  32: 0xc0,
  35: 0xc0,
};

function attributeValue(dice: Dice, code: number, context: DecodeContext): number[] {
  const words = (count: number): number[] => [...dice.bytes(count * 4)];
  const some = 1 + dice.below(dice.chance(0.05) ? 80 : 3);
  switch (code) {
    case 1:
      return [dice.below(dice.chance(0.97) ? 3 : 256)];
    case 2:
      return anyPath(dice, context.as4);
    case 3:
      return dice.chance(0.9) ? [10, 0, 0, 1 + dice.below(3)] : words(1);
    case 4:
    case 5:
    case 9:
      return words(1);
    case 6:
      return [];
    case 7:
      return [...anyAsn(dice, context.as4), ...words(1)];
    case 8:
    case 10:
      return words(some);
    case 14:
      return anyReach(dice, context);
    case 15: {
      const family = dice.pick([4, 6] as const);
      const prefixes = dice.chance(0.8) ? anyPrefixes(dice, family, context.addPath.includes(family)) : [];
      return [0, family === 4 ? 1 : 2, dice.chance(0.95) ? 1 : dice.below(256), ...prefixes];
    }
    case 16:
      return words(some * 2);
    case 17:
      return anyPath(dice, true);
    case 18:
      return [...anyAsn(dice, true), ...words(1)];
    case 32:
      return words(some * 3);
    case 35:
      return words(1);
    default:
      return [...dice.bytes(dice.below(12))];
  }
}

function anyReach(dice: Dice, context: DecodeContext): number[] {
  const family = dice.pick([4, 6, 6] as const);
  const isForeign = dice.chance(0.05);
  const hops = family === 4 ? [4, context.extendedNextHop === true ? 16 : 4, 4, 32, 0] : [16, 16, 32, 4, 24];
  const size = dice.chance(0.9) ? (hops[dice.below(3)] ?? 4) : dice.pick(hops);
  const hop = dice.chance(0.1) ? new Uint8Array(size) : dice.bytes(size);
  if (dice.chance(0.5) && size >= 4) hop.set([10, 0, 0, 1]);
  if (size === 32 && dice.chance(0.7)) hop.set([0xfe, 0x80], 16);
  const prefixes = dice.chance(0.9) ? anyPrefixes(dice, family, context.addPath.includes(family)) : [];
  return [
    0,
    isForeign ? dice.below(256) : family === 4 ? 1 : 2,
    isForeign ? dice.below(256) : 1,
    size,
    ...hop,
    dice.chance(0.9) ? 0 : 1,
    ...prefixes,
  ];
}

function anyPath(dice: Dice, as4: boolean): number[] {
  const path: number[] = [];
  for (let segments = dice.below(4); segments > 0; segments -= 1) {
    const count = dice.chance(0.03) ? dice.below(256) : 1 + dice.below(4);
    path.push(dice.chance(0.97) ? dice.pick([2, 2, 2, 1]) : dice.below(6), count);
    for (let index = 0; index < count; index += 1) path.push(...anyAsn(dice, as4));
  }
  return path;
}

function anyAsn(dice: Dice, as4: boolean): number[] {
  const asn = dice.chance(0.01) ? 0 : dice.chance(0.2) ? 23456 : 64500 + dice.below(20);
  return as4 ? [...(dice.chance(0.2) ? [0, 1] : [0, 0]), ...u16(asn)] : u16(asn);
}

/** The body of an OPEN: a few capabilities, in one parameter or one each, or in the form of RFC 9072. */
export function anyOpenBody(dice: Dice): Uint8Array {
  const isExtended = dice.chance(0.2);
  const length = (count: number): number[] => (isExtended ? u16(count) : [count & 255]);
  const capabilities = Array.from({ length: dice.below(8) }, () => anyCapability(dice));
  const parameters = dice.chance(0.5) ? [capabilities.flat()] : capabilities;
  const body = parameters.flatMap((one) => [dice.chance(0.98) ? 2 : 255, ...length(one.length), ...one]);
  const total = body.length + (dice.chance(0.03) ? dice.below(5) - 2 : 0);
  return Uint8Array.from([
    dice.chance(0.98) ? 4 : dice.below(256),
    ...u16(dice.pick([64512, 65001, 23456, 0])),
    ...u16(dice.pick([0, 1, 2, 3, 90, 240, 65535])),
    10,
    0,
    0,
    dice.below(3),
    ...(isExtended ? [255, 255, ...u16(total)] : [total & 255]),
    ...body,
  ]);
}

function anyCapability(dice: Dice): number[] {
  const family = (): number[] => [0, dice.pick([1, 2, 25]), dice.pick([1, 2, 128])];
  const families = (extra: () => number): number[] =>
    Array.from({ length: dice.below(4) }, () => [...family(), extra()]).flat();
  const code = dice.pick([1, 1, 2, 5, 6, 9, 64, 64, 65, 65, 69, 69, 70, 71, 128, 255]);
  const [afiHigh = 0, afi = 1, safi = 1] = family();
  const sound: Readonly<Record<number, number[]>> = {
    1: [afiHigh, afi, 0, safi],
    9: [dice.below(5)],
    64: [dice.below(256), dice.below(256), ...families(() => dice.below(256))],
    65: [0, 0, ...u16(dice.pick([64512, 65001, 0]))],
    69: families(() => dice.below(5)),
  };
  const value = sound[code] ?? (dice.chance(0.8) ? [] : [...dice.bytes(dice.below(20))]);
  const shown = dice.chance(0.05) ? [...mutateBytes(dice, Uint8Array.from(value))] : value;
  return [code, (shown.length + (dice.chance(0.02) ? 1 : 0)) & 255, ...shown];
}
