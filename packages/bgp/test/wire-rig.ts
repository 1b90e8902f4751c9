import { IpAddress, Ipv4, Prefix } from "@caracal/net";
import { RefreshKind } from "../src/iana.ts";
import {
  type PeerInput,
  type Policies,
  type SpeakerConfig,
  type SpeakerEffect,
  type SpeakerEvent,
  type SpeakerFact,
  Speaker,
  everythingReachable,
  peerConfig,
  speakerDefaults,
} from "../src/index.ts";
import { buildOpen } from "../src/session/negotiated.ts";
import { type SessionConfig } from "../src/session/session-config.ts";
import { MessageSplitter, maxExtendedMessageBytes } from "../src/wire/header.ts";
import { type Message, decodeMessage, keepaliveBytes } from "../src/wire/message.ts";
import { encodeNlri, listNlri } from "../src/wire/nlri.ts";
import { encodeOpen } from "../src/wire/open.ts";
import { type PathAttributes } from "../src/wire/path-attributes.ts";
import { encodeRouteRefresh } from "../src/wire/route-refresh.ts";
import { UpdateWriter } from "../src/wire/update-writer.ts";
import { addressOf, prefixOf, quickTimers } from "./simulation.ts";

/** Our AS in a rig. */
export const ourAsn = 64512;

interface Heard {
  readonly lines: string[];
  readonly messages: Message[];
}

/**
 * One speaker at 10.0.0.100 whose peers, 10.0.0.N, are played by the test message by message; what they hear is noted as
 * text: `10.0.0.0/8 via 10.0.0.100`, `-10.0.0.0/8`, `End-of-RIB`, `refresh begins`, `notification 4.0`.
 */
export class WireRig {
  now = 0;
  readonly speaker: Speaker;
  readonly facts: SpeakerFact[] = [];
  readonly #heard = new Map<string, Heard>();
  readonly closed: string[] = [];
  readonly #asns: ReadonlyMap<number, number>;

  constructor(
    peers: readonly (Partial<PeerInput> & { readonly number: number; readonly asn: number })[],
    more: Partial<SpeakerConfig> & { readonly policies?: Policies } = {},
  ) {
    const { policies = new Map(), ...config } = more;
    this.#asns = new Map(peers.map(({ number, asn }) => [number, asn]));
    const inputs = peers.map(({ number, ...peer }) => ({
      name: `p${number}`,
      address: addressOf(`10.0.0.${number}`),
      passive: true,
      timers: quickTimers,
      families: [4] as const,
      addPathReceive: false,
      addPathSend: false,
      ...peer,
    }));
    this.speaker = new Speaker(
      { routerId: Ipv4.of(100), asn: ourAsn, ...speakerDefaults, ...config },
      { resolver: everythingReachable, random: () => 0.5, policies },
    );
    this.handle({ kind: "peers", peers: inputs.map(peerConfig) });
  }

  handle(event: SpeakerEvent): readonly SpeakerEffect[] {
    const effects = this.speaker.handle(event, this.now);
    for (const effect of effects) {
      if (effect.kind === "send") this.#hear(effect.connection, effect.bytes);
      if (effect.kind === "close") this.closed.push(effect.connection);
      if (effect.kind === "log") this.facts.push(effect.fact);
    }
    return effects;
  }

  /** Does all that is due now. */
  settle(): void {
    while ((this.speaker.deadline ?? Infinity) <= this.now) this.handle({ kind: "tick" });
  }

  /** Does all that is due until then, in its order. */
  advanceTo(now: number): void {
    for (;;) {
      const { deadline = Infinity } = this.speaker;
      if (deadline > now) break;
      this.now = Math.max(this.now, deadline);
      this.handle({ kind: "tick" });
    }
    this.now = now;
  }

  /** Brings a session up, with the first dump over, and forgets what was heard. */
  establish(number: number, more: Partial<SessionConfig> = {}): void {
    this.connect(number);
    this.open(number, more);
    this.bytes(number, keepaliveBytes);
    this.settle();
    this.take(number);
  }

  connect(number: number): void {
    this.handle({
      kind: "accepted",
      connection: `c${number}`,
      localAddress: addressOf("10.0.0.100"),
      remoteAddress: addressOf(`10.0.0.${number}`),
    });
  }

