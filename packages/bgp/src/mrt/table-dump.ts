import { IpAddress, type Ipv4, Prefix, Utf8, Writer } from "@caracal/net";
import { AttributeCode, AttributeFlag } from "../iana.ts";
import { type PeerSnapshot, type RouteSnapshot } from "../speaker/snapshot.ts";
import { encodeAttributes, encodeNextHop } from "../wire/attribute-encoder.ts";
import { type PathAttributes } from "../wire/path-attributes.ts";

/** RFC 6396 §4, §4.3 and RFC 8050 §4. */
const TABLE_DUMP_V2 = 13;
const PEER_INDEX_TABLE = 1;
const ribSubtype = { 4: 2, 6: 4 } as const;
const ribAddPathSubtype = { 4: 8, 6: 10 } as const;

/** RFC 6396 §4.3.1: what a peer type says of the entry's form. */
const PeerTypeFlag = { ipv6: 1, as4: 2 } as const;

/** Records are handed over in pieces of about this size, so that a table needs no room for the whole dump. */
export const dumpPieceBytes: number = 1 << 16;

/** Peers are numbered in two octets, and the speaker itself takes the first number. */
export const maxDumpedPeers: number = 0xfffe;

/** What is dumped: snapshots of one moment. */
export interface TableDump {
  readonly routerId: Ipv4;
  readonly asn: number;
  readonly viewName?: string;
  /** Seconds since 1970. */
  readonly takenAtS: number;
  readonly peers: readonly PeerSnapshot[];
  /** The paths to one prefix one after the other, as `Speaker.routes` gives them. Those that policy or a loop kept out are left out. */
  readonly routes: Iterable<RouteSnapshot>;
}

/**
 * A table as an MRT file (RFC 6396 §4.3, TABLE_DUMP_V2), in pieces. The speaker's own routes are those of peer 0, which
 * has its identifier and no address.
 */
export function* encodeTableDump(dump: TableDump): Generator<Uint8Array> {
  if (dump.peers.length > maxDumpedPeers) {
    throw new RangeError(`a dump holds ${maxDumpedPeers} peers, not ${dump.peers.length}`);
  }
  const out = new Writer(dumpPieceBytes * 2);
  const indexes = new Map(dump.peers.map(({ name }, position) => [name, position + 1]));
  writeRecord(out, dump.takenAtS, PEER_INDEX_TABLE, () => writePeers(out, dump));
  let sequence = 0;
  for (const paths of byPrefix(dump.routes)) {
    writePrefix(out, dump.takenAtS, sequence, paths, indexes);
    sequence += 1;
    if (out.length < dumpPieceBytes) continue;
    yield out.finish();
    out.truncate(0);
  }
  yield out.finish();
}

/** | timestamp u32 | type u16 | subtype u16 | length u32 | body | */
function writeRecord(out: Writer, takenAtS: number, subtype: number, write: () => void): void {
  out.u32(takenAtS);
  out.u16(TABLE_DUMP_V2);
  out.u16(subtype);
  const lengthAt = out.length;
  out.u32(0);
  write();
  const length = out.length - lengthAt - 4;
  out.patchU16(lengthAt, length >>> 16);
  out.patchU16(lengthAt + 2, length & 0xffff);
}

/** RFC 6396 §4.3.1: | collector u32 | name length u16 | name | count u16 | then per peer | type | ID u32 | address | AS u32 | */
function writePeers(out: Writer, { routerId, asn, viewName = "", peers }: TableDump): void {
  const name = Utf8.encode(viewName);
  out.u32(routerId);
  out.u16(name.length);
  out.bytes(name);
  out.u16(peers.length + 1);
  out.u8(PeerTypeFlag.as4);
  out.u32(routerId);
  out.u32(0);
  out.u32(asn);
  for (const peer of peers) {
    out.u8(PeerTypeFlag.as4 | (IpAddress.isIpv4(peer.address) ? 0 : PeerTypeFlag.ipv6));
    // The identifier is known only during a session.
    out.u32(peer.session?.neighborId ?? 0);
    out.bytes(IpAddress.toBytes(peer.address));
    out.u32(peer.asn);
  }
}

/** RFC 6396 §4.3.2: | sequence u32 | length u8 | prefix | count u16 | then per path its entry | */
function writePrefix(
  out: Writer,
  takenAtS: number,
  sequence: number,
  paths: readonly RouteSnapshot[],
  indexes: ReadonlyMap<string, number>,
): void {
  const [first] = paths;
  if (first === undefined) return;
  const { prefix } = first;
  const hasPathIds = paths.some(({ pathId }) => pathId !== 0);
  const subtype = (hasPathIds ? ribAddPathSubtype : ribSubtype)[prefix.family];
  writeRecord(out, takenAtS, subtype, () => {
    out.u32(sequence);
    out.u8(prefix.length);
    out.bytes(IpAddress.toBytes(prefix.address).subarray(0, (prefix.length + 7) >> 3));
    out.u16(paths.length);
    for (const { source, sinceS, pathId, attributes } of paths) {
      out.u16(source.kind === "local" ? 0 : (indexes.get(source.name) ?? 0));
      out.u32(Math.floor(sinceS));
      // RFC 8050 §4.1: the path identifier stands before the attributes' length.
      if (hasPathIds) out.u32(pathId);
      const lengthAt = out.length;
      out.u16(0);
      writeAttributes(out, attributes);
      out.patchU16(lengthAt, out.length - lengthAt - 2);
    }
  });
}

/** RFC 6396 §4.3.4: as in an UPDATE with four-octet AS numbers, but of MP_REACH_NLRI only the next hop. */
function writeAttributes(out: Writer, attributes: PathAttributes): void {
  encodeAttributes(out, attributes, true);
  const { nextHop } = attributes;
  if (nextHop === undefined || IpAddress.isIpv4(nextHop)) return;
  out.u8(AttributeFlag.optional);
  out.u8(AttributeCode.mpReachNlri);
  const lengthAt = out.length;
  out.u8(0);
  encodeNextHop(out, attributes);
  out.patchU8(lengthAt, out.length - lengthAt - 1);
}

function* byPrefix(routes: Iterable<RouteSnapshot>): Generator<readonly RouteSnapshot[]> {
  let paths: RouteSnapshot[] = [];
  for (const route of routes) {
    if (["filtered", "looped", "leaked"].includes(route.state)) continue;
    const [first] = paths;
    if (first !== undefined && !Prefix.equals(first.prefix, route.prefix)) {
      yield paths;
      paths = [];
    }
    paths.push(route);
  }
  if (paths.length > 0) yield paths;
}
