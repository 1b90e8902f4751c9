import assert from "node:assert/strict";
import { IpAddress, Prefix } from "@caracal/net";
import { type PathAttributes, type PeerSnapshot, type RouteSnapshot } from "../src/index.ts";
import { noExports } from "../src/export/group-member.ts";

/** For tests of what is made from snapshots: snapshots as a speaker would give them, written by hand. */
export function peerSnapshot(
  peer: Pick<PeerSnapshot, "name" | "address" | "asn"> & Partial<PeerSnapshot>,
): PeerSnapshot {
  return {
    port: 179,
    localAsn: 64512,
    external: peer.asn !== 64512,
    passive: false,
    reflectorClient: false,
    protocolState: "start",
    state: "Active",
    since: 0,
    lastError: "",
    session: undefined,
    importedCount: 0,
    exportedCount: 0,
    preferredCount: 0,
    staleCount: 0,
    imports: {
      updatesReceived: 0,
      updatesRejected: 0,
      updatesFiltered: 0,
      updatesIgnored: 0,
      updatesAccepted: 0,
      withdrawsReceived: 0,
      withdrawsIgnored: 0,
      withdrawsAccepted: 0,
    },
    exports: noExports(),
    ...peer,
  };
}

/** A session of which only the peer's identifier matters. */
export function sessionOf(neighborId: string): NonNullable<PeerSnapshot["session"]> {
  const address = addressOf(neighborId);
  assert.ok(IpAddress.isIpv4(address));
  return {
    neighborId: address,
    sourceAddress: address,
    neighborCapabilities: [],
    families: [4],
    as4: true,
    addPathReceive: false,
    addPathSend: false,
    maxMessageBytes: 4096,
    hold: undefined,
    keepalive: undefined,
  };
}

/** A route from a peer, or without one of the speaker itself. */
export function routeSnapshot(
  prefix: string,
  peer: PeerSnapshot | undefined,
  attributes: Partial<PathAttributes>,
  more: Partial<RouteSnapshot> = {},
): RouteSnapshot {
  return {
    prefix: prefixOf(prefix),
    source:
      peer === undefined ? { kind: "local" } : { kind: "peer", name: peer.name, external: peer.external },
    from: peer?.address,
    pathId: 0,
    attributes: { origin: 0, asPath: [], ...attributes },
    best: false,
    state: "valid",
    stale: false,
    igpMetric: undefined,
    sinceS: 0,
    ...more,
  };
}

export function addressOf(text: string): IpAddress {
  const address = IpAddress.parse(text);
  assert.ok(address !== undefined);
  return address;
}

function prefixOf(text: string): Prefix {
  const prefix = Prefix.parse(text);
  assert.ok(prefix !== undefined);
  return prefix;
}
