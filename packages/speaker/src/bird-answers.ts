import {
  answerBirdCommand,
  BirdLineEncoder,
  type BirdTerms,
  buildBirdSnapshot,
  FirstSeen,
} from "@caracal/bird-view";
import { Rtnetlink } from "@caracal/linux";
import type { IpFamily } from "@caracal/net";
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

/** Answers a command of BIRD's client, in the lines of BIRD's client protocol. */
export function answerBird(
  speaker: SpeakerView,
  command: string,
  family: IpFamily,
): { readonly text: string } {
  using tables = Rtnetlink.open();
  const { configuration } = speaker;
  const { statics, kernel } = configuration;
  const nowMs = Date.now();
  const snapshot = buildBirdSnapshot({
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
    speaker: { nowMs, peers: speaker.peers(), routes: speaker.routes() },
    firstSeen: firstSeen[family],
  });
  const encoder = new BirdLineEncoder();
  return { text: Array.from(answerBirdCommand(command, snapshot), (line) => encoder.encode(line)).join("") };
}
