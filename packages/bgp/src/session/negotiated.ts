import { type Blame, DecodeError, type IpAddress, type IpFamily, type Ipv4, Writer } from "@caracal/net";
import { Afi, ErrorCode, OpenError } from "../iana.ts";
import {
  type Capability,
  type GracefulRestartCapability,
  type LongLivedCapability,
  maxStaleTimeS,
  encodeCapability,
  unicast,
  unicastFamily,
} from "../wire/capability.ts";
import { maxExtendedMessageBytes, maxMessageBytes } from "../wire/header.ts";
import { type Open, openAsn } from "../wire/open.ts";
import { type Role, checkRoles, roleCapability } from "./role.ts";
import { type ConnectionId, type SessionConfig } from "./session-config.ts";

/** What both ends of a session agreed on in their OPENs. */
export interface Negotiated {
  readonly connection: ConnectionId;
  /** Our end's address. */
  readonly localAddress: IpAddress;
  readonly remoteId: Ipv4;
  /** 0: no timer, no keepalives. */
  readonly holdTimeMs: number;
  readonly keepaliveMs: number;
  readonly as4: boolean;
  readonly external: boolean;
  readonly families: readonly IpFamily[];
  /** Families in which the peer sends path identifiers. */
  readonly addPathReceive: readonly IpFamily[];
  /** Families in which we do. */
  readonly addPathSend: readonly IpFamily[];
  readonly routeRefresh: boolean;
  /** Both ends mark where the answer to a route refresh begins and ends (RFC 7313). */
  readonly enhancedRefresh: boolean;
  /** The longest message either end may send (RFC 8654 §4). */
  readonly maxMessageBytes: number;
  /** IPv4 routes may have IPv6 next hops, both ways (RFC 8950). */
  readonly extendedNextHop: boolean;
  /** What the peer says it is to us (RFC 9234 §4.1). */
  readonly remoteRole: Role | undefined;
  /** The peer's, when both ends speak RFC 4724. */
  readonly gracefulRestart: GracefulRestartCapability | undefined;
  /** RFC 8538 §4: a NOTIFICATION is no reason to drop routes, unless it is a hard reset. */
  readonly keepsOnNotification: boolean;
  /** The peer's, when both ends speak RFC 9494. */
  readonly longLived: LongLivedCapability | undefined;
  /** The peer's, all of them. */
  readonly capabilities: readonly Capability[];
}

/** RFC 4724 §3: R, the speaker has restarted; F, packets were forwarded meanwhile. */
export interface RestartBits {
  readonly restarted: boolean;
  readonly forwardingPreserved: boolean;
}

/** The OPEN of a session. */
export function buildOpen(config: SessionConfig, bits: RestartBits): Open {
  const families = config.families.map(unicast);
  const capabilities: Capability[] = [
    ...families.map((family): Capability => ({ kind: "multiprotocol", ...family })),
    { kind: "routeRefresh" },
  ];
  if (offersExtendedNextHop(config)) capabilities.push({ kind: "extendedNextHop", families: [ipv4OverIpv6] });
  if (config.extendedMessages === true) capabilities.push({ kind: "extendedMessage" });
  if (config.role !== undefined && isExternal(config)) capabilities.push(roleCapability(config.role));
  if (config.restartTimeS !== undefined) {
    capabilities.push({
      kind: "gracefulRestart",
      restarted: bits.restarted,
      notification: config.restartOnNotification !== false,
      restartTimeS: config.restartTimeS,
      families: families.map((family) => ({ ...family, forwardingPreserved: bits.forwardingPreserved })),
    });
  }
  capabilities.push({ kind: "fourOctetAs", asn: config.localAsn });
  if (config.restartTimeS !== undefined) capabilities.push(longLivedOffer(config, bits));
  if (config.addPathReceive || config.addPathSend) {
    capabilities.push({
      kind: "addPath",
      families: families.map((family) => ({
        ...family,
        receive: config.addPathReceive,
        send: config.addPathSend,
      })),
    });
  }
  if (config.enhancedRefresh === true) capabilities.push({ kind: "enhancedRouteRefresh" });
  return {
    kind: "open",
    version: 4,
    myAs: config.localAsn,
    holdTimeS: Math.round(config.timers.holdTimeMs / 1000),
    bgpIdentifier: config.routerId,
    capabilities: config.saysCapabilities === false ? [] : capabilities,
  };
}

/** RFC 9494 §3: without families it says that we know what to do with routes that others keep. */
function longLivedOffer(config: SessionConfig, { forwardingPreserved }: RestartBits): Capability {
  const staleTimeS = Math.min(config.longLivedTimeS ?? 0, maxStaleTimeS);
  const families = staleTimeS === 0 ? [] : config.families.map(unicast);
  return {
    kind: "longLivedGracefulRestart",
    families: families.map((family) => ({ ...family, forwardingPreserved, staleTimeS })),
  };
}

