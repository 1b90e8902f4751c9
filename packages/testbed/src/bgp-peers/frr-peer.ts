import { requireRoot, requireTool } from "../requirement.ts";
import { frrBgpd, startFrrBgpd, type FrrBgpdDaemon } from "../start-frr-bgpd.ts";
import { present } from "./bird-beliefs.ts";
import {
  type BgpBelief,
  type BgpNeighborSettings,
  type BgpPeer,
  type BgpPeerKind,
  type BgpRefusals,
  type BgpRouterSettings,
  type BgpSample,
  familyOf,
} from "./bgp-peer.ts";
import { communityNumbers } from "./community-text.ts";
import { entries, items, member, numberAt, parseJson, textAt } from "./json-fields.ts";

/** FRR's bgpd without zebra. */
export const frr: BgpPeerKind = {
  name: "FRR",
  skip: requireRoot() || requireTool(frrBgpd, "vtysh"),
  lacks: {
    "own next hop of the other family": "only zebra tells it",
    "kernel routes": "that is zebra's, which does not run here",
    "AS4_PATH merge": "with capabilities off it still counts on the other's four octets",
    "unknown attributes": "it does not show them",
  },
  start: async (bed, namespace, settings) => {
    const start = (): Promise<FrrBgpdDaemon> => startFrrBgpd(bed, { namespace, config: frrConfig(settings) });
    return new FrrPeer(settings, start, await start());
  },
};

class FrrPeer implements BgpPeer {
  readonly #settings: BgpRouterSettings;
  readonly #start: () => Promise<FrrBgpdDaemon>;
  #daemon: FrrBgpdDaemon;

  constructor(settings: BgpRouterSettings, start: () => Promise<FrrBgpdDaemon>, daemon: FrrBgpdDaemon) {
    this.#settings = settings;
    this.#start = start;
    this.#daemon = daemon;
  }

  get program(): FrrBgpdDaemon["program"] {
    return this.#daemon.program;
  }

