import { Ipv4, Ipv6 } from "@caracal/net";
import { type AsSegment } from "../src/wire/as-path.ts";
import { type PathAttributes } from "../src/wire/path-attributes.ts";
import { AttributeCode, Origin } from "../src/iana.ts";

const origins = [Origin.igp, Origin.egp, Origin.incomplete] as const;

/** Any attribute set, long lists and rare attributes included, as decoding gives it. */
export function anyAttributes(random: () => number): PathAttributes {
  const below = (limit: number): number => Math.floor(random() * limit);
  const maybe = <T extends object>(value: () => T): T | undefined => (random() < 0.4 ? value() : undefined);
  const times = <T>(most: number, one: () => T): T[] => Array.from({ length: 1 + below(most) }, one);
  const asn = (): number => 1 + below(random() < 0.5 ? 6 : 0xffff_fffe);
  const segment = (): AsSegment => ({
    kind: random() < 0.8 ? "sequence" : "set",
    asns: times(random() < 0.1 ? 255 : 5, asn),
  });
  const long = random() < 0.1 ? 90 : 4;
  const word = (): number => below(2 ** 32);
  const value: PathAttributes = {
    origin: origins[below(3)] ?? Origin.igp,
    asPath: random() < 0.1 ? [] : times(2, segment),
    ...anyNextHop(random),
    ...maybe(() => ({ med: below(3) })),
    ...maybe(() => ({ localPref: below(300) })),
    ...maybe(() => ({ atomicAggregate: true as const })),
    ...maybe(() => ({ aggregator: { asn: asn(), address: Ipv4.of(word()) } })),
    ...maybe(() => ({ communities: times(long, () => 0xffff_ff00 + below(8)) })),
    ...maybe(() => ({ originatorId: Ipv4.of(below(4)) })),
    ...maybe(() => ({ clusterList: times(long, () => Ipv4.of(below(4))) })),
    ...maybe(() => ({
      extendedCommunities: times(long, () => (BigInt(word()) << 32n) | BigInt(word())),
    })),
    ...maybe(() => ({ largeCommunities: times(long, () => [word(), word(), word()] as const) })),
    ...maybe(() => ({ onlyToCustomer: asn() })),
    ...maybe(() => ({ opaque: [{ flags: 0xe0, code: 11 + below(2), value: Uint8Array.of(1, 2) }] })),
  };
  const carriers = [
    ...(value.aggregator === undefined ? [] : [AttributeCode.aggregator]),
    ...(value.communities === undefined ? [] : [AttributeCode.communities]),
    ...(value.largeCommunities === undefined ? [] : [AttributeCode.largeCommunities]),
    ...(value.onlyToCustomer === undefined ? [] : [AttributeCode.onlyToCustomer]),
  ].filter(() => random() < 0.2);
  return carriers.length === 0 ? value : { ...value, partial: carriers };
}

function anyNextHop(random: () => number): Pick<PathAttributes, "nextHop" | "linkLocalNextHop"> {
  const kind = random();
  if (kind < 0.1) return {};
  if (kind < 0.7) return { nextHop: Ipv4.of(0x0a00_0000 + Math.floor(random() * 4)) };
  const nextHop = Ipv6.of((0x2001_0db8n << 96n) | BigInt(Math.floor(random() * 4)));
  return kind < 0.85 ? { nextHop } : { nextHop, linkLocalNextHop: Ipv6.of((0xfe80n << 112n) | 1n) };
}
