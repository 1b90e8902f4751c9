import { Ipv4, Writer } from "@caracal/net";
import { buildOpen } from "../session/negotiated.ts";
import { type ConnectionId, type SessionConfig, defaultTimers } from "../session/session-config.ts";
import { everythingReachable } from "../rib/next-hops.ts";
import { MessageType } from "../iana.ts";
import { encodeCanonical } from "../wire/canonical-attributes.ts";
import { beginFrame, endFrame, headerBytes } from "../wire/header.ts";
import { keepaliveBytes } from "../wire/message.ts";
import { encodeOpen } from "../wire/open.ts";
import { type PeerInput, peerConfig } from "./peer-config.ts";
import { type SpeakerConfig } from "./speaker-events.ts";
import { Speaker } from "./speaker.ts";

/** Enough for the engine to have compiled most of what it will compile. */
export const rehearsedPrefixCount = 65_536;
/** Few, so that what runs once for each set is compiled, too. */
const prefixesPerSet = 2;

/** What each of the first speakers relays of it: some 1,500 prefixes. */
const firstBytes = 1 << 16;

/** What goes and comes back. */
const churnedPrefixCount = 4096;
const prefixesPerWithdrawal = 512;

/** No made-up table is longer. */
const maxTableBytes = 1 << 22;

/** Configurations of different shape, or what is compiled is good for one of them only. */
const kindsOfPeers: readonly Partial<PeerInput>[] = [
  {},
  { clusterId: Ipv4.of(1) },
  { allowLocalAs: 1, families: [4] },
  { reflectorClient: false, nextHop: "self" },
  { sourceAddress: Ipv4.of(1) },
];

/** As much as a socket hands over at once. */
const chunkBytes = 65_536;

const localAsn = 64_512;
const listenerAsn = 64_513;
const feederAsn = 64_514;

/** A moment as the driver's clock has them: no whole number, so that no other code is needed for the real ones. */
const now = 1_700_000_000_000.25;

/**
 * Lets speakers that nobody sees relay made-up routes, so that the engine has compiled the hot path before a real peer
 * sends its table: a first full table then takes a third of the time. Costs a quarter of a second of one core. Says how many
 * bytes were relayed.
 *
 * Several speakers, as code that has seen one only is compiled for that one, and thrown away at the first other.
 */
export function rehearse(config: SpeakerConfig): number {
  const table = madeUpTable();
  const churn = madeUpChurn(table);
  let relayedBytes = 0;
  for (const like of kindsOfPeers)
    relayedBytes += relay(config, like, [table.subarray(0, firstBytes), churn]);
  return relayedBytes + relay(config, {}, [table]);
}

/** The first speaker stays: the engine throws code away once all objects that it was compiled for are collected. */
const kept: Speaker[] = [];

function relay(config: SpeakerConfig, like: Partial<PeerInput>, feeds: readonly Uint8Array[]): number {
  const speaker = new Speaker(
    { ...config, asn: localAsn, restarting: false },
    { resolver: everythingReachable, random: () => 0.5, policies: new Map() },
  );
  const peers = [feederAsn, listenerAsn].map((asn) =>
    peerConfig({ ...like, name: `${asn}`, address: Ipv4.of(asn), asn, passive: true }),
  );
  if (kept.length === 0) kept.push(speaker);
  speaker.handle({ kind: "peers", peers }, now);
  connect(speaker, feederAsn);
  connect(speaker, listenerAsn);
  let relayedBytes = 0;
  for (const bytes of feeds.flatMap(chunks)) {
    const effects = speaker.handle({ kind: "received", connection: connectionOf(feederAsn), bytes }, now);
    for (const effect of effects) relayedBytes += effect.kind === "send" ? effect.bytes.length : 0;
  }
  return relayedBytes;
}

function connectionOf(asn: number): ConnectionId {
  return `${asn}`;
}

/** Brings a session up, with its first exchange done. */
function connect(speaker: Speaker, asn: number): void {
  const connection = connectionOf(asn);
  const [localAddress, remoteAddress] = [Ipv4.of(1), Ipv4.of(asn)];
  speaker.handle({ kind: "accepted", connection, localAddress, remoteAddress }, now);
  const config: SessionConfig = {
    name: "",
    routerId: Ipv4.of(asn),
    localAsn: asn,
    peerAsn: localAsn,
    passive: false,
    timers: defaultTimers,
    families: [4],
    addPathReceive: false,
    addPathSend: false,
    restartTimeS: undefined,
  };
  const open = encodeOpen(buildOpen(config, { restarted: false, forwardingPreserved: false }));
  for (const bytes of [open, keepaliveBytes]) speaker.handle({ kind: "received", connection, bytes }, now);
  speaker.handle({ kind: "tick" }, now);
}

function chunks(feed: Uint8Array): Uint8Array[] {
  const list: Uint8Array[] = [];
  for (let at = 0; at < feed.length; at += chunkBytes) list.push(feed.subarray(at, at + chunkBytes));
  return list;
}

/** Some prefixes go and come back, some only change. */
function madeUpChurn(table: Uint8Array): Uint8Array {
  const writer = new Writer(firstBytes, maxTableBytes);
  for (let first = 0; first < churnedPrefixCount; first += prefixesPerWithdrawal) {
    const start = beginFrame(writer, MessageType.update);
    writer.u16(prefixesPerWithdrawal * 4);
    writePrefixes(writer, first, prefixesPerWithdrawal);
    writer.u16(0);
    endFrame(writer, start);
  }
  writer.bytes(table.subarray(0, firstBytes));
  return writer.finish();
}

/** Written without what writes real messages: that must be compiled for its real callers alone. */
function madeUpTable(): Uint8Array {
  const writer = new Writer(firstBytes, maxTableBytes);
  for (let first = 0; first < rehearsedPrefixCount; first += prefixesPerSet) {
    const start = beginFrame(writer, MessageType.update);
    writer.u32(0);
    encodeCanonical(writer, {
      origin: 0,
      asPath: [{ kind: "sequence", asns: [feederAsn, 1 + first, 100_000 + first] }],
      nextHop: Ipv4.of(0x0a00_0001),
      communities: [0xfde9_0000 + (first & 0xffff), 0xfde9_0001],
    });
    writer.patchU16(start + headerBytes + 2, writer.length - start - headerBytes - 4);
    writePrefixes(writer, first, prefixesPerSet);
    endFrame(writer, start);
  }
  return writer.finish();
}

/** Neighbouring /24s, from 11.0.0.0 upwards. */
function writePrefixes(writer: Writer, first: number, count: number): void {
  for (let index = first; index < first + count; index += 1) {
    writer.u8(24);
    writer.u16(0x0b00 + (index >> 8));
    writer.u8(index & 255);
  }
}
