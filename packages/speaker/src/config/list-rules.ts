import { IpAddress, Prefix } from "@caracal/net";
import type { Located } from "./located.ts";
import type { Placed } from "./shape.ts";
import type { ListenFile, NeighborFile, StationFile, StaticFile } from "./speaker-file.ts";

/** Rules that look at several elements of a list, or at several keys of one element. */

/** Two sockets cannot have one address. */
export function checkListen(list: readonly Placed<ListenFile>[]): void {
  const seen = new Map<string, Located>();
  for (const { value, at } of list) {
    const { address, port } = value;
    const shown = address === undefined ? "every address" : IpAddress.format(address);
    unique(seen, `${shown} port ${port}`, at);
  }
}

export function checkNeighbors(list: readonly Placed<NeighborFile>[]): void {
  const names = new Map<string, Located>();
  const addresses = new Map<string, Located>();
  const prefixes = new Map<string, Located>();
  for (const { value, at } of list) {
    const { address, prefix, name } = value;
    if ((address === undefined) === (prefix === undefined)) {
      at.problem(`expected address or prefix, found ${address === undefined ? "neither" : "both"}`);
      continue;
    }
    unique(names, neighborName(value), name === undefined ? at : at.member("name"));
    if (value.localAsnMode !== undefined && value.localAsn === undefined) {
      at.member("localAsnMode").problem("expected localAsn beside it");
    }
    const { holdTimeMs, sendHoldTimeMs = 0 } = value;
    if (sendHoldTimeMs !== 0 && sendHoldTimeMs <= holdTimeMs) {
      at.member("sendHoldTimeMs").problem(`expected more than the hold time of ${holdTimeMs}`);
    }
    if (value.strictRole && value.role === undefined)
      at.member("strictRole").problem("expected role beside it");
    if (address !== undefined) unique(addresses, IpAddress.format(address), at.member("address"));
    // One prefix inside another is fine: the most specific one counts.
    if (prefix !== undefined) unique(prefixes, Prefix.format(prefix), at.member("prefix"));
    checkPlaceKeys(at, prefix !== undefined);
  }
}

/** RFC 9234 §4: roles are between ASes; RFC 4456 §6: reflection is inside one. */
export function checkPeerTypes(list: readonly Placed<NeighborFile>[], speakerAsn: number): void {
  for (const { value, at } of list) {
    const { role, routeReflectorClient, asn, localAsn = speakerAsn } = value;
    const isInternal = asn === localAsn;
    if (role !== undefined && isInternal) at.member("role").problem("expected a neighbor of another AS");
    if (routeReflectorClient && !isInternal) {
      at.member("routeReflectorClient").problem(
        `expected a neighbor of our AS ${localAsn}, this one is of ${asn}`,
      );
    }
  }
}

/** Keys that say nothing about a neighbour which is known by its prefix, or by its address, alone. */
function checkPlaceKeys(at: Located, isRange: boolean): void {
  if (!isRange) {
    if (at.keys.includes("maxNeighbors"))
      at.member("maxNeighbors").problem("goes with prefix, not with address");
    return;
  }
  if (at.keys.includes("port")) at.member("port").problem("goes with address: nobody in a prefix is called");
  const passive = at.member("passive");
  if (passive.text === "false") passive.problem("goes with address: nobody in a prefix is called");
}

export function checkStatics(list: readonly Placed<StaticFile>[]): void {
  const seen = new Map<string, Located>();
  for (const { value, at } of list) {
    const { prefix, nextHop, blackhole } = value;
    unique(seen, Prefix.format(prefix), at.member("prefix"));
    if ((nextHop !== undefined) === blackhole) {
      at.problem(`expected nextHop or blackhole: true, found ${blackhole ? "both" : "neither"}`);
    }
    if (nextHop !== undefined && IpAddress.family(nextHop) !== prefix.family) {
      at.member("nextHop").problem(
        `expected an IPv${prefix.family} address as the next hop of ${Prefix.format(prefix)}`,
      );
    }
  }
}

/** One address and port is one station. */
export function checkStations(list: readonly Placed<StationFile>[]): void {
  const seen = new Map<string, Located>();
  for (const { value, at } of list) {
    const { address, port, sourceAddress } = value;
    unique(seen, `${IpAddress.format(address)} port ${port}`, at);
    if (sourceAddress !== undefined && IpAddress.family(sourceAddress) !== IpAddress.family(address)) {
      at.member("sourceAddress").problem(
        `expected an IPv${IpAddress.family(address)} address, as the station has one`,
      );
    }
  }
}

/** What a neighbour is called: as the file says, else as its address. */
export function neighborName({ name, address, prefix }: NeighborFile): string {
  if (name !== undefined) return name;
  if (address !== undefined) return IpAddress.format(address);
  return prefix === undefined ? "" : Prefix.format(prefix);
}

function unique(seen: Map<string, Located>, key: string, at: Located): void {
  const first = seen.get(key);
  if (first === undefined) seen.set(key, at);
  else at.problem(`${key} is there already, in line ${first.line}`);
}
