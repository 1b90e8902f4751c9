import { requireRoot, requireTool } from "../requirement.ts";
import { startGobgpd, type GobgpDaemon } from "../start-gobgpd.ts";
import { present } from "./bird-beliefs.ts";
import {
  type BgpBelief,
  type BgpNeighborSettings,
  type BgpPeer,
  type BgpPeerKind,
  type BgpRouterSettings,
  type BgpSample,
  familyOf,
} from "./bgp-peer.ts";
import { communityOf } from "./community-text.ts";
import { entries, items, member, numberAt, parseJson, textAt } from "./json-fields.ts";

/** GoBGP. */
export const gobgp: BgpPeerKind = {
  name: "GoBGP",
  skip: requireRoot() || requireTool("gobgpd", "gobgp"),
  lacks: {
    "own next hop of the other family": "over IPv4 it tells its IPv4 address in IPv6's form",
    "kernel routes": "that is zebra's, which does not run here",
    "reflection to non-clients": "it tells routers that are no clients neither originator nor cluster",
    "withdrawal by filter": "a changed export policy withdraws nothing",
    "calls from both ends": "it has one connection at a time",
    "own routes at once after a restart": "its client adds them when it has already told all it has",
    "two-octet AS": "it always sends the capability",
  },
  start: async (bed, namespace, settings) => {
    const start = async (isRestarting: boolean): Promise<GobgpDaemon> => {
      const daemon = await startGobgpd(bed, { namespace, isRestarting, config: gobgpConfig(settings) });
      await Promise.all(settings.routes.map((route) => daemon.gobgp(...addition(route))));
      return daemon;
    };
    return new GobgpPeer(settings, start, await start(false));
  },
};

class GobgpPeer implements BgpPeer {
  readonly #settings: BgpRouterSettings;
  readonly #start: (isRestarting: boolean) => Promise<GobgpDaemon>;
  /** Directions in which there is a policy. */
  readonly #refusing = new Set<"import" | "export">();
  #daemon: GobgpDaemon;

  constructor(
    settings: BgpRouterSettings,
    start: (isRestarting: boolean) => Promise<GobgpDaemon>,
    daemon: GobgpDaemon,
  ) {
    this.#settings = settings;
    this.#start = start;
    this.#daemon = daemon;
  }

  get program(): GobgpDaemon["program"] {
    return this.#daemon.program;
  }

