import {
  type BgpBelief,
  type BgpNeighborSettings,
  type BgpPeer,
  type BgpPeerKind,
  type BgpRefusals,
  type BgpRouterSettings,
  type BgpSample,
  communityNumbers,
  present,
  requireRoot,
} from "@caracal/testbed";
import type { RouteView } from "../src/show/route-view.ts";
import { SpeakerProgram } from "./speaker-program.ts";

/** The standalone speaker, in the words that all routers have. */
export const caracal: BgpPeerKind = {
  name: "Caracal",
  skip: requireRoot(),
  lacks: {},
  start: async (bed, namespace, settings) =>
    new CaracalPeer(settings, await SpeakerProgram.start(bed, namespace, config(settings, nothing))),
};

const nothing: BgpRefusals = { import: [], export: [] };

/** A speaker that a test can also ask in its own words. */
export class CaracalPeer implements BgpPeer {
  readonly speaker: SpeakerProgram;
  readonly #settings: BgpRouterSettings;
  #refusals = nothing;

  constructor(settings: BgpRouterSettings, speaker: SpeakerProgram) {
    this.#settings = settings;
    this.speaker = speaker;
  }

  get program(): SpeakerProgram["program"] {
    return this.speaker.program;
  }

  readonly beliefs: BgpPeer["beliefs"] = async () => {
    const found: BgpBelief[] = [];
    let cursor: string | undefined;
    do {
      const page = await this.speaker.ask("bgp.routes", cursor === undefined ? {} : { cursor });
      if (!isPage(page)) throw new Error("the speaker listed no routes");
      // Paths that are shown as looped or filtered are no beliefs: others do not show them at all.
      for (const route of page.routes) {
        if (route.neighbor !== undefined && route.state === "valid")
          found.push(belief(route, route.neighbor));
      }
      cursor = page.next;
    } while (cursor !== undefined);
    return found;
  };

  readonly isUp: BgpPeer["isUp"] = async (neighbor) => {
    const shown = await this.speaker.ask("bgp.neighbor", { name: neighbor });
    return typeof shown === "object" && shown !== null && Reflect.get(shown, "state") === "Established";
  };

  readonly refuse: BgpPeer["refuse"] = async (refusals) => {
    this.#refusals = refusals;
    this.speaker.write(config(this.#settings, refusals));
    const { exitCode, stderr } = await this.speaker.bgp("reload");
    if (exitCode !== 0) throw new Error(stderr);
  };

  readonly kill: BgpPeer["kill"] = async () => {
    this.program.signal("SIGKILL");
    await this.program.exited;
  };

  readonly revive: BgpPeer["revive"] = () => this.speaker.revive(config(this.#settings, this.#refusals));
}

interface Page {
  readonly routes: readonly RouteView[];
  readonly next?: string;
}

function isPage(value: unknown): value is Page {
  return typeof value === "object" && value !== null && "routes" in value && Array.isArray(value.routes);
}

function belief(route: RouteView, from: string): BgpBelief {
  const { prefix, best, nextHop = "", origin, asPath, aggregator } = route;
  return {
    prefix,
    from,
    best,
    nextHop,
    origin,
    asPath,
    ...present({
      localPref: route.localPref,
      med: route.med,
      communities: route.communities?.map(communityNumbers).toSorted(),
      extendedCommunities: route.extendedCommunities?.toSorted(),
      largeCommunities: route.largeCommunities?.toSorted(),
      originatorId: route.originatorId,
      clusterList: route.clusterList,
      aggregator: aggregator === undefined ? undefined : `${aggregator.address} AS${aggregator.asn}`,
      unknown: route.unknownAttributes?.map(({ code, value }) => `${code}:${value}`),
    }),
  };
}

/** JSON is YAML. */
function config(settings: BgpRouterSettings, refusals: BgpRefusals): string {
  const { routerId, asn, neighbors, routes, programsKernel } = settings;
  const [first] = neighbors;
  const own = first === undefined ? [] : [first.local, first.otherFamilyLocal];
  // Who has an IPv4 address to tell tells that one.
  const heardOn = first?.extendedNextHop === true ? own.slice(0, 1) : own;
  const file = {
    routerId,
    asn,
    listen: heardOn.map((address) => ({ address })),
    neighbors: neighbors.map(neighborFile),
    static: routes.map(({ prefix }) => ({ prefix, blackhole: true })),
    kernel: programsKernel === true ? { table: 254, protocol: 12 } : false,
    filters: {
      import: { rules: refusal(refusals.import), otherwise: "accept" },
      export: { rules: [...refusal(refusals.export), ...routes.map(sampleRule)], otherwise: "accept" },
    },
  };
  return Object.entries(file)
    .map(([key, value]) => `${key}: ${JSON.stringify(value)}\n`)
    .join("");
}

function neighborFile(neighbor: BgpNeighborSettings): Readonly<Record<string, unknown>> {
  const { name, address, asn, families, password, ttlSecurityHops, holdTimeS } = neighbor;
  return {
    name,
    address,
    asn,
    families: families.map((family) => `ipv${family}`),
    passive: neighbor.isPassive === true,
    routeReflectorClient: neighbor.reflectorClient === true,
    gracefulRestart: neighbor.gracefulRestart === true,
    extendedNextHop: neighbor.extendedNextHop === true,
    addPaths: neighbor.addPaths ?? "none",
    nextHop: neighbor.nextHopSelf === true ? "self" : "default",
    import: "import",
    export: "export",
    ...(password === undefined ? {} : { password }),
    ...(ttlSecurityHops === undefined ? {} : { ttlSecurity: ttlSecurityHops }),
    ...(holdTimeS === undefined ? {} : { holdTimeMs: holdTimeS * 1000 }),
  };
}

function refusal(prefixes: readonly string[]): readonly unknown[] {
  return prefixes.length === 0 ? [] : [{ match: { prefixes }, action: "reject" }];
}

/** What our own route says, said on its way out. */
function sampleRule({ prefix, asPath = [], localPref, med, ...route }: BgpSample): unknown {
  const { communities = [], extendedCommunities = [], largeCommunities = [] } = route;
  const add = [...communities, ...extendedCommunities, ...largeCommunities];
  return {
    match: { prefixes: [prefix], source: "local" },
    set: {
      ...(localPref === undefined ? {} : { localPref }),
      ...(med === undefined ? {} : { med }),
      ...(add.length === 0 ? {} : { communities: { add } }),
      ...(asPath.length === 0 ? {} : { prependAsPath: asPath }),
    },
    action: "accept",
  };
}
