import { IpAddress, type Ipv6, Prefix } from "@caracal/net";
import type { BirdRoute } from "../bird-snapshot.ts";

/**
 * Puts routes in the order in which BIRD 1.6 walks its table, and marks the best of each network. Networks go by a hash of
 * their address, those that share it by length; routes of one network by preference, and in the order given where that
 * is equal.
 */
export function orderTable(routes: readonly BirdRoute[]): BirdRoute[] {
  const hashed = routes.map((route) => ({ route, hash: tableHash(route.prefix.address) }));
  hashed.sort(
    (a, b) =>
      a.hash - b.hash ||
      Prefix.compare(a.route.prefix, b.route.prefix) ||
      b.route.preference - a.route.preference,
  );
  let previous: Prefix | undefined;
  return hashed.map(({ route }) => {
    const isBest = previous === undefined || !Prefix.equals(previous, route.prefix);
    previous = route.prefix;
    return { ...route, isBest };
  });
}

/** BIRD's 16-bit hash of a network's address. */
export function tableHash(address: IpAddress): number {
  if (IpAddress.isIpv4(address)) {
    const halves = address ^ (address >>> 16);
    return (halves ^ (halves << 10)) & 0xffff;
  }
  const word = foldWords(address);
  return (word ^ (word >>> 16) ^ (word >>> 8)) & 0xffff;
}

/** The four 32-bit words of an IPv6 address, one upon another. */
function foldWords(address: Ipv6): number {
  let word = 0;
  for (let rest: bigint = address; rest > 0n; rest >>= 32n) word ^= Number(rest & 0xffffffffn);
  return word >>> 0;
}
