import { filter } from "./filter-file.ts";
import { gracefulRestart, maxPrefixes } from "./lifetime-keys.ts";
import { checkListen, checkNeighbors, checkStations, checkStatics } from "./list-rules.ts";
import {
  checked,
  type FieldsRead,
  list,
  mapping,
  namedBy,
  oneOf,
  optional,
  placed,
  required,
  scalar,
  type Shape,
  withDefault,
} from "./shape.ts";
import * as value from "./value-shapes.ts";

/** The keys of the file. Everything about them is declared here once: what is read, its type, and what a message expects. */

/** RFC 4271 §3. */
export const bgpPort = 179;

const listenFields = {
  /** Absent: every address of the machine. */
  address: optional(value.address),
  port: withDefault(value.port, bgpPort),
};

/** Several paths of one prefix (RFC 7911): how many are told, and whether several are taken. */
interface AddPaths {
  readonly send: "none" | "all" | number;
  readonly receive: boolean;
}

const addPathsFields = {
  send: withDefault(
    scalar<AddPaths["send"]>("none, best, all or a number of paths from 1 to 255", (text) => {
      if (text === "none" || text === "all") return text;
      return text === "best" ? 1 : value.wholeNumber(text, 1, 255);
    }),
    "none",
  ),
  receive: withDefault(value.flag, false),
};

/** `{send, receive}`, or one word, true for both: with it all paths are told. */
const addPaths: Shape<AddPaths> = (() => {
  const settings = mapping(addPathsFields);
  const words = oneOf("none", "send", "receive", "both", "true", "false");
  return {
    read: (at) => {
      if (at.kind === "mapping") return settings.read(at);
      const word = words.read(at);
      if (word === undefined) return undefined;
      const isBoth = word === "both" || word === "true";
      const isSent = isBoth || word === "send";
      return { send: isSent ? "all" : "none", receive: isBoth || word === "receive" };
    },
  };
})();

const neighborFields = {
  /** Absent: the address or prefix as it is written. */
  name: optional(value.text),
  address: optional(value.host),
  /** Whoever connects from there is a neighbour. */
  prefix: optional(value.prefix),
  /** At once, from the prefix. */
  maxNeighbors: optional(value.whole("a number of neighbors", 1, 65_535)),
  /** Where to connect to. */
  port: withDefault(value.port, bgpPort),
  asn: required(value.asNumber),
  passive: withDefault(value.flag, false),
  /** No session; a text is told to the neighbor's operator. */
  shutdown: withDefault(value.shutdown, false),
  localAsn: optional(value.asNumber),
  /** How our own AS shows beside `localAsn`. */
  localAsnMode: optional(oneOf("replace-as", "no-prepend", "prepend")),
  /** How often our AS may stand in a path from there. */
  allowOwnAs: withDefault(value.whole("a number", 0, 10), 0),
  removePrivateAs: withDefault(oneOf("none", "all", "leading", "all-replace", "leading-replace"), "none"),
  /** Drains the session (RFC 8326). */
  gracefulShutdown: withDefault(value.flag, false),
  /** The neighbor may have traffic discarded (RFC 7999). */
  blackhole: withDefault(value.flag, false),
  /** What we are to the neighbor (RFC 9234). */
  role: optional(oneOf("provider", "rs", "rs-client", "customer", "peer")),
  strictRole: withDefault(value.flag, false),
  password: optional(value.password),
  ttlSecurity: optional(value.hopCount),
  holdTimeMs: withDefault(value.holdTime, 90_000),
  /** Absent: eight minutes, or twice the hold time if that is more. */
  sendHoldTimeMs: optional(value.sendHoldTime),
  routeReflectorClient: withDefault(value.flag, false),
  clusterId: optional(value.identifier),
  nextHop: withDefault(oneOf("default", "self", "keep"), "default"),
  addPaths: withDefault(addPaths, { send: "none", receive: false }),
  /** The least time between two rounds of changes that it is told (RFC 4271 §9.2.1.1). */
  advertisementIntervalMs: withDefault(value.whole("milliseconds", 0, 600_000), 0),
  extendedMessages: withDefault(value.flag, true),
  enhancedRefresh: withDefault(value.flag, true),
  /** IPv4 routes with IPv6 next hops (RFC 8950). */
  extendedNextHop: withDefault(value.flag, false),
  gracefulRestart: withDefault(gracefulRestart, true),
  /** Absent: the family of the address. */
  families: optional(value.families),
  import: optional(value.text),
  export: optional(value.text),
  maxPrefixes: optional(maxPrefixes),
};

