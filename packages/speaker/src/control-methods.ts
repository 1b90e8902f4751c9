import { type AdvertisedRoute, peerRange, type RouteSnapshot } from "@caracal/bgp";
import { ControlError, type ControlMethod } from "@caracal/control";
import { Ipv4, Prefix } from "@caracal/net";
import { dumpTable } from "./show/dump-table.ts";
import { advertisedView } from "./show/advertised-view.ts";
import { filterReason } from "./show/filter-reason.ts";
import { ListingPages } from "./show/listing-pages.ts";
import { neighborView } from "./show/neighbor-view.ts";
import { routeView } from "./show/route-view.ts";
import type { SpeakerView } from "./speaker-view.ts";

/** Codes of this socket's own. */
export const SpeakerControlCode = {
  notFound: "not-found",
  invalid: "invalid",
  unsupported: "unsupported",
} as const;

/** What the control socket serves. Every answer is plain JSON, in the words of `show`. */
export function controlMethods(speaker: SpeakerView): Readonly<Record<string, ControlMethod>> {
  const pages = new ListingPages();
  return {
    "bgp.summary": () => summary(speaker),
    "bgp.neighbors": () => speaker.peers().map(neighborView),
    "bgp.neighbor": (params) => {
      const name = textOf(params, "name") ?? "";
      return neighborView(peerNamed(speaker, name));
    },
    "bgp.routes": (params) => answerPage(pages, params, () => listRoutes(speaker, params)),
    "bgp.received": (params) => answerPage(pages, params, () => listReceived(speaker, params)),
    "bgp.advertised": (params) => answerPage(pages, params, () => listAdvertised(speaker, params)),
    "bgp.dump": (params) => {
      const { routes: pieces, ...rest } = answerPage(pages, params, () => dumpTable(speaker));
      return { pieces, ...rest };
    },
    "bgp.memory": () => memory(speaker),
    "bgp.reload": () => speaker.reload(),
    "bgp.reset": (params) => {
      const { name } = peerNamed(speaker, textOf(params, "name") ?? "");
      speaker.reset(name, textOf(params, "message"));
      return { reset: name };
    },
    "bgp.refresh": (params) => refresh(speaker, params),
    "bgp.shutdown": (params) => {
      speaker.leave(textOf(params, "message"));
      return { neighbors: speaker.peers().length };
    },
    birdcl: async (params) => {
      const { answerBird } = await import("./bird-answers.ts");
      const family = textOf(params, "family") === "6" ? 6 : 4;
      const answer = (): Entries => answerBird(speaker, textOf(params, "command") ?? "", family);
      const { routes: pieces, ...rest } = answerPage(pages, params, answer);
      return { text: pieces.join(""), ...rest };
    },
  };
}

/** Asks in all families of the session that can be asked for. */
function refresh(speaker: SpeakerView, params: unknown): { readonly families: readonly string[] } {
  const { name, session } = peerNamed(speaker, textOf(params, "name") ?? "");
  const families = (session?.families ?? []).filter((family) => speaker.refresh(name, family));
  if (families.length > 0) return { families: families.map((family) => `ipv${family}`) };
  const why = session === undefined ? "has no session" : "does not answer route refreshes";
  throw new ControlError(SpeakerControlCode.unsupported, `${name} ${why}`);
}

function summary(speaker: SpeakerView): unknown {
  const { routerId, asn, kernel: place } = speaker.configuration;
  const { sizes, kernelStatus: status } = speaker;
  return {
    routerId: Ipv4.format(routerId),
    asn,
    ports: speaker.ports,
    startedAt: new Date(speaker.startedAtMs).toISOString(),
    configuredAt: new Date(speaker.configuredAtMs).toISOString(),
    routes: { ipv4: sizes.routes4, ipv6: sizes.routes6 },
    kernel:
      place === undefined || status === undefined
        ? false
        : {
            ...place,
            routes: status.wantedCount,
            isSettled: status.settled,
            failures: status.failures.map(({ key, errno, detail }) => ({ route: key, errno, detail })),
            conflicts: status.conflicts.map(({ key }) => key),
          },
    ranges: rangeViews(speaker),
    neighbors: speaker.peers().map(neighborView),
  };
}

