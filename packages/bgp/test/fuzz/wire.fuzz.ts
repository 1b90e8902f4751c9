/** Decoders of the wire: a value or a DecodeError, the same by every path, and the same again when encoded. */
import assert from "node:assert/strict";
import { DecodeError, type IpFamily, Prefix, Reader, Writer } from "@caracal/net";
import { type Dice, type FuzzTarget, mutateBytes } from "@caracal/testbed";
import { AsPath } from "../../src/wire/as-path.ts";
import { type DecodeContext, decodeAttributes } from "../../src/wire/attribute-decoder.ts";
import { decodeCanonical, encodeCanonical } from "../../src/wire/canonical-attributes.ts";
import { MessageSplitter } from "../../src/wire/header.ts";
import { decodeNlri, encodeNlri, listNlri } from "../../src/wire/nlri.ts";
import { decodeNotification, encodeNotification, notificationText } from "../../src/wire/notification.ts";
import { decodeOpen, encodeOpen } from "../../src/wire/open.ts";
import { type PathAttributes } from "../../src/wire/path-attributes.ts";
import { PlainUpdateDecoder } from "../../src/wire/plain-update.ts";
import { decodeRouteRefresh, encodeRouteRefresh } from "../../src/wire/route-refresh.ts";
import { type Update, decodeUpdate } from "../../src/wire/update.ts";
import { UpdateWriter } from "../../src/wire/update-writer.ts";
import { message } from "../raw-message.ts";
import {
  anyAttributeList,
  anyContext,
  anyMessage,
  anyOpenBody,
  anyPrefixes,
  anyUpdateBody,
} from "./any-message.ts";

type Round = FuzzTarget["round"];

/** What a decoder makes of bytes: a value, or the only error that it may throw. */
function attempt<T>(decode: () => T): { readonly value: T } | DecodeError {
  try {
    return { value: decode() };
  } catch (error) {
    if (error instanceof DecodeError) return error;
    throw error;
  }
}

const splitting: Round = (dice, show) => {
  const context = anyContext(dice);
  const stream = joined(Array.from({ length: 1 + dice.below(4) }, () => anyMessage(dice, context)));
  show(stream);
  const whole = framesOf([stream]);
  const pieces: Uint8Array[] = [];
  const most = dice.pick([1, 3, 20, 200]);
  for (let at = 0; at < stream.length;) {
    const size = 1 + dice.below(most);
    pieces.push(stream.slice(at, at + size));
    at += size;
  }
  assert.deepEqual(framesOf(pieces), whole, "frames do not depend on how the bytes come");
  assert.equal(stream.toHex().startsWith(whole.frames.join("")), true, "frames are the stream, cut");
};

/** The frames in hexadecimal, and the error that ended the stream. */
function framesOf(pieces: readonly Uint8Array[]): { frames: string[]; error: string } {
  const splitter = new MessageSplitter();
  const frames: string[] = [];
  for (const piece of pieces) {
    // The splitter may not keep its caller's buffer.
    const lent = piece.slice();
    const outcome = attempt(() => {
      splitter.push(lent);
      for (let frame = splitter.next(); frame !== undefined; frame = splitter.next()) {
        frames.push(frame.bytes.toHex());
      }
    });
    lent.fill(0);
    if (outcome instanceof DecodeError) {
      return { frames, error: `${outcome.code}.${outcome.subcode} ${outcome.data.toHex()}` };
    }
  }
  return { frames, error: "" };
}

const open: Round = (dice, show) => {
  const body = anyOpenBody(dice);
  const bytes = message(1, dice.chance(0.3) ? mutateBytes(dice, body) : body);
  show(bytes);
  if (bytes.length < 29) return;
  const outcome = attempt(() => decodeOpen(bytes));
  if (outcome instanceof DecodeError) {
    assert.equal(outcome.code, 2);
    return;
  }
  const { value } = outcome;
  assert.ok(value.version === 4 && value.bgpIdentifier !== 0 && ![1, 2].includes(value.holdTimeS));
  if (bytes.length < 200) assert.deepEqual(decodeOpen(encodeOpen(value)), value);
};