const staticFields = {
  prefix: required(value.prefix),
  nextHop: optional(value.address),
  blackhole: withDefault(value.flag, false),
  /** `false`: told to neighbours only, for what the kernel has already, such as the subnet of an interface. */
  programmed: withDefault(value.flag, true),
  communities: optional(list(value.community)),
};

const kernelFields = {
  table: withDefault(value.routeTable, 254),
  protocol: withDefault(value.routeProtocol, 12),
};

const bestPathFields = {
  /** MED compares routes of different neighboring ASes as well. */
  alwaysCompareMed: withDefault(value.flag, false),
  missingMedWorst: withDefault(value.flag, false),
};

const multipathFields = {
  /** Absent: as many as are equal. */
  ebgp: optional(value.whole("a number of routes", 1, 1024)),
  ibgp: optional(value.whole("a number of routes", 1, 1024)),
  /** Whether the AS paths must be the same, or just as long. */
  asPath: withDefault(oneOf("any", "same"), "any"),
};

const bmpFields = {
  address: required(value.address),
  port: required(value.port),
  /** Where we call from. */
  sourceAddress: optional(value.address),
};

export type ListenFile = FieldsRead<typeof listenFields>;
export type NeighborFile = FieldsRead<typeof neighborFields>;
export type StationFile = FieldsRead<typeof bmpFields>;
export type StaticFile = FieldsRead<typeof staticFields>;
export type KernelFile = FieldsRead<typeof kernelFields>;

/** `{table, protocol}`, or `false`: the kernel is left alone. */
const kernel: Shape<KernelFile | false> = (() => {
  const settings = mapping(kernelFields);
  const off = scalar("false or a mapping", (text) => (text === "false" ? ("off" as const) : undefined));
  return {
    read: (at) => {
      if (at.kind === "mapping") return settings.read(at);
      return off.read(at) === undefined ? undefined : false;
    },
  };
})();

const speakerFields = {
  routerId: required(value.identifier),
  asn: required(value.asNumber),
  /** Absent: every address of the machine, at BGP's port. */
  listen: optional(checked(list(placed(mapping(listenFields))), checkListen)),
  control: optional(value.text),
  neighbors: withDefault(checked(list(placed(mapping(neighborFields))), checkNeighbors), []),
  static: withDefault(checked(list(placed(mapping(staticFields))), checkStatics), []),
  kernel: withDefault(kernel, false),
  /** Stations that are told what neighbors say (RFC 7854). */
  bmp: withDefault(checked(list(placed(mapping(bmpFields))), checkStations), []),
  bestPath: optional(mapping(bestPathFields)),
  multipath: optional(mapping(multipathFields)),
  /** Without a filter nothing comes from, or goes to, another AS (RFC 8212). */
  requirePolicy: withDefault(value.flag, false),
  /** Routes with a set in their path are not used (RFC 6472). */
  refuseAsSets: withDefault(value.flag, false),
  filters: optional(namedBy(/^[A-Za-z_][\w.-]*$/, "a word such as from_peers", filter)),
};

export type SpeakerFile = FieldsRead<typeof speakerFields>;
export const speakerFile: Shape<SpeakerFile> = mapping(speakerFields);
