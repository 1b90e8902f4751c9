import {
  answerBirdCommand,
  type BirdLine,
  BirdLineEncoder,
  birdRouteQuery,
  type BirdStateInput,
  birdTable,
  type BirdTerms,
  buildBirdSnapshot,
  FirstSeen,
  type RouteQuery,
  showTable,
} from "@caracal/bird-view";
import type { Listings, RouteSnapshot } from "@caracal/bgp";
import { Rtnetlink } from "@caracal/linux";
import { type IpFamily, Prefix } from "@caracal/net";
import type { SpeakerView } from "./speaker-view.ts";

/** As the view's BIRD names itself. */
const birdVersion = "1.6.8";

const terms: BirdTerms = {
  importFilter: "ACCEPT",
  exportFilter: "ACCEPT",
  kernelFilter: "ACCEPT",
  isMultihop: false,
};

/** The times of local routes, which the kernel does not tell: as fine as the questions are frequent. */
const firstSeen: Readonly<Record<IpFamily, FirstSeen>> = {
  4: new FirstSeen(Date.now),
  6: new FirstSeen(Date.now),
};

/** A table with more routes is shown in the speaker's own order, as it is read; BIRD's order takes a copy of it all. */
const orderedRoutes = 10_000;

/** Characters of an answer that are handed over at once. */
const pieceCharacters = 1 << 14;

/** Answers a command of BIRD's client, in the lines of BIRD's client protocol, piece by piece; `undefined` is a pause. */
export function* answerBird(
  speaker: SpeakerView,
  command: string,
  family: IpFamily,
): Generator<string | undefined, void, undefined> {
  const encoder = new BirdLineEncoder();
  let piece = "";
  for (const line of answerLines(speaker, command, family)) {
    if (line !== undefined) piece += encoder.encode(line);
    if (line !== undefined && piece.length < pieceCharacters) continue;
    yield piece;
    piece = "";
    if (line === undefined) yield undefined;
  }
  yield piece;
}

function answerLines(
  speaker: SpeakerView,
  command: string,
  family: IpFamily,
): Iterable<BirdLine | undefined> {
  const { sizes, listings } = speaker;
  if (listings === undefined || sizes.routes4 + sizes.routes6 <= orderedRoutes) {
    return answerBirdCommand(command, buildBirdSnapshot(stateOf(speaker, family, speaker.routes())));
  }
  const query = birdRouteQuery(command);
  const input = stateOf(speaker, family, query === undefined ? [] : [...asked(listings, query)], true);
  const snapshot = buildBirdSnapshot(input);
  const { protocol } = query ?? {};
  const isKnown = protocol === undefined || snapshot.protocols.some(({ name }) => name === protocol);
  if (query === undefined || query.prefix !== undefined || !isKnown)
    return answerBirdCommand(command, snapshot);
  return showTable(birdTable(input, listings.routes()), query, input.nowMs);
}

/** Routes of the network that is asked for, or of all that may be the longest one to cover it. */
function* asked(listings: Listings, { prefix, isFor }: RouteQuery): Generator<RouteSnapshot> {
  if (prefix === undefined) return;
  for (let { length } = prefix; length >= (isFor ? 0 : prefix.length); length -= 1) {
    for (const route of listings.routes(Prefix.of(prefix.address, length)))
      if (route !== undefined) yield route;
  }
}

function stateOf(
  speaker: SpeakerView,
  family: IpFamily,
  routes: readonly RouteSnapshot[],
  isPartial = false,
): BirdStateInput {
  using tables = Rtnetlink.open();
  const { configuration } = speaker;
  const { statics, kernel } = configuration;
  const nowMs = Date.now();
  return {
    version: birdVersion,
    family,
    kernel: { routes: tables.routes(), links: tables.links(), addresses: tables.addresses() },
    blackholes: statics.flatMap(({ prefix, nextHop }) => (nextHop === undefined ? [prefix] : [])),
    gateways: statics.flatMap(({ prefix, nextHop }) =>
      nextHop === undefined ? [] : [{ prefix, gateway: nextHop }],
    ),
    ...(kernel === undefined ? {} : { ours: kernel }),
    ignoredInterfaces: [],
    terms,
    routerId: configuration.routerId,
    nowMs,
    bootedAtMs: speaker.startedAtMs,
    configuredAtMs: speaker.configuredAtMs,
    speaker: { nowMs, peers: speaker.peers(), routes, isPartial },
    firstSeen: firstSeen[family],
  };
}
