import { IpAddress, Ipv4 } from "@caracal/net";
import { BirdCode, type BirdLine, lastLine, moreLine } from "./bird-reply.ts";
import type {
  BirdBgpSession,
  BirdChangeCounts,
  BirdEstablishedSession,
  BirdProtocol,
  BirdSnapshot,
  BirdTimer,
} from "./bird-snapshot.ts";
import { formatSince } from "./bird-time.ts";

/** `show protocols [all] [NAME | "PATTERN"]`: a row per protocol, with `all` its details below it. */
export function* showProtocols(
  snapshot: BirdSnapshot,
  options: { readonly isVerbose: boolean; readonly select?: (name: string) => boolean },
): Generator<BirdLine> {
  const { isVerbose, select = () => true } = options;
  const shown = snapshot.protocols.filter((protocol) => select(protocol.name));
  if (shown.length === 0) {
    yield lastLine(BirdCode.protocolNotFound, "No protocols match");
    return;
  }
  yield moreLine(BirdCode.protocolHeader, "name     proto    table    state  since       info");
  for (const protocol of shown) {
    yield moreLine(BirdCode.protocol, row(protocol, snapshot.nowMs));
    if (!isVerbose) continue;
    for (const text of details(protocol)) yield moreLine(BirdCode.protocolDetails, text);
    yield moreLine(BirdCode.protocolDetails, "");
  }
  yield lastLine(BirdCode.ok);
}

function row(protocol: BirdProtocol, nowMs: number): string {
  const { name, kind, state, bgp } = protocol;
  const since = formatSince(protocol.sinceMs, nowMs);
  const info = bgp === undefined ? "" : bgpInfo(protocol, bgp);
  return `${name.padEnd(8)} ${kind.padEnd(8)} ${"master".padEnd(8)} ${state.padEnd(5)}  ${since.padEnd(10)}  ${info}`;
}

function bgpInfo(protocol: BirdProtocol, bgp: BirdBgpSession): string {
  const error = bgp.lastError ?? "";
  return protocol.state === "down" ? error : `${bgp.state.padEnd(14)}${error}`;
}

function* details(protocol: BirdProtocol): Generator<string> {
  if (protocol.description !== undefined) yield field("Description", protocol.description);
  yield field("Preference", String(protocol.preference));
  yield field("Input filter", protocol.inputFilter);
  yield field("Output filter", protocol.outputFilter);
  if (protocol.state !== "down") {
    const { imported, exported, preferred } = protocol.routes;
    yield field("Routes", `${imported} imported, ${exported} exported, ${preferred} preferred`);
    yield* changeTable(protocol.changes);
  }
  if (protocol.bgp !== undefined) yield* bgpDetails(protocol, protocol.bgp);
}

function field(title: string, value: string): string {
  return `  ${`${title}:`.padEnd(16)}${value}`;
}

function* changeTable(changes: BirdChangeCounts): Generator<string> {
  const { importUpdates, importWithdraws, exportUpdates, exportWithdraws } = changes;
  yield "  Route change stats:     received   rejected   filtered    ignored   accepted";
  yield changeRow("Import updates", { ...importUpdates });
  yield changeRow("Import withdraws", { ...importWithdraws });
  yield changeRow("Export updates", { ...exportUpdates });
  yield changeRow("Export withdraws", { ...exportWithdraws });
}

function changeRow(title: string, counts: Readonly<Record<string, number>>): string {
  const cells = ["received", "rejected", "filtered", "ignored", "accepted"].map((column) =>
    String(counts[column] ?? "---").padStart(10),
  );
  return `    ${`${title}:`.padEnd(20)}${cells.join(" ")}`;
}

function* bgpDetails(protocol: BirdProtocol, bgp: BirdBgpSession): Generator<string> {
  const zone = bgp.neighborInterface === undefined ? "" : `%${bgp.neighborInterface}`;
  yield `  BGP state:          ${protocol.state === "down" ? "Down" : bgp.state}`;
  yield bgpField("Neighbor address", `${IpAddress.format(bgp.neighborAddress)}${zone}`);
  yield bgpField("Neighbor AS", String(bgp.neighborAsn));
  if (bgp.isNeighborRestarting === true) yield "    Neighbor graceful restart active";
  if (protocol.state === "start") {
    if (bgp.errorWait !== undefined) yield bgpField("Error wait", timer(bgp.errorWait));
    if (bgp.connectDelay !== undefined) yield bgpField("Connect delay", timer(bgp.connectDelay));
  }
  if (protocol.state === "up" && bgp.established !== undefined) yield* establishedDetails(bgp.established);
  if (bgp.lastError !== undefined) yield bgpField("Last error", bgp.lastError);
}

function* establishedDetails(session: BirdEstablishedSession): Generator<string> {
  yield bgpField("Neighbor ID", Ipv4.format(session.neighborId));
  yield bgpField("Neighbor caps", session.neighborCapabilities.join(" "));
  yield bgpField("Session", session.session.join(" "));
  yield bgpField("Source address", IpAddress.format(session.sourceAddress));
  yield bgpField("Hold timer", timer(session.holdTimer));
  yield bgpField("Keepalive timer", timer(session.keepaliveTimer));
}

function bgpField(title: string, value: string): string {
  return `    ${`${title}:`.padEnd(18)}${value}`;
}

function timer({ leftSeconds, totalSeconds }: BirdTimer): string {
  return `${Math.round(leftSeconds)}/${totalSeconds}`;
}