const update: Round = (dice, show) => {
  const context = anyContext(dice);
  const bytes = anyUpdate(dice, context);
  show({ context, bytes: bytes.toHex() });
  const outcome = attempt(() => decodeUpdate(bytes, context));
  if (outcome instanceof DecodeError) {
    assert.equal(outcome.code, 3);
    assert.equal(outcome.action, "reset");
    return;
  }
  for (const fault of outcome.value.faults) assert.match(fault.action, /^(withdraw|discard)$/);
  if (outcome.value.faults.some((one) => one.action === "withdraw")) {
    assert.equal(outcome.value.announced.length, 0, "what is treated as withdrawn is not announced");
  }
  for (const { nlri, attributes } of outcome.value.announced) {
    sameAgain(attributes);
    const mayBeLong = JSON.stringify(attributes, (_key, part: unknown) => String(part)).length > 1000;
    if (!mayBeLong) sameOverTheWire(attributes, nlri.family);
  }
  for (const block of blocksOf(outcome.value)) {
    for (const { prefix } of listNlri(block)) assert.ok(prefix.length <= (block.family === 4 ? 32 : 128));
  }
};

function anyUpdate(dice: Dice, context: DecodeContext): Uint8Array {
  const body = anyUpdateBody(dice, context);
  const damaged = dice.chance(0.3) ? mutateBytes(dice, body) : body;
  // The splitter lets no shorter one through.
  return message(2, damaged.length < 4 ? new Uint8Array(4) : damaged);
}

function blocksOf({ withdrawn, announced }: Update): Update["withdrawn"] {
  return [...withdrawn, ...announced.map((one) => one.nlri)];
}

/** The canonical form stands for the same value, and is stable. */
function sameAgain(attributes: PathAttributes): void {
  const writer = new Writer(512, 1 << 18);
  encodeCanonical(writer, attributes);
  const bytes = writer.finish();
  const read = decodeCanonical(bytes);
  const again = new Writer(512, 1 << 18);
  encodeCanonical(again, read);
  assert.deepEqual(again.finish(), bytes);
}

/** What a peer would read if we passed it on, with four octets and with two. */
function sameOverTheWire(attributes: PathAttributes, family: IpFamily): void {
  const prefix = Prefix.parse(family === 4 ? "10.0.0.0/8" : "fd00::/8");
  assert.ok(prefix !== undefined);
  for (const as4 of [true, false]) {
    const writer = new UpdateWriter({ family, addPath: false, as4, extendedNextHop: true });
    assert.ok(writer.announce(attributes, 1, (out) => encodeNlri(out, { prefix, pathId: 0 }, false)));
    const read = decodeUpdate(writer.take(), { as4, external: false, addPath: [], extendedNextHop: true });
    assert.deepEqual(read.faults, []);
    const [got] = read.announced;
    assert.ok(got !== undefined);
    if (as4) assert.deepEqual(got.attributes.asPath, attributes.asPath);
    assert.equal(AsPath.format(got.attributes.asPath), AsPath.format(attributes.asPath));
    assert.deepEqual(
      { ...got.attributes, asPath: [], opaque: [] },
      { ...attributes, asPath: [], opaque: [] },
    );
    assert.deepEqual(got.attributes.opaque, attributes.opaque);
  }
}

const plainUpdates = new PlainUpdateDecoder();

const plain: Round = (dice, show) => {
  const context = { ...anyContext(dice), as4: dice.chance(0.95) };
  const bytes = anyUpdate(dice, context);
  show({ context, bytes: bytes.toHex() });
  const quick = plainUpdates.decode(bytes, context);
  const outcome = attempt(() => decodeUpdate(bytes, context));
  if (quick === undefined) return;
  assert.ok(!(outcome instanceof DecodeError), "the quick way accepts what the other refuses");
  const { withdrawn, announced, faults, endOfRib } = outcome.value;
  assert.deepEqual({ withdrawn, faults, endOfRib }, { withdrawn: [], faults: [], endOfRib: undefined });
  assert.equal(announced.length, 1);
  for (const { nlri, attributes } of announced) {
    const prefixes = quick.bytes.subarray(quick.attributesEnd);
    assert.deepEqual({ family: quick.family, addPath: quick.addPath, bytes: prefixes }, nlri);
    assert.equal(quick.nextHop, attributes.nextHop);
    assert.equal(quick.pathLength, AsPath.length(attributes.asPath));
    const writer = new Writer(512, 1 << 18);
    encodeCanonical(writer, attributes);
    assert.deepEqual(quick.bytes.subarray(quick.attributesAt, quick.attributesEnd), writer.finish());
  }
};

const attributes: Round = (dice, show) => {
  const context = anyContext(dice);
  const sound = Uint8Array.from(anyAttributeList(dice, context));
  const bytes = dice.chance(0.4) ? mutateBytes(dice, sound) : sound;
  show({ context, bytes: bytes.toHex() });
  const outcome = attempt(() => decodeAttributes(new Reader(bytes), context));
  if (outcome instanceof DecodeError) return;
  const { value } = outcome.value;
  assert.ok(!(value.asPath ?? []).some((one) => one.asns.includes(0) || one.asns.length === 0));
  for (const one of value.opaque ?? []) assert.equal(one.flags, 0xe0);
};

