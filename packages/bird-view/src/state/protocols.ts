import type { PeerSnapshot, SessionSnapshot, TimerSnapshot } from "@caracal/bgp";
import type {
  BirdBgpSession,
  BirdBgpState,
  BirdChangeCounts,
  BirdEstablishedSession,
  BirdProtocol,
  BirdRoute,
  BirdRouteCounts,
  BirdTimer,
} from "../bird-snapshot.ts";
import { LocalProtocol, Preference } from "./local-routes.ts";
import { orderTable } from "./table-order.ts";

/** Routes of each protocol in the table: all, and those that are the best of their network. */
export interface TableCounts {
  readonly imported: ReadonlyMap<string, number>;
  readonly preferred: ReadonlyMap<string, number>;
}

/** What the configuration calls its parts. */
export interface BirdTerms {
  /** Of a neighbour. */
  readonly description?: string;
  readonly importFilter: string;
  readonly exportFilter: string;
  readonly kernelFilter: string;
  /** Said of every session, however near the peer: Calico's template does so. */
  readonly isMultihop: boolean;
}

/** The words of the configuration that Calico's template makes. */
export const calicoTerms: BirdTerms = {
  description: "Connection to BGP peer",
  importFilter: "ACCEPT",
  exportFilter: "calico_export_to_bgp_peers",
  kernelFilter: "calico_kernel_programming",
  isMultihop: true,
};

export function countTable(table: readonly BirdRoute[]): TableCounts {
  const imported = new Map<string, number>();
  const preferred = new Map<string, number>();
  for (const { protocol, isBest } of table) {
    imported.set(protocol, (imported.get(protocol) ?? 0) + 1);
    if (isBest) preferred.set(protocol, (preferred.get(protocol) ?? 0) + 1);
  }
  return { imported, preferred };
}

/** The same where the table is too large to be looked through: of peers, what the speaker counts. */
export function countPeers(local: readonly BirdRoute[], peers: readonly PeerSnapshot[]): TableCounts {
  const { imported, preferred } = countTable(orderTable(local));
  return {
    imported: new Map([...imported, ...peers.map((one) => [one.name, one.importedCount] as const)]),
    preferred: new Map([...preferred, ...peers.map((one) => [one.name, one.preferredCount] as const)]),
  };
}

/** The protocols that a configuration names before the peers. `programmedCount` routes are in the kernel. */
export function localProtocols(
  counts: TableCounts,
  programmedCount: number,
  sinceMs: number,
  terms: BirdTerms,
): readonly BirdProtocol[] {
  const protocol = (
    name: string,
    kind: BirdProtocol["kind"],
    preference: number,
    exported?: { readonly filter: string; readonly count: number },
  ): BirdProtocol => {
    const routes = routeCounts(counts, name, exported?.count ?? 0);
    return {
      name,
      kind,
      state: "up",
      sinceMs,
      preference,
      inputFilter: "ACCEPT",
      outputFilter: exported?.filter ?? "REJECT",
      routes,
      changes: localChanges(routes),
    };
  };
  const statics = protocol(LocalProtocol.static, "Static", Preference.static);
  const programmed = { filter: terms.kernelFilter, count: programmedCount };
  return [
    // The configuration has no static protocol while there is nothing to put into it.
    ...(statics.routes.imported === 0 ? [] : [statics]),
    protocol(LocalProtocol.kernel, "Kernel", Preference.kernel, programmed),
    protocol(LocalProtocol.device, "Device", Preference.direct),
    protocol(LocalProtocol.direct, "Direct", Preference.direct),
  ];
}

function routeCounts({ imported, preferred }: TableCounts, name: string, exported: number): BirdRouteCounts {
  return { imported: imported.get(name) ?? 0, exported, preferred: preferred.get(name) ?? 0 };
}

