import type { DecisionOptions, Filter, LocalRoute, PeerInput, PeerRangeInput } from "@caracal/bgp";
import type { BmpStationAddress, PeerTransport } from "@caracal/bgp-tcp";
import type { IpAddress, Ipv4, Prefix } from "@caracal/net";
import { checkPeerTypes } from "./list-rules.ts";
import {
  mapBestPath,
  mapNeighbors,
  mapRanges,
  mapStations,
  mapStatics,
  mapTransports,
} from "./core-mapping.ts";
import { Located, type Problem } from "./located.ts";
import { nearestWord } from "./nearest-word.ts";
import { bgpPort, type SpeakerFile, speakerFile } from "./speaker-file.ts";

/** A whole configuration, in the words of the packages that carry it out. */
export interface SpeakerConfiguration {
  readonly routerId: Ipv4;
  readonly asn: number;
  readonly listen: readonly { readonly address?: IpAddress; readonly port: number }[];
  /** Path of the control socket. */
  readonly control: string | undefined;
  readonly peers: readonly PeerInput[];
  /** Neighbours that are known by a prefix only. */
  readonly ranges: readonly PeerRangeInput[];
  /** How the connections of those that ask for it are protected, by name of neighbour or range. */
  readonly transports: ReadonlyMap<string, PeerTransport>;
  /** By name; the peers' policies come of them. */
  readonly filters: ReadonlyMap<string, Filter>;
  readonly bestPath: DecisionOptions;
  /** Whom to tell by BMP. */
  readonly stations: readonly BmpStationAddress[];
  readonly origins: readonly LocalRoute[];
  /** The origins as the kernel should have them; without a next hop, a blackhole. */
  readonly statics: readonly StaticRoute[];
  /** Absent: the kernel is left alone. */
  readonly kernel: { readonly table: number; readonly protocol: number } | undefined;
}

export interface StaticRoute {
  readonly prefix: Prefix;
  readonly nextHop: IpAddress | undefined;
}

export type ConfigurationOutcome =
  | { readonly kind: "ok"; readonly configuration: SpeakerConfiguration }
  /** All that is wrong, in the file's order. */
  | { readonly kind: "problems"; readonly problems: readonly Problem[] };

/** Reads a configuration file's text. */
export function readConfiguration(text: string): ConfigurationOutcome {
  const root = Located.parse(text);
  // What could not be understood as YAML says nothing about keys.
  if (root.problems.length > 0) return { kind: "problems", problems: root.problems };
  const file = speakerFile.read(root);
  checkFilterNames(root);
  checkInterfaces(root);
  if (file !== undefined) checkPeerTypes(file.neighbors, file.asn);
  if (file === undefined || root.problems.length > 0) {
    return { kind: "problems", problems: root.problems.toSorted((a, b) => a.line - b.line) };
  }
  return { kind: "ok", configuration: configurationOf(file) };
}

/** `bgp.yaml:12: neighbors[2].asn: expected …`. */
export function formatProblem(file: string, { line, path, message }: Problem): string {
  return `${file}:${line}: ${path}${path === "" ? "" : ": "}${message}`;
}

function configurationOf(file: SpeakerFile): SpeakerConfiguration {
  const listen = file.listen?.map(({ value }) => value) ?? [{ port: bgpPort }];
  const statics = file.static.map(({ value }) => value);
  const neighbors = file.neighbors.map(({ value }) => value);
  return {
    routerId: file.routerId,
    asn: file.asn,
    listen,
    control: file.control,
    peers: mapNeighbors(neighbors, { ...file, listen }),
    ranges: mapRanges(neighbors, { ...file, listen }),
    transports: mapTransports(neighbors),
    filters: file.filters ?? new Map(),
    bestPath: mapBestPath(file),
    stations: mapStations(file.bmp.map(({ value }) => value)),
    origins: mapStatics(statics),
    statics: statics
      .filter(({ programmed }) => programmed)
      .map(({ prefix, nextHop }) => ({ prefix, nextHop })),
    kernel: file.kernel === false ? undefined : file.kernel,
  };
}

/** Which link leads to a next hop is the kernel's to say. */
function checkInterfaces(root: Located): void {
  if (root.member("kernel").kind === "mapping") return;
  const filters = root.member("filters");
  for (const rule of filters.keys.flatMap((name) => filters.member(name).member("rules").items)) {
    const match = rule.member("match");
    if (match.keys.includes("interfaces")) {
      match.member("interfaces").problem("needs kernel: {…}, as links are looked up in the kernel's tables");
    }
  }
}

/** A neighbour's filters must be among those that the file has. */
function checkFilterNames(root: Located): void {
  const names = root.member("filters").keys;
  for (const neighbor of root.member("neighbors").items) {
    for (const key of ["import", "export"]) {
      const at = neighbor.member(key);
      const name = at.text;
      if (name === undefined || names.includes(name)) continue;
      const nearest = nearestWord(name, names);
      at.problem(
        `there is no filter "${name}"${nearest === undefined ? " under filters" : `; did you mean ${nearest}?`}`,
      );
    }
  }
}