const nlri: Round = (dice, show) => {
  const family = dice.pick([4, 6] as const);
  const addPath = dice.chance(0.5);
  const sound = Uint8Array.from(anyPrefixes(dice, family, addPath));
  const bytes = dice.chance(0.3) ? mutateBytes(dice, sound) : sound;
  show({ family, addPath, bytes: bytes.toHex() });
  const outcome = attempt(() => decodeNlri(new Reader(bytes), family, addPath));
  const expected = slowPrefixes(bytes, family, addPath);
  if (outcome instanceof DecodeError) {
    assert.equal(expected, undefined);
    return;
  }
  const list = listNlri(outcome.value);
  assert.deepEqual(
    list.map((one) => `${one.pathId} ${Prefix.format(one.prefix)}`),
    expected,
  );
  const writer = new Writer();
  for (const one of list) encodeNlri(writer, one, addPath);
  assert.deepEqual(listNlri(decodeNlri(new Reader(writer.finish()), family, addPath)), list);
};

/** The same by text alone: bits of a string, padded and cut. */
function slowPrefixes(bytes: Uint8Array, family: IpFamily, addPath: boolean): string[] | undefined {
  let left = bytes.toHex();
  const found: string[] = [];
  const width = family === 4 ? 8 : 32;
  while (left.length > 0) {
    if (addPath && left.length < 8) return undefined;
    const pathId = addPath ? Number.parseInt(left.slice(0, 8), 16) : 0;
    if (addPath) left = left.slice(8);
    if (left.length < 2) return undefined;
    const length = Number.parseInt(left.slice(0, 2), 16);
    const digits = Math.ceil(length / 8) * 2;
    if (length > width * 4 || left.length < 2 + digits) return undefined;
    const bits = BigInt(`0x${left.slice(2, 2 + digits).padEnd(width, "0")}`)
      .toString(2)
      .padStart(width * 4, "0");
    const masked = BigInt(`0b0${bits.slice(0, length).padEnd(width * 4, "0")}`).toString(16);
    const hex = masked.padStart(width, "0");
    const text =
      family === 4
        ? [0, 2, 4, 6].map((at) => Number.parseInt(hex.slice(at, at + 2), 16)).join(".")
        : hex.replaceAll(/(....)(?!$)/g, "$1:");
    const prefix = Prefix.parse(`${text}/${length}`);
    assert.ok(prefix !== undefined);
    found.push(`${pathId} ${Prefix.format(prefix)}`);
    left = left.slice(2 + digits);
  }
  return found;
}

const notification: Round = (dice, show) => {
  const data = dice.chance(0.5)
    ? [dice.below(30), ...dice.bytes(dice.below(30))]
    : dice.bytes(dice.below(300));
  const bytes = message(3, Uint8Array.from([dice.below(9), dice.below(12), ...data]));
  show(bytes);
  const read = decodeNotification(bytes);
  assert.deepEqual(encodeNotification(read), bytes);
  assert.doesNotMatch(notificationText(read), /\p{Cc}/u, "nothing that a terminal obeys");
};

const routeRefresh: Round = (dice, show) => {
  const bytes = message(5, dice.bytes(dice.chance(0.5) ? 4 : dice.below(12)));
  show(bytes);
  const outcome = attempt(() => decodeRouteRefresh(bytes));
  if (outcome instanceof DecodeError) {
    assert.equal(`${outcome.code}.${outcome.subcode}`, "7.1");
    assert.deepEqual(outcome.data, bytes, "RFC 7313 §5: the whole message");
  } else {
    assert.deepEqual(decodeRouteRefresh(encodeRouteRefresh(outcome.value)), outcome.value);
  }
};

function joined(parts: readonly Uint8Array[]): Uint8Array {
  return Uint8Array.from(parts.flatMap((part) => [...part]));
}

export const targets: readonly FuzzTarget[] = [
  { name: "message splitter", rounds: 1500, round: splitting },
  { name: "OPEN", rounds: 4000, round: open },
  { name: "UPDATE", rounds: 5000, round: update },
  { name: "plain UPDATE agrees with the general one", rounds: 8000, round: plain },
  { name: "path attributes", rounds: 5000, round: attributes },
  { name: "NLRI", rounds: 3000, round: nlri },
  { name: "NOTIFICATION", rounds: 1500, round: notification },
  { name: "ROUTE-REFRESH", rounds: 1000, round: routeRefresh },
];
