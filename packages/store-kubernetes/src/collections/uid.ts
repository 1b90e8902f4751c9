/** RFC 9562 §4: version and variant of a UUID are in these bytes, so they stay. */
const keptBytes: ReadonlySet<number> = new Set([6, 8]);

/**
 * The uid that Calico shows for a custom resource: the bits of every byte in reverse order, but for the two that tell
 * version and variant. The function is its own inverse; text that is no UUID stays as it is.
 */
export function mirrorUid(uid: string): string {
  if (!/^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/i.test(uid)) return uid;
  const digits = uid.replaceAll("-", "").toLowerCase();
  const bytes = Array.from({ length: 16 }, (_, index) =>
    Number.parseInt(digits.slice(2 * index, 2 * index + 2), 16),
  );
  const mirrored = bytes
    .map((byte, index) => (keptBytes.has(index) ? byte : reverseBits(byte)))
    .map((byte) => byte.toString(16).padStart(2, "0"))
    .join("");
  return mirrored.replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, "$1-$2-$3-$4-$5");
}

function reverseBits(byte: number): number {
  let reversed = 0;
  for (let bit = 0; bit < 8; bit += 1) reversed |= ((byte >> bit) & 1) << (7 - bit);
  return reversed;
}
