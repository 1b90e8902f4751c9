import { type SpeakerEvent } from "./speaker-events.ts";

/** An event as one line of JSON: a recording of them, fed to a new speaker, repeats what happened. */
export function formatEvent(event: SpeakerEvent): string {
  // Node's buffers turn themselves into something else before the replacer sees them.
  const plain = event.kind === "received" ? { ...event, bytes: Uint8Array.from(event.bytes) } : event;
  return formatLine(plain);
}

/** Plain data with what JSON lacks: large numbers and bytes. */
export function formatLine(data: unknown): string {
  return JSON.stringify(data, (_key, value: unknown) => {
    if (typeof value === "bigint") return { $big: value.toString(16) };
    return value instanceof Uint8Array ? { $hex: value.toHex() } : value;
  });
}

/** Reads what `formatEvent` wrote; `undefined` for a line that is no event. */
export function parseEvent(line: string): SpeakerEvent | undefined {
  const value = parseLine(line);
  return isEvent(value) ? value : undefined;
}

/** Reads what `formatLine` wrote; `undefined` for something else. */
export function parseLine(line: string): unknown {
  try {
    const value: unknown = JSON.parse(line, (_key, part: unknown) => revive(part));
    return value;
  } catch (error) {
    // A line that was cut off, or numbers and bytes that are none.
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
}

function revive(part: unknown): unknown {
  if (typeof part !== "object" || part === null) return part;
  if ("$big" in part && typeof part.$big === "string") return BigInt(`0x${part.$big}`);
  if ("$hex" in part && typeof part.$hex === "string") return Uint8Array.fromHex(part.$hex);
  return part;
}

type Check = (value: unknown) => boolean;

const isText: Check = (value) => typeof value === "string";
const isFlag: Check = (value) => typeof value === "boolean";
const isAddress: Check = (value) => typeof value === "number" || typeof value === "bigint";
const isList: Check = (value) => Array.isArray(value);

/** What each kind must have. Recordings are our own, so what lists hold is not looked into. */
const members: Readonly<Record<SpeakerEvent["kind"], Readonly<Record<string, Check>>>> = {
  peers: { peers: isList, ranges: (value) => value === undefined || isList(value) },
  policies: { policies: isList },
  localRoutes: { routes: isList },
  connected: { connection: isText, localAddress: isAddress },
  accepted: { connection: isText, localAddress: isAddress, remoteAddress: isAddress },
  failed: { connection: isText, reason: isText },
  received: { connection: isText, bytes: (value) => value instanceof Uint8Array },
  congested: { connection: isText, full: isFlag },
  stalled: { connection: isText, stalled: isFlag },
  overflowed: { connection: isText },
  bestPath: { options: (value) => typeof value === "object" && value !== null },
  resolution: {},
  reset: { peer: isText },
  stop: { graceful: isFlag },
  tick: {},
};

export function isEvent(value: unknown): value is SpeakerEvent {
  if (typeof value !== "object" || value === null || !("kind" in value)) return false;
  const expected = Object.entries(members).find(([kind]) => kind === value.kind)?.[1];
  if (expected === undefined) return false;
  return Object.entries(expected).every(([name, check]) => check(Reflect.get(value, name)));
}