  readonly beliefs: BgpPeer["beliefs"] = async () => {
    const tables = await Promise.all(
      ["ipv4", "ipv6"].map((family) => this.#daemon.gobgp("global", "rib", "-a", family, "-j")),
    );
    const names = new Map(this.#settings.neighbors.map(({ address, name }) => [address, name]));
    return tables.flatMap(({ stdout }) => readTable(parseJson(stdout), names));
  };

  readonly isUp: BgpPeer["isUp"] = async (neighbor) => {
    const address = this.#settings.neighbors.find(({ name }) => name === neighbor)?.address ?? "";
    const shown = parseJson((await this.#daemon.gobgp("neighbor", address, "-j")).stdout);
    return numberAt(member(shown, "state"), "session_state") === sessionEstablished;
  };

  readonly refuse: BgpPeer["refuse"] = async (refusals) => {
    const { gobgp: tell } = this.#daemon;
    for (const direction of ["import", "export"] as const) {
      const [list, rule] = [`${direction}-list`, `${direction}-rule`];
      const prefixes = refusals[direction];
      if (this.#refusing.delete(direction)) {
        await tell("global", "policy", direction, "set", "default", "accept");
        await tell("policy", "del", direction);
        await tell("policy", "statement", "del", rule);
        await tell("policy", "prefix", "del", list);
      }
      if (prefixes.length === 0) continue;
      for (const prefix of prefixes) await tell("policy", "prefix", "add", list, prefix);
      await tell("policy", "statement", "add", rule);
      await tell("policy", "statement", rule, "add", "condition", "prefix", list);
      await tell("policy", "statement", rule, "add", "action", "reject");
      await tell("policy", "add", direction, rule);
      await tell("global", "policy", direction, "add", direction, "default", "accept");
      this.#refusing.add(direction);
    }
    await tell("neighbor", "all", "softreset");
  };

  readonly kill: BgpPeer["kill"] = async () => {
    this.#daemon.program.signal("SIGKILL");
    await this.#daemon.program.exited;
  };

  readonly revive: BgpPeer["revive"] = async () => {
    this.#daemon = await this.#start(true);
  };
}

/** As gobgpd numbers the states of a session. */
const sessionEstablished = 6;

function readTable(table: unknown, names: ReadonlyMap<string, string>): readonly BgpBelief[] {
  return entries(table).flatMap(([prefix, list]) =>
    items(list).flatMap((path) => {
      const from = names.get(textAt(path, "neighbor-ip") ?? "");
      return from === undefined ? [] : [belief(prefix, from, path)];
    }),
  );
}

/** Codes of path attributes, as GoBGP gives each of them. */
const Code = {
  origin: 1,
  asPath: 2,
  nextHop: 3,
  med: 4,
  localPref: 5,
  aggregator: 7,
  communities: 8,
  originatorId: 9,
  clusterList: 10,
  mpReach: 14,
  extendedCommunities: 16,
  largeCommunities: 32,
} as const;

function belief(prefix: string, from: string, path: unknown): BgpBelief {
  const attributes = items(member(path, "attrs"));
  const find = (code: number): unknown => attributes.find((one) => numberAt(one, "type") === code);
  const list = (code: number, key: string): readonly unknown[] => items(member(find(code), key));
  const origin = numberAt(find(Code.origin), "value");
  const aggregator = find(Code.aggregator);
  return {
    prefix,
    from,
    best: member(path, "best") === true,
    nextHop: textAt(find(Code.nextHop), "nexthop") ?? textAt(find(Code.mpReach), "nexthop") ?? "",
    origin: origin === 0 ? "IGP" : origin === 1 ? "EGP" : "incomplete",
    asPath: list(Code.asPath, "as_paths").map(segmentText).join(" "),
    ...present({
      localPref: numberAt(find(Code.localPref), "value"),
      med: numberAt(find(Code.med), "metric"),
      communities: list(Code.communities, "communities")
        .map((one) => communityOf(Number(one)))
        .toSorted(),
      extendedCommunities: list(Code.extendedCommunities, "value").map(extendedText).toSorted(),
      largeCommunities: list(Code.largeCommunities, "value")
        .map((one) => ["ASN", "LocalData1", "LocalData2"].map((key) => numberAt(one, key)).join(":"))
        .toSorted(),
      originatorId: textAt(find(Code.originatorId), "value"),
      clusterList: list(Code.clusterList, "value").map(String),
      aggregator:
        aggregator === undefined
          ? undefined
          : `${textAt(aggregator, "address")} AS${numberAt(aggregator, "as")}`,
      unknown: attributes.flatMap(unknownText),
    }),
  };
}

/** RFC 4271 §4.3: segment type 1 is a set. */
function segmentText(segment: unknown): string {
  const asns = items(member(segment, "asns")).join(" ");
  return numberAt(segment, "segment_type") === 1 ? `{${asns}}` : asns;
}

function extendedText(community: unknown): string {
  const kind =
    numberAt(community, "subtype") === 2 ? "rt" : numberAt(community, "subtype") === 3 ? "ro" : "?";
  return `${kind}:${textAt(community, "value")}`;
}

function unknownText(attribute: unknown): readonly string[] {
  const code = numberAt(attribute, "type") ?? 0;
  const known: readonly number[] = Object.values(Code);
  const value = textAt(attribute, "value");
  if (known.includes(code) || value === undefined) return [];
  return [`${code}:${Buffer.from(value, "base64").toString("hex")}`];
}

function gobgpConfig({ asn, routerId, neighbors }: BgpRouterSettings): string {
  return [
    "[global.config]",
    `as = ${asn}`,
    `router-id = "${routerId}"`,
    ...neighbors.flatMap((neighbor) => session(neighbor)),
    "",
  ].join("\n");
}

function session(neighbor: BgpNeighborSettings): readonly string[] {
  const { password, ttlSecurityHops, holdTimeS, addPaths } = neighbor;
  return [
    "[[neighbors]]",
    "[neighbors.config]",
    `neighbor-address = "${neighbor.address}"`,
    `peer-as = ${neighbor.asn}`,
    ...(password === undefined ? [] : [`auth-password = "${password}"`]),
    "[neighbors.timers.config]",
    "connect-retry = 1",
    "idle-hold-time-after-reset = 1",
    ...(holdTimeS === undefined ? [] : [`hold-time = ${holdTimeS}`]),
    "[neighbors.transport.config]",
    `local-address = "${neighbor.local}"`,
    `passive-mode = ${neighbor.isPassive === true}`,
    ...(ttlSecurityHops === undefined
      ? []
      : ["[neighbors.ttl-security.config]", "enabled = true", `ttl-min = ${256 - ttlSecurityHops}`]),
    ...(neighbor.reflectorClient === true
      ? ["[neighbors.route-reflector.config]", "route-reflector-client = true"]
      : []),
    ...(neighbor.gracefulRestart === true
      ? ["[neighbors.graceful-restart.config]", "enabled = true", "restart-time = 120"]
      : []),
    ...neighbor.families.flatMap((family) => [
      "[[neighbors.afi-safis]]",
      "[neighbors.afi-safis.config]",
      `afi-safi-name = "ipv${family}-unicast"`,
      ...(neighbor.gracefulRestart === true
        ? ["[neighbors.afi-safis.mp-graceful-restart.config]", "enabled = true"]
        : []),
      ...(addPaths === undefined
        ? []
        : [
            "[neighbors.afi-safis.add-paths.config]",
            `receive = ${addPaths !== "send"}`,
            `send-max = ${addPaths === "receive" ? 0 : 8}`,
          ]),
    ]),
  ];
}

function addition(route: BgpSample): readonly string[] {
  const list = (word: string, values: readonly string[] = []): readonly string[] =>
    values.length === 0 ? [] : [word, values.join(",")];
  const { asPath = [], localPref, med } = route;
  return [
    "global",
    "rib",
    "add",
    "-a",
    `ipv${familyOf(route.prefix)}`,
    route.prefix,
    "origin",
    (route.origin ?? "IGP").toLowerCase(),
    ...(asPath.length === 0 ? [] : ["aspath", asPath.join(",")]),
    ...(localPref === undefined ? [] : ["local-pref", String(localPref)]),
    ...(med === undefined ? [] : ["med", String(med)]),
    ...list("community", route.communities),
    ...(route.extendedCommunities ?? []).flatMap((one) => ["rt", one.replace(/^rt:/, "")]),
    ...list("large-community", route.largeCommunities),
  ];
}
