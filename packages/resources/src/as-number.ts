/** The AS that a cluster uses when no resource names one: the first of the private 16-bit range. */
export const defaultAsNumber = 64512;

/** AS numbers are 32-bit (RFC 6793); as text either decimal or `high.low` (RFC 5396 §2: asdot). */
export const AsNumber: {
  readonly parse: (text: string) => number | undefined;
  /** Plain decimal, the form Calico prints. */
  readonly format: (asNumber: number) => string;
} = {
  parse: (text) => {
    const parts = text.split(".");
    if (parts.length > 2 || !parts.every((part) => /^[0-9]{1,10}$/.test(part))) return undefined;
    const [high, low] = parts.map(Number);
    if (high === undefined) return undefined;
    if (low === undefined) return high <= 0xffffffff ? high : undefined;
    return high <= 0xffff && low <= 0xffff ? high * 0x10000 + low : undefined;
  },
  format: String,
};
