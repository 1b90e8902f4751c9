/**
 * Aim: BIRD's view of a large table is told in pieces, and is the same as that of a small one. Method: two speakers in memory,
 * one of which tells the other its routes; the same questions before and after there are too many to be ordered.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import {
  everythingReachable,
  type LocalRoute,
  peerConfig,
  Speaker,
  speakerDefaults,
  type SpeakerEvent,
} from "@caracal/bgp";
import { Ipv4, Prefix } from "@caracal/net";
import { answerBird } from "./bird-answers.ts";
import { readConfiguration } from "./config/read-config.ts";
import type { SpeakerView } from "./speaker-view.ts";

const addresses = [Ipv4.of(0x0a4d0001), Ipv4.of(0x0a4d0002)] as const;
const names = ["them", "us"] as const;

/** Two speakers with a wire between them: what one sends, the other receives at once. */
class Pair {
  readonly speakers: readonly [Speaker, Speaker];
  readonly #waiting: (readonly [end: 0 | 1, event: SpeakerEvent])[] = [];

  constructor() {
    const speaker = (end: 0 | 1): Speaker =>
      new Speaker(
        { ...speakerDefaults, routerId: addresses[end], asn: 65001 + end },
        { resolver: everythingReachable, random: () => 0.5, policies: new Map() },
      );
    this.speakers = [speaker(0), speaker(1)];
    for (const end of [0, 1] as const) {
      const other = end === 0 ? 1 : 0;
      const peer = peerConfig({
        name: names[other],
        address: addresses[other],
        asn: 65001 + other,
        passive: true,
        addPathSend: false,
      });
      this.handle(end, { kind: "peers", peers: [peer], ranges: [] });
    }
    for (const end of [0, 1] as const) {
      const [localAddress, remoteAddress] = end === 0 ? addresses : [addresses[1], addresses[0]];
      this.#waiting.push([end, { kind: "accepted", connection: "wire", localAddress, remoteAddress }]);
    }
    this.#run();
  }

  handle(end: 0 | 1, event: SpeakerEvent): void {
    this.#waiting.push([end, event]);
    this.#run();
  }

  #run(): void {
    for (let next = this.#waiting.shift(); next !== undefined; next = this.#waiting.shift()) {
      const [end, event] = next;
      for (const effect of this.speakers[end].handle(event, 1000)) {
        if (effect.kind !== "send") continue;
        const { connection, bytes } = effect;
        this.#waiting.push([end === 0 ? 1 : 0, { kind: "received", connection, bytes }]);
      }
    }
  }

  /** The first end is the source of so many routes, and the second one has them. */
  announce(count: number): void {
    const routes = Array.from({ length: count }, (_, index): LocalRoute => ({
      prefix: Prefix.of(Ipv4.of(0x0b000000 + index * 256), 24),
    }));
    this.handle(0, { kind: "localRoutes", routes });
    while (this.speakers[0].deadline === Number.NEGATIVE_INFINITY) this.handle(0, { kind: "tick" });
    assert.equal(this.speakers[1].sizes.routes4, count);
  }
}

function viewOf(speaker: Speaker): SpeakerView {
  const outcome = readConfiguration("routerId: 10.77.0.2\nasn: 65002\n");
  assert.ok(outcome.kind === "ok");
  return {
    configuration: outcome.configuration,
    startedAtMs: 0,
    configuredAtMs: 0,
    ports: [],
    sizes: speaker.sizes,
    tables: speaker.tables,
    kernelStatus: undefined,
    peers: () => speaker.peers(1000),
    routes: () => speaker.routes(),
    listings: speaker.listings,
    linkOf: () => undefined,
    reload: () => Promise.reject(new Error("not in this test")),
    reset: () => undefined,
    refresh: () => false,
    leave: () => undefined,
  };
}

/** The routes of `them` as they are shown, without what the machine's own kernel adds; and in how many pieces. */
function ask(speaker: Speaker, command: string): { lines: readonly string[]; pieces: readonly string[] } {
  const pieces = [...answerBird(viewOf(speaker), command, 4)].filter((piece) => piece !== undefined);
  return { lines: pieces.join("").split("\n"), pieces };
}

test("a table too large for BIRD's order is told piece by piece, route for route as a small one", () => {
  const pair = new Pair();
  const us = pair.speakers[1];
  const questions = [
    "show route for 11.0.7.9",
    "show route 11.0.7.0/24",
    "show route for 11.0.7.0/28",
  ] as const;
  pair.announce(10_000);
  const small = questions.map((question) => ask(us, question).lines);
  pair.announce(10_001);
  assert.deepEqual(
    questions.map((question) => ask(us, question).lines),
    small,
  );
  const { lines, pieces } = ask(us, "show route all protocol them");
  assert.equal(lines.filter((line) => line.includes("[them ")).length, 10_001);
  assert.ok(pieces.length > 50 && pieces.every((piece) => piece.length < 20_000));
  assert.match(
    ask(us, "show route count protocol them").lines[0] ?? "",
    /^0014 10001 of \d+ routes for \d+ networks$/,
  );
  assert.match(
    ask(us, "show protocols all them").lines.join("\n"),
    /Routes: +10001 imported, 0 exported, 10001 preferred/,
  );
  assert.deepEqual(ask(us, "show route protocol nobody").lines, ["9002 nobody is not a protocol", ""]);
  assert.deepEqual(ask(us, "show route nonsense").lines, ["9001 syntax error", ""]);
});
