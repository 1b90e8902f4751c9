import type { RouteSnapshot } from "@caracal/bgp";
import { ControlError, type ControlMethod } from "@caracal/control";
import { Ipv4, Prefix } from "@caracal/net";
import { neighborView } from "./show/neighbor-view.ts";
import { type RoutePage, RoutePages } from "./show/route-pages.ts";
import { routeView, type RouteView } from "./show/route-view.ts";
import type { SpeakerView } from "./speaker-view.ts";

/** Codes of this socket's own. */
export const SpeakerControlCode = {
  notFound: "not-found",
  invalid: "invalid",
  unsupported: "unsupported",
} as const;

/** What the control socket serves. Every answer is plain JSON, in the words of `show`. */
export function controlMethods(speaker: SpeakerView): Readonly<Record<string, ControlMethod>> {
  const pages = new RoutePages();
  return {
    "bgp.summary": () => summary(speaker),
    "bgp.neighbors": () => speaker.peers().map(neighborView),
    "bgp.neighbor": (params) => {
      const name = textOf(params, "name") ?? "";
      return neighborView(peerNamed(speaker, name));
    },
    "bgp.routes": (params) => answerPage(pages, params, () => selectRoutes(speaker, params)),
    "bgp.received": (params) =>
      answerPage(pages, params, () => {
        const { name } = peerNamed(speaker, textOf(params, "name") ?? "");
        return selectRoutes(speaker, params).filter(
          ({ source }) => source.kind === "peer" && source.name === name,
        );
      }),
    "bgp.advertised": (params) => {
      const { name, exportedCount } = peerNamed(speaker, textOf(params, "name") ?? "");
      throw new ControlError(
        SpeakerControlCode.unsupported,
        `listing what ${name} was told is not supported yet; it was told ${exportedCount} routes`,
      );
    },
    "bgp.memory": () => memory(speaker),
    "bgp.reload": () => speaker.reload(),
    birdcl: async (params) => {
      const { answerBird } = await import("./bird-answers.ts");
      return answerBird(speaker, textOf(params, "command") ?? "", textOf(params, "family") === "6" ? 6 : 4);
    },
  };
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
    neighbors: speaker.peers().map(neighborView),
  };
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
  };
}

function peerNamed(speaker: SpeakerView, name: string): ReturnType<SpeakerView["peers"]>[number] {
  const peer = speaker.peers().find((candidate) => candidate.name === name);
  if (peer !== undefined) return peer;
  throw new ControlError(SpeakerControlCode.notFound, `there is no neighbor "${name}"`);
}

function selectRoutes(speaker: SpeakerView, params: unknown): readonly RouteSnapshot[] {
  const text = textOf(params, "prefix");
  if (text === undefined) return speaker.routes();
  const prefix = Prefix.parse(text);
  if (prefix !== undefined) return speaker.routes(prefix);
  throw new ControlError(SpeakerControlCode.invalid, `"${text}" is not a prefix such as 10.1.0.0/16`);
}

/** One part of a listing; `next`, if there is one, is given back as `cursor` for the part after it. */
function answerPage(
  pages: RoutePages,
  params: unknown,
  list: () => readonly RouteSnapshot[],
): { readonly routes: readonly RouteView[]; readonly next?: string } {
  const cursor = textOf(params, "cursor");
  const page: RoutePage | undefined = cursor === undefined ? pages.begin(list()) : pages.continue(cursor);
  if (page === undefined) {
    throw new ControlError(SpeakerControlCode.notFound, "the listing took too long; begin it again");
  }
  return { ...page, routes: page.routes.map(routeView) };
}

function textOf(params: unknown, key: string): string | undefined {
  const value: unknown = typeof params === "object" && params !== null ? Reflect.get(params, key) : undefined;
  return typeof value === "string" ? value : undefined;
}