/** The neighbours that are known by a prefix only, and how many have come. */
function rangeViews(speaker: SpeakerView): unknown {
  const names = speaker.peers().map(({ range }) => range);
  return speaker.configuration.ranges.map(peerRange).map(({ name, prefix, template, maxPeers }) => ({
    name,
    prefix: Prefix.format(prefix),
    asn: template.asn,
    neighbors: names.filter((one) => one === name).length,
    maxNeighbors: maxPeers,
  }));
}

function memory(speaker: SpeakerView): unknown {
  const { rss, heapUsed, external } = process.memoryUsage();
  const { attributeSets, routes4, routes6 } = speaker.sizes;
  return {
    residentBytes: rss,
    heapBytes: heapUsed,
    externalBytes: external,
    attributeSets,
    routes: { ipv4: routes4, ipv6: routes6 },
    tables: speaker.tables,
  };
}

function peerNamed(speaker: SpeakerView, name: string): ReturnType<SpeakerView["peers"]>[number] {
  const peer = speaker.peers().find((candidate) => candidate.name === name);
  if (peer !== undefined) return peer;
  throw new ControlError(SpeakerControlCode.notFound, `there is no neighbor "${name}"`);
}

function* listRoutes(speaker: SpeakerView, params: unknown): Entries {
  for (const route of speaker.listings?.routes(prefixOf(speaker, params)) ?? []) yield viewOf(speaker, route);
}

function* listReceived(speaker: SpeakerView, params: unknown): Entries {
  const { name } = peerNamed(speaker, textOf(params, "name") ?? "");
  for (const route of speaker.listings?.received(name, prefixOf(speaker, params)) ?? [])
    yield viewOf(speaker, route);
}

function* listAdvertised(speaker: SpeakerView, params: unknown): Entries {
  const { name } = peerNamed(speaker, textOf(params, "name") ?? "");
  const reason = (route: AdvertisedRoute): string | undefined =>
    filterReason(speaker.configuration, name, "export", route, (nextHop) => speaker.linkOf(nextHop));
  for (const route of speaker.listings?.advertised(name, prefixOf(speaker, params)) ?? []) {
    yield route === undefined ? undefined : advertisedView(route, reason);
  }
}

function viewOf(speaker: SpeakerView, route: RouteSnapshot | undefined): unknown {
  if (route === undefined) return undefined;
  return routeView(route, ({ prefix, source, attributes, received = attributes }) =>
    source.kind === "local"
      ? undefined
      : filterReason(
          speaker.configuration,
          source.name,
          "import",
          { prefix, source, attributes: received },
          (nextHop) => speaker.linkOf(nextHop),
        ),
  );
}

/** Which prefix is asked for: the one that is named, or the most specific one that an address is in. */
function prefixOf(speaker: SpeakerView, params: unknown): Prefix | undefined {
  const text = textOf(params, "prefix");
  if (text === undefined) return undefined;
  const prefix = Prefix.parse(text);
  if (prefix === undefined) {
    throw new ControlError(
      SpeakerControlCode.invalid,
      `"${text}" is not a prefix such as 10.1.0.0/16, nor an address`,
    );
  }
  return text.includes("/") ? prefix : (speaker.listings?.covering(prefix.address) ?? prefix);
}

/** Views, with `undefined` as a pause. */
type Entries = Generator<unknown, void, undefined>;

/** One part of a listing; `next`, if there is one, is given back as `cursor` for the part after it. */
function answerPage(
  pages: ListingPages,
  params: unknown,
  list: () => Entries,
): { readonly routes: readonly unknown[]; readonly next?: string } {
  const cursor = textOf(params, "cursor");
  const page = cursor === undefined ? pages.begin(list()) : pages.continue(cursor);
  if (page === undefined) {
    throw new ControlError(SpeakerControlCode.notFound, "the listing took too long; begin it again");
  }
  const { entries: routes, ...rest } = page;
  return { routes, ...rest };
}

function textOf(params: unknown, key: string): string | undefined {
  const value: unknown = typeof params === "object" && params !== null ? Reflect.get(params, key) : undefined;
  return typeof value === "string" ? value : undefined;
}