  readonly beliefs: BgpPeer["beliefs"] = async () => {
    const tables = await Promise.all(
      [4, 6].map((family) => this.#daemon.vtysh(`show bgp ipv${family} unicast json detail`)),
    );
    const names = new Map(this.#settings.neighbors.map(({ address, name }) => [address, name]));
    return tables.flatMap((table) => readTable(parseJson(table), names));
  };

  readonly isUp: BgpPeer["isUp"] = async (neighbor) => {
    const address = this.#settings.neighbors.find(({ name }) => name === neighbor)?.address ?? "";
    const shown = parseJson(await this.#daemon.vtysh(`show bgp neighbors ${address} json`));
    return textAt(member(shown, address), "bgpState") === "Established";
  };

  readonly refuse: BgpPeer["refuse"] = async (refusals) => {
    await this.#daemon.vtysh("configure terminal", ...prefixLists(refusals));
    await this.#daemon.vtysh("clear bgp * soft");
  };

  readonly kill: BgpPeer["kill"] = async () => {
    this.#daemon.program.signal("SIGKILL");
    await this.#daemon.program.exited;
  };

  readonly revive: BgpPeer["revive"] = async () => {
    this.#daemon = await this.#start();
  };
}

/** `show bgp … json detail`: for each prefix an array whose first element is about the prefix, the others about paths. */
function readTable(table: unknown, names: ReadonlyMap<string, string>): readonly BgpBelief[] {
  return entries(member(table, "routes")).flatMap(([prefix, list]) =>
    items(list).flatMap((path) => {
      const from = names.get(textAt(member(path, "peer"), "peerId") ?? "");
      return from === undefined ? [] : [belief(prefix, from, path)];
    }),
  );
}

function belief(prefix: string, from: string, path: unknown): BgpBelief {
  const words = (key: string): readonly string[] =>
    (textAt(member(path, key), "string") ?? "").split(" ").filter((word) => word !== "");
  const origin = textAt(path, "origin");
  const [nextHop] = items(member(path, "nexthops"));
  const aggregator = numberAt(path, "aggregatorAs");
  return {
    prefix,
    from,
    best: member(member(path, "bestpath"), "overall") === true,
    nextHop: textAt(nextHop, "ip") ?? "",
    origin: origin === "IGP" || origin === "EGP" ? origin : "incomplete",
    asPath: asPathText(textAt(member(path, "aspath"), "string") ?? ""),
    ...present({
      localPref: numberAt(path, "locPrf"),
      med: numberAt(path, "metric"),
      communities: words("community").map(communityNumbers).toSorted(),
      extendedCommunities: words("extendedCommunity")
        .map((word) => word.toLowerCase())
        .toSorted(),
      largeCommunities: words("largeCommunity").toSorted(),
      originatorId: textAt(path, "originatorId"),
      clusterList: items(member(member(path, "clusterList"), "list")).map(String),
      aggregator: aggregator === undefined ? undefined : `${textAt(path, "aggregatorId")} AS${aggregator}`,
    }),
  };
}

/** FRR writes a set as `{1,2}` and an empty path as "Local". */
function asPathText(text: string): string {
  return text === "Local" ? "" : text.replaceAll(",", " ");
}

function frrConfig(settings: BgpRouterSettings): string {
  const { routerId, asn, neighbors, routes } = settings;
  const families = ([4, 6] as const).map((family) => {
    const here = neighbors.filter((neighbor) => neighbor.families.includes(family));
    return [
      ` address-family ipv${family} unicast`,
      ...routes.flatMap(({ prefix }, index) =>
        familyOf(prefix) === family ? [`  network ${prefix} route-map sample${index}`] : [],
      ),
      ...here.flatMap((neighbor) => inFamily(neighbor, family)),
      " exit-address-family",
    ];
  });
  return [
    // What routes are seen through comes first: a later change of it would wait for a timer of seconds.
    ...prefixLists({ import: [], export: [] }),
    ...routes.flatMap(sampleMap),
    `router bgp ${asn}`,
    ` bgp router-id ${routerId}`,
    " no bgp ebgp-requires-policy",
    " no bgp network import-check",
    " no bgp default ipv4-unicast",
    ...(neighbors.some(({ gracefulRestart }) => gracefulRestart === true)
      ? [" bgp graceful-restart", " bgp graceful-restart preserve-fw-state"]
      : []),
    ...neighbors.flatMap(session),
    ...families.flat(),
    "",
  ].join("\n");
}

function session(neighbor: BgpNeighborSettings): readonly string[] {
  const { address, password, ttlSecurityHops, holdTimeS } = neighbor;
  return [
    `remote-as ${neighbor.asn}`,
    `update-source ${neighbor.local}`,
    "timers connect 1",
    "advertisement-interval 0",
    ...(neighbor.isPassive === true ? ["passive"] : []),
    ...(neighbor.extendedNextHop === true ? ["capability extended-nexthop"] : []),
    ...(password === undefined ? [] : [`password ${password}`]),
    ...(ttlSecurityHops === undefined ? [] : [`ttl-security hops ${ttlSecurityHops}`]),
    ...(holdTimeS === undefined ? [] : [`timers ${Math.floor(holdTimeS / 3)} ${holdTimeS}`]),
    ...(neighbor.twoOctetAs === true ? ["dont-capability-negotiate"] : []),
  ].map((line) => ` neighbor ${address} ${line}`);
}

function inFamily(neighbor: BgpNeighborSettings, family: 4 | 6): readonly string[] {
  const { address, addPaths } = neighbor;
  return [
    "activate",
    `prefix-list import${family} in`,
    `prefix-list export${family} out`,
    ...(neighbor.reflectorClient === true ? ["route-reflector-client"] : []),
    ...(addPaths === "send" || addPaths === "both" ? ["addpath-tx-all-paths"] : []),
    ...(neighbor.nextHopSelf === true ? ["next-hop-self"] : []),
  ].map((line) => `  neighbor ${address} ${line}`);
}

function prefixLists(refusals: BgpRefusals): readonly string[] {
  return (["import", "export"] as const).flatMap((direction) =>
    ([4, 6] as const).flatMap((family) => {
      const [word, any] = family === 4 ? ["ip", "0.0.0.0/0 le 32"] : ["ipv6", "::/0 le 128"];
      const refused = refusals[direction].filter((prefix) => familyOf(prefix) === family);
      return [
        `no ${word} prefix-list ${direction}${family}`,
        ...refused.map((prefix) => `${word} prefix-list ${direction}${family} deny ${prefix}`),
        `${word} prefix-list ${direction}${family} permit ${any}`,
      ];
    }),
  );
}

function sampleMap(route: BgpSample, index: number): readonly string[] {
  const { asPath = [], communities = [], extendedCommunities = [], largeCommunities = [] } = route;
  const targets = extendedCommunities.map((one) => one.replace(/^rt:/, ""));
  return [
    `route-map sample${index} permit 10`,
    ` set origin ${(route.origin ?? "IGP").toLowerCase()}`,
    ...(asPath.length === 0 ? [] : [` set as-path prepend ${asPath.join(" ")}`]),
    ...(route.localPref === undefined ? [] : [` set local-preference ${route.localPref}`]),
    ...(route.med === undefined ? [] : [` set metric ${route.med}`]),
    ...(communities.length === 0 ? [] : [` set community ${communities.join(" ")}`]),
    ...(targets.length === 0 ? [] : [` set extcommunity rt ${targets.join(" ")}`]),
    ...(largeCommunities.length === 0 ? [] : [` set large-community ${largeCommunities.join(" ")}`]),
  ];
}
