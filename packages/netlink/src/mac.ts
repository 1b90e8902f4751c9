import { brand, type Brand } from "@caracal/net";

/** A 48-bit Ethernet address as a number, first octet highest. */
export type Mac = Brand<number, "Mac">;

export const Mac: {
  /** Six colon-separated pairs of hexadecimal digits; anything else is `undefined`. */
  readonly parse: (text: string) => Mac | undefined;
  /** Lower case, colons. */
  readonly format: (mac: Mac) => string;
  /** From six bytes; any other length is `undefined`. */
  readonly fromBytes: (bytes: Uint8Array) => Mac | undefined;
  readonly toBytes: (mac: Mac) => Uint8Array;
} = {
  parse: (text) =>
    /^[0-9a-fA-F]{2}(:[0-9a-fA-F]{2}){5}$/.test(text)
      ? brand<Mac>(Number.parseInt(text.replaceAll(":", ""), 16))
      : undefined,
  format: (mac) =>
    mac
      .toString(16)
      .padStart(12, "0")
      .replaceAll(/..(?!$)/g, "$&:"),
  fromBytes: (bytes) => {
    if (bytes.length !== 6) return undefined;
    let value = 0;
    for (const octet of bytes) value = value * 256 + octet;
    return brand<Mac>(value);
  },
  toBytes: (mac) => {
    const high = Math.floor(mac / 0x1_0000_0000);
    const low = mac % 0x1_0000_0000;
    return Uint8Array.of(
      high >>> 8,
      high & 255,
      low >>> 24,
      (low >>> 16) & 255,
      (low >>> 8) & 255,
      low & 255,
    );
  },
};