/** Checks the peer's OPEN against our own configuration (RFC 4271 §6.2) and finds the common ground. */
export function negotiate(
  config: SessionConfig,
  open: Open,
  connection: ConnectionId,
  localAddress: IpAddress,
): Negotiated {
  checkOpen(config, open);
  const { capabilities } = open;
  const says = (kind: Capability["kind"]): boolean => capabilities.some((one) => one.kind === kind);
  const bothSay = (kind: Capability["kind"]): boolean => config.saysCapabilities !== false && says(kind);
  const remoteRole = isExternal(config) ? checkRoles(config, capabilities) : undefined;
  const families = commonFamilies(config, capabilities);
  const ours = config.timers.holdTimeMs;
  const holdTimeMs = Math.min(ours, open.holdTimeS * 1000);
  const addPath = capabilities.flatMap((one) => (one.kind === "addPath" ? one.families : []));
  const restart =
    config.restartTimeS === undefined
      ? undefined
      : // RFC 4724 §3: of several instances the last one counts.
        capabilities.findLast((one) => one.kind === "gracefulRestart");
  const longLived = capabilities.findLast((one) => one.kind === "longLivedGracefulRestart");
  const isExtended = config.extendedMessages === true && says("extendedMessage");
  const within = (list: typeof addPath): IpFamily[] =>
    families.filter((family) => list.some((one) => unicastFamily(one) === family));
  return {
    connection,
    localAddress,
    remoteId: open.bgpIdentifier,
    holdTimeMs,
    // Scaled with the hold time, so that as many keepalives fit into it as the operator meant.
    keepaliveMs:
      holdTimeMs === 0 ? 0 : Math.max(1000, Math.floor((config.timers.keepaliveMs * holdTimeMs) / ours)),
    as4: bothSay("fourOctetAs"),
    external: isExternal(config),
    families,
    addPathReceive: config.addPathReceive ? within(addPath.filter((one) => one.send)) : [],
    addPathSend: config.addPathSend ? within(addPath.filter((one) => one.receive)) : [],
    gracefulRestart: restart,
    keepsOnNotification: restart?.notification === true && config.restartOnNotification !== false,
    // RFC 9494 §4.1: without the other capability this one is ignored.
    longLived: restart === undefined ? undefined : longLived,
    routeRefresh: bothSay("routeRefresh"),
    enhancedRefresh: config.enhancedRefresh === true && says("enhancedRouteRefresh"),
    maxMessageBytes: isExtended ? maxExtendedMessageBytes : maxMessageBytes,
    extendedNextHop:
      offersExtendedNextHop(config) && families.includes(4) && capabilities.some(takesIpv4OverIpv6),
    remoteRole,
    capabilities,
  };
}

/** RFC 8950 §4: IPv4 unicast with a next hop of IPv6. */
const ipv4OverIpv6 = { ...unicast(4), nextHopAfi: Afi.ipv6 };

function offersExtendedNextHop({ extendedNextHop, families }: SessionConfig): boolean {
  return extendedNextHop === true && families.includes(4);
}

/** Whether a capability says that its sender takes IPv6 next hops of IPv4 unicast routes. */
export function takesIpv4OverIpv6(capability: Capability): boolean {
  return (
    capability.kind === "extendedNextHop" &&
    capability.families.some((one) => unicastFamily(one) === 4 && one.nextHopAfi === Afi.ipv6)
  );
}

function checkOpen(config: SessionConfig, open: Open): void {
  const asn = openAsn(open);
  // RFC 7607 §2: AS 0 is nobody's, in whichever of the two fields it stands.
  if (asn !== config.peerAsn || open.myAs === 0) {
    throw new DecodeError(`peer AS ${asn}, not ${config.peerAsn}`, blame(OpenError.badPeerAs), 0);
  }
  // RFC 6286 §2.2: only inside an AS must the identifier be unique.
  if (open.bgpIdentifier === config.routerId && config.localAsn === config.peerAsn) {
    throw new DecodeError("peer has our BGP identifier", blame(OpenError.badBgpIdentifier), 0);
  }
}

function commonFamilies(config: SessionConfig, capabilities: readonly Capability[]): readonly IpFamily[] {
  const offered = capabilities.filter((one) => one.kind === "multiprotocol");
  // RFC 4760 §8: a speaker without the capability carries IPv4 unicast.
  const theirs = offered.length === 0 ? [4] : offered.map(unicastFamily);
  const families = config.families.filter((family) => theirs.includes(family));
  if (families.length === 0) {
    // RFC 5492 §5: the data is what the peer would have had to offer.
    const wanted = new Writer();
    for (const family of config.families) {
      encodeCapability(wanted, { kind: "multiprotocol", ...unicast(family) });
    }
    const unsupported = blame(OpenError.unsupportedCapability);
    throw new DecodeError("no address family in common", unsupported, 0, wanted.finish());
  }
  return families;
}

function isExternal({ localAsn, peerAsn }: SessionConfig): boolean {
  return localAsn !== peerAsn;
}

function blame(subcode: number): Blame {
  return { code: ErrorCode.openMessage, subcode, action: "reset" };
}
