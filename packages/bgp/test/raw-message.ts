/** Messages from bytes, with no help of our encoders: tests of bad input write what no encoder would. */

/** A message of this type with a right header. */
export function message(type: number, body: Uint8Array | string): Uint8Array {
  const content = typeof body === "string" ? Uint8Array.fromHex(body.replaceAll(" ", "")) : body;
  const bytes = new Uint8Array(19 + content.length).fill(0xff, 0, 16);
  bytes[18] = type;
  bytes.set(content, 19);
  return withLength(bytes);
}

/** The same bytes with a header length that is true. */
export function withLength(bytes: Uint8Array): Uint8Array {
  const copy = bytes.slice();
  if (copy.length >= 19) new DataView(copy.buffer).setUint16(16, Math.min(copy.length, 0xffff));
  return copy;
}

/** The octets of a 16-bit number; a negative one is 0. */
export function u16(value: number): number[] {
  const positive = Math.max(0, value);
  return [(positive >> 8) & 255, positive & 255];
}

/** Hexadecimal digits of a number, so many octets wide. */
export function hex(value: number, octets: number): string {
  return (value >>> 0).toString(16).padStart(octets * 2, "0");
}

export interface RawOpen {
  readonly version?: number;
  /** The two-octet field. */
  readonly asn?: number;
  readonly holdTimeS?: number;
  readonly id?: string;
  /** Capabilities as hexadecimal, code and length included; one parameter for each. */
  readonly capabilities?: readonly string[];
  /** Instead of them: all that follows the identifier, the length octet included. */
  readonly parameters?: string;
}

/** IPv4 and IPv6 unicast, route refresh, four-octet AS 65001, graceful restart with nothing preserved. */
export const usualCapabilities: readonly string[] = ["010400010001", "010400020001", "0200", "41040000fde9"];

export function rawOpen(open: RawOpen = {}): Uint8Array {
  const { version = 4, asn = 65001, holdTimeS = 90, id = "0a000001" } = open;
  const list = (open.capabilities ?? usualCapabilities).map((one) => `02${hex(one.length / 2, 1)}${one}`);
  const parameters = list.join("");
  const tail = open.parameters ?? `${hex(parameters.length / 2, 1)}${parameters}`;
  return message(1, `${hex(version, 1)}${hex(asn, 2)}${hex(holdTimeS, 2)}${id}${tail}`);
}

export const rawKeepalive: Uint8Array = message(4, "");

/** An UPDATE from hexadecimal parts, lengths worked out. */
export function rawUpdate(attributes: readonly string[], announced = "080a", withdrawn = ""): Uint8Array {
  const list = attributes.join("").replaceAll(" ", "");
  return message(
    2,
    `${hex(withdrawn.length / 2, 2)}${withdrawn}${hex(list.length / 2, 2)}${list}${announced}`,
  );
}
