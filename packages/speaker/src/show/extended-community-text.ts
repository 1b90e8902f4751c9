import { Ipv4 } from "@caracal/net";

/** RFC 4360 §4 and §5: what the second byte says, whatever form the first gives the rest. */
const subtypes: ReadonlyMap<number, string> = new Map([
  [0x02, "rt"],
  [0x03, "soo"],
]);

/** `rt:65001:100`, `soo:…`, or `0x` with sixteen digits: the forms that filters take. */
export function extendedCommunityText(community: bigint): string {
  const kind = Number(community >> 56n);
  const subtype = subtypes.get(Number((community >> 48n) & 0xffn));
  const value = subtype === undefined ? undefined : valueText(kind, community);
  return value === undefined ? `0x${community.toString(16).padStart(16, "0")}` : `${subtype}:${value}`;
}

/** RFC 4360 §3.1: | AS u16 | u32 |; §3.2: | IPv4 | u16 |; RFC 5668 §2: | AS u32 | u16 |. */
function valueText(kind: number, community: bigint): string | undefined {
  const wide = Number((community >> 16n) & 0xffffffffn);
  const narrow = Number(community & 0xffffn);
  switch (kind) {
    case 0:
      return `${Number((community >> 32n) & 0xffffn)}:${Number(community & 0xffffffffn)}`;
    case 1:
      return `${Ipv4.format(Ipv4.of(wide))}:${narrow}`;
    case 2:
      return `${wide}:${narrow}`;
    default:
      return undefined;
  }
}