/** There is no history of local routes: each counts as having come once. */
function localChanges({ imported, exported }: BirdRouteCounts): BirdChangeCounts {
  return {
    importUpdates: { received: imported, rejected: 0, filtered: 0, ignored: 0, accepted: imported },
    importWithdraws: { received: 0, rejected: 0, ignored: 0, accepted: 0 },
    exportUpdates: { received: exported, rejected: 0, filtered: 0, accepted: exported },
    exportWithdraws: { received: 0, accepted: 0 },
  };
}

/** A peer as a protocol. `startedAtMs` is the zero of the speaker's clock. */
export function bgpProtocol(
  peer: PeerSnapshot,
  counts: TableCounts,
  startedAtMs: number,
  terms: BirdTerms,
): BirdProtocol {
  return {
    name: peer.name,
    kind: "BGP",
    state: peer.protocolState,
    sinceMs: startedAtMs + peer.since,
    ...(terms.description === undefined ? {} : { description: terms.description }),
    preference: Preference.bgp,
    inputFilter: terms.importFilter,
    outputFilter: terms.exportFilter,
    routes: routeCounts(counts, peer.name, peer.exportedCount),
    changes: bgpChanges(peer),
    bgp: bgpSession(peer, terms),
  };
}

function bgpChanges({ imports, exports }: PeerSnapshot): BirdChangeCounts {
  return {
    importUpdates: {
      received: imports.updatesReceived,
      rejected: imports.updatesRejected,
      filtered: imports.updatesFiltered,
      ignored: imports.updatesIgnored,
      accepted: imports.updatesAccepted,
    },
    importWithdraws: {
      received: imports.withdrawsReceived,
      rejected: 0,
      ignored: imports.withdrawsIgnored,
      accepted: imports.withdrawsAccepted,
    },
    exportUpdates: {
      received: exports.updatesReceived,
      rejected: exports.updatesRejected,
      filtered: exports.updatesFiltered,
      accepted: exports.updatesAccepted,
    },
    exportWithdraws: { received: exports.withdrawsReceived, accepted: exports.withdrawsAccepted },
  };
}

function bgpSession(peer: PeerSnapshot, terms: BirdTerms): BirdBgpSession {
  const { session, staleCount, lastError, protocolState } = peer;
  return {
    state: bgpState(peer),
    neighborAddress: peer.address,
    neighborAsn: peer.asn,
    ...(lastError === "" ? {} : { lastError }),
    ...(staleCount === 0 ? {} : { isNeighborRestarting: true }),
    ...(protocolState !== "up" || session === undefined
      ? {}
      : { established: establishedSession(peer, session, terms) }),
  };
}

/** The two name states alike; but who only waits for the other end is Active in RFC 4271 §8 and Passive in BIRD. */
function bgpState({ state, passive }: PeerSnapshot): BirdBgpState {
  return state === "Active" && passive ? "Passive" : state;
}

function establishedSession(
  peer: PeerSnapshot,
  session: SessionSnapshot,
  terms: BirdTerms,
): BirdEstablishedSession {
  const words: readonly (readonly [string, boolean])[] = [
    [peer.external ? "external" : "internal", true],
    ["multihop", terms.isMultihop],
    ["route-reflector", peer.reflectorClient],
    ["AS4", session.as4],
    ["add-path-rx", session.addPathReceive],
    ["add-path-tx", session.addPathSend],
  ];
  return {
    neighborId: session.neighborId,
    neighborCapabilities: session.neighborCapabilities,
    session: words.filter(([, isOn]) => isOn).map(([word]) => word),
    sourceAddress: session.sourceAddress,
    holdTimer: timer(session.hold),
    keepaliveTimer: timer(session.keepalive),
  };
}

/** A timer that the ends agreed to do without shows as 0/0. */
function timer(snapshot: TimerSnapshot | undefined): BirdTimer {
  if (snapshot === undefined) return { leftSeconds: 0, totalSeconds: 0 };
  return { leftSeconds: snapshot.leftMs / 1000, totalSeconds: Math.trunc(snapshot.ofMs / 1000) };
}