  /** The peer's OPEN: what ours would be in its place, but for `more`. */
  open(number: number, more: Partial<SessionConfig> = {}): void {
    const open = buildOpen(
      {
        name: "",
        routerId: Ipv4.of(number),
        localAsn: this.#asns.get(number) ?? 0,
        peerAsn: ourAsn,
        passive: false,
        timers: quickTimers,
        families: [4],
        addPathReceive: false,
        addPathSend: false,
        restartTimeS: undefined,
        extendedMessages: true,
        enhancedRefresh: true,
        ...more,
      },
      { restarted: false, forwardingPreserved: false },
    );
    this.bytes(number, encodeOpen(open));
  }

  bytes(number: number, bytes: Uint8Array): void {
    this.handle({ kind: "received", connection: `c${number}`, bytes });
  }

  announce(number: number, prefixes: readonly string[], attributes: Partial<PathAttributes> = {}): void {
    const writer = new UpdateWriter({
      family: 4,
      addPath: false,
      as4: true,
      maxMessageBytes: maxExtendedMessageBytes,
    });
    const asn = this.#asns.get(number) ?? 0;
    const value: PathAttributes = {
      origin: 0,
      asPath: asn === ourAsn ? [] : [{ kind: "sequence", asns: [asn] }],
      nextHop: addressOf(`10.0.0.${number}`),
      ...attributes,
    };
    writer.announce(value, prefixes.length, (out, index) => {
      encodeNlri(out, { prefix: prefixOf(prefixes[index] ?? ""), pathId: 0 }, false);
    });
    this.bytes(number, writer.take());
    this.settle();
  }

  endOfRib(number: number): void {
    const writer = new UpdateWriter({ family: 4, addPath: false, as4: true });
    writer.endOfRib();
    this.bytes(number, writer.take());
  }

  /** A ROUTE-REFRESH of the peer. */
  refresh(number: number, subtype: number = RefreshKind.request, afi = 1): void {
    this.bytes(number, encodeRouteRefresh({ kind: "routeRefresh", afi, safi: 1, subtype }));
  }

  local(...prefixes: readonly string[]): void {
    this.handle({ kind: "localRoutes", routes: prefixes.map((text) => ({ prefix: prefixOf(text) })) });
    this.settle();
  }

  /** What a peer has heard since the last call. */
  take(number: number): string[] {
    return this.#heard.get(`c${number}`)?.lines.splice(0) ?? [];
  }

  /** The same as messages. */
  takeMessages(number: number): Message[] {
    return this.#heard.get(`c${number}`)?.messages.splice(0) ?? [];
  }

  /** The prefixes that we have from a peer. */
  from(number: number): string[] {
    return this.speaker
      .routes()
      .filter(({ source }) => source.kind === "peer" && source.name === `p${number}`)
      .map(({ prefix }) => Prefix.format(prefix))
      .toSorted();
  }

  #hear(connection: string, bytes: Uint8Array): void {
    let heard = this.#heard.get(connection);
    if (heard === undefined) this.#heard.set(connection, (heard = { lines: [], messages: [] }));
    const splitter = new MessageSplitter();
    splitter.maxMessageBytes = maxExtendedMessageBytes;
    splitter.push(bytes);
    for (let frame = splitter.next(); frame !== undefined; frame = splitter.next()) {
      const message = decodeMessage(frame, { as4: true, external: false, addPath: [] });
      heard.messages.push(message);
      heard.lines.push(...linesOf(message));
    }
  }
}

function linesOf(message: Message): string[] {
  switch (message.kind) {
    case "routeRefresh":
      return [["refresh", "refresh begins", "refresh ends"][message.subtype] ?? "refresh of another kind"];
    case "notification":
      return [`notification ${message.code}.${message.subcode}`];
    case "update": {
      if (message.endOfRib !== undefined) return ["End-of-RIB"];
      const withdrawn = message.withdrawn.flatMap((block) =>
        listNlri(block).map(({ prefix }) => `-${Prefix.format(prefix)}`),
      );
      const announced = message.announced.flatMap(({ nlri, attributes: { nextHop } }) =>
        listNlri(nlri).map(
          ({ prefix }) =>
            `${Prefix.format(prefix)} via ${nextHop === undefined ? "?" : IpAddress.format(nextHop)}`,
        ),
      );
      return [...withdrawn, ...announced];
    }
    default:
      return [message.kind];
  }
}
