import { type SpeakerEvent } from "./speaker-events.ts";

/** An event as one line of JSON: a recording of them, fed to a new speaker, repeats what happened. */
export function formatEvent(event: SpeakerEvent): string {
  // Node's buffers turn themselves into something else before the replacer sees them.
  const plain = event.kind === "received" ? { ...event, bytes: Uint8Array.from(event.bytes) } : event;
  return JSON.stringify(plain, (_key, value: unknown) => {
    if (typeof value === "bigint") return { $big: value.toString(16) };
    return value instanceof Uint8Array ? { $hex: value.toHex() } : value;
  });
}

/** Reads what `formatEvent` wrote; `undefined` for a line that is no event. */
export function parseEvent(line: string): SpeakerEvent | undefined {
  const value: unknown = JSON.parse(line, (_key, part: unknown) => revive(part));
  return isEvent(value) ? value : undefined;
}

function revive(part: unknown): unknown {
  if (typeof part !== "object" || part === null) return part;
  if ("$big" in part && typeof part.$big === "string") return BigInt(`0x${part.$big}`);
  if ("$hex" in part && typeof part.$hex === "string") return Uint8Array.fromHex(part.$hex);
  return part;
}

const kinds: readonly string[] = [
  "peers",
  "localRoutes",
  "connected",
  "accepted",
  "failed",
  "received",
  "congested",
  "resolution",
  "reset",
  "stop",
  "tick",
] satisfies readonly SpeakerEvent["kind"][];

/** Recordings are our own, so the kind is proof enough. */
function isEvent(value: unknown): value is SpeakerEvent {
  return typeof value === "object" && value !== null && "kind" in value && kinds.includes(String(value.kind));
}
