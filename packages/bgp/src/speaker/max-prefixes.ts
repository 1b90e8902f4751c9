import { type IpFamily, Writer } from "@caracal/net";
import { CeaseCode } from "../iana.ts";
import { type Millis } from "../session/session-config.ts";
import { type SessionEvent } from "../session/session-events.ts";
import { unicast } from "../wire/capability.ts";
import { type Peer } from "./peer.ts";
import { type SpeakerFact } from "./speaker-events.ts";

/** How many prefixes of each family a peer may announce, filtered ones included, and what comes of more. */
export interface MaxPrefixes {
  readonly limit: number;
  /** A fact is told when the count comes to this share of the limit. */
  readonly warnPercent: number;
  /**
   * "warn" only tells; "restart" ends the session for a time; "disable" until somebody resets the peer; "block" keeps
   * the session and what came first, and takes nothing more.
   */
  readonly action: "warn" | "restart" | "disable" | "block";
  /** Of "restart". */
  readonly restartAfterMs: Millis;
}

/** What a limit without more words means: a session that floods ends, and gets another chance later. */
export const maxPrefixesDefaults: Omit<MaxPrefixes, "limit"> = {
  warnPercent: 75,
  action: "restart",
  restartAfterMs: 300_000,
};

/** After a warning the count must have been this much lower before there is another. */
const rearmShare = 0.9;

/** What has been told about a limit. */
export type LimitStage = "below" | "near" | "reached";

/** What a count asks for. */
export interface LimitOutcome {
  readonly fact: SpeakerFact;
  /** For the peer's session. */
  readonly stop: SessionEvent | undefined;
}

/** Compares a peer's count with its limit: `undefined` while there is nothing new to say. */
export function checkMaxPrefixes(peer: Peer, family: IpFamily): LimitOutcome | undefined {
  const { maxPrefixes, name } = peer.config;
  if (maxPrefixes === undefined) return undefined;
  const { limit, warnPercent, action } = maxPrefixes;
  const count = peer.announced[family];
  const before = peer.limitStages[family];
  const warnAt = Math.ceil((limit * warnPercent) / 100);
  // A blocked peer never has more than the limit: what it was refused counts too.
  const isOver = count > limit || (action === "block" && peer.blockedCounts[family] > 0);
  const stage = isOver ? "reached" : count >= warnAt ? "near" : "below";
  if (stage === "below" && count > warnAt * rearmShare) return undefined;
  peer.limitStages[family] = stage;
  if (stage === before || stage === "below" || (stage === "near" && before === "reached")) return undefined;
  return {
    fact: { kind: "prefixLimit", peer: name, family, count, limit, stage, action },
    stop: isOver ? stopFor(family, maxPrefixes) : undefined,
  };
}

/** From this count on new prefixes are not taken. */
export function blockedFrom(maxPrefixes: MaxPrefixes | undefined): number {
  return maxPrefixes?.action === "block" ? maxPrefixes.limit : Infinity;
}

function stopFor(family: IpFamily, maxPrefixes: MaxPrefixes): SessionEvent | undefined {
  const { action, restartAfterMs } = maxPrefixes;
  if (action !== "restart" && action !== "disable") return undefined;
  return {
    kind: "AutomaticStop",
    cease: CeaseCode.maximumPrefixes,
    data: limitData(family, maxPrefixes.limit),
    idleMs: action === "restart" ? restartAfterMs : undefined,
  };
}

/** RFC 4486 §4: | AFI u16 | SAFI u8 | upper bound u32 |. */
function limitData(family: IpFamily, limit: number): Uint8Array {
  const writer = new Writer(8, 8);
  const { afi, safi } = unicast(family);
  writer.u16(afi);
  writer.u8(safi);
  writer.u32(limit);
  return writer.finish();
}
