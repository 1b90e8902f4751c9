import { Ipv4 } from "@caracal/net";

/** RFC 4360 §4 and §5, in BIRD's words. */
const kinds: ReadonlyMap<number, string> = new Map([
  [0x0002, "rt"],
  [0x0003, "ro"],
]);

/** Of | type u8 | subtype u8 |: which form the rest has is no matter for what it is called. */
const nameBits = 0xf0ff;

/** `(rt, 65001, 100)`; `(unknown 0x4002, …)` of a known form, `(generic, 0x43000000, 0x1)` of none. */
export function formatExtendedCommunity(community: bigint): string {
  const type = Number(community >> 48n);
  const kind = kinds.get(type & nameBits) ?? `unknown 0x${type.toString(16)}`;
  const wide = Number((community >> 16n) & 0xffff_ffffn);
  const narrow = Number(community & 0xffffn);
  // RFC 4360 §3: the second bit says whether it stays in the AS.
  switch ((type >>> 8) & 0xbf) {
    case 0:
      return `(${kind}, ${Number((community >> 32n) & 0xffffn)}, ${Number(community & 0xffff_ffffn)})`;
    case 1:
      return `(${kind}, ${Ipv4.format(Ipv4.of(wide))}, ${narrow})`;
    case 2:
      return `(${kind}, ${wide}, ${narrow})`;
    default: {
      const [key, value] = [community >> 32n, community & 0xffff_ffffn];
      return `(generic, 0x${key.toString(16)}, 0x${value.toString(16)})`;
    }
  }
}
