import { IpAddress, Ipv4, Prefix } from "@caracal/net";
import {
  type LocalRoute,
  type NextHopResolver,
  type PathAttributes,
  type PeerConfig,
  type PeerInput,
  type PeerRange,
  type Policies,
  type Resolution,
  Speaker,
  type SpeakerConfig,
  type SpeakerEffect,
  type SpeakerEvent,
  type SpeakerFact,
  type SpeakerPorts,
  peerConfig,
  speakerDefaults,
} from "../src/index.ts";
import { buildOpen } from "../src/session/negotiated.ts";
import { type SessionConfig } from "../src/session/session-config.ts";
import { MessageSplitter } from "../src/wire/header.ts";
import { decodeMessage, keepaliveBytes } from "../src/wire/message.ts";
import { encodeNlri, listNlri } from "../src/wire/nlri.ts";
import { encodeOpen } from "../src/wire/open.ts";
import { UpdateWriter } from "../src/wire/update-writer.ts";
import { addressOf, prefixOf, quickTimers } from "./simulation.ts";

export interface RigOptions {
  readonly config?: Partial<SpeakerConfig>;
  readonly resolver?: NextHopResolver;
  readonly policies?: Policies;
  readonly ranges?: readonly PeerRange[];
  /** In place of all of these. */
  readonly ports?: SpeakerPorts;
  readonly onEvent?: (event: SpeakerEvent, now: number) => void;
}

export function rigPeer(asn: number, number: number): PeerInput {
  return {
    name: `p${number}`,
    address: addressOf(`10.0.0.${number}`),
    asn,
    passive: true,
    timers: quickTimers,
    addPathReceive: false,
    addPathSend: false,
  };
}

/** What a rig's speaker is. */
export function rigConfig(more: Partial<SpeakerConfig> = {}): SpeakerConfig {
  return { ...speakerDefaults, routerId: Ipv4.of(0x0a000064), asn: 64512, ...more };
}

/** What it has around it: nothing that differs from one run to the next. */
function rigPorts({ resolver, policies = new Map() }: RigOptions = {}): SpeakerPorts {
  const resolve = (): Resolution => ({ reachable: true, metric: 0, connected: true });
  return { resolver: resolver ?? { resolve }, random: () => 0.5, policies };
}

/** A speaker of AS 64512 at 10.0.0.100, and as many peers at 10.0.0.1, .2, … as are named by their AS. */
export class Rig {
  readonly speaker: Speaker;
  readonly effects: SpeakerEffect[] = [];
  readonly peers: readonly PeerConfig[];
  now = 1000;
  readonly #onEvent: (event: SpeakerEvent, now: number) => void;
  readonly #told = new Map<string, Map<string, string>>();
  readonly #attributesTold = new Map<string, PathAttributes>();

  constructor(asns: readonly number[], options: RigOptions = {}, more: Partial<PeerInput> = {}) {
    this.#onEvent = options.onEvent ?? (() => undefined);
    this.speaker = new Speaker(rigConfig(options.config), options.ports ?? rigPorts(options));
    this.peers = asns.map((asn, index) => peerConfig({ ...rigPeer(asn, index + 1), ...more }));
    const { ranges = [] } = options;
    this.handle({ kind: "peers", peers: this.peers, ranges });
  }

  handle(event: SpeakerEvent): SpeakerEffect[] {
    this.#onEvent(event, this.now);
    const effects = [...this.speaker.handle(event, this.now)];
    this.effects.push(...effects);
    for (const effect of effects) if (effect.kind === "send") this.#hear(effect.connection, effect.bytes);
    return effects;
  }

  /** Brings the session with peer `number` up, and has all that is due sent. */
  up(
    number: number,
    asn: number,
    more: Partial<SessionConfig> = {},
    restarted = false,
    address = `10.0.0.${number}`,
  ): void {
    this.open(number, asn, more, restarted, address);
    this.settle();
  }

  /** The same, with nothing sent yet but what goes at once. */
  open(
    number: number,
    asn: number,
    more: Partial<SessionConfig> = {},
    restarted = false,
    address = `10.0.0.${number}`,
  ): void {
    const connection = `c${number}`;
    this.handle({
      kind: "accepted",
      connection,
      localAddress: addressOf("10.0.0.100"),
      remoteAddress: addressOf(address),
    });
    const open = buildOpen(
      {
        name: "",
        routerId: Ipv4.of(number),
        localAsn: asn,
        peerAsn: 64512,
        passive: false,
        timers: quickTimers,
        families: [4],
        addPathReceive: false,
        addPathSend: false,
        restartTimeS: 100,
        ...more,
      },
      { restarted, forwardingPreserved: true },
    );
    this.bytes(number, encodeOpen(open));
    this.bytes(number, keepaliveBytes);
  }

  settle(): void {
    while ((this.speaker.deadline ?? Infinity) <= this.now) this.handle({ kind: "tick" });
  }

  bytes(number: number, bytes: Uint8Array): SpeakerEffect[] {
    return this.handle({ kind: "received", connection: `c${number}`, bytes });
  }

  announce(
    number: number,
    prefix: string,
    attributes: Partial<PathAttributes> & { path?: readonly number[] },
  ): SpeakerEffect[] {
    const { path = [65000 + number], ...rest } = attributes;
    const writer = new UpdateWriter({ family: 4, addPath: false, as4: true });
    writer.announce(
      {
        origin: 0,
        asPath: path.length === 0 ? [] : [{ kind: "sequence", asns: path }],
        nextHop: addressOf(`10.0.0.${number}`),
        ...rest,
      },
      1,
      (out) => encodeNlri(out, { prefix: prefixOf(prefix), pathId: 0 }, false),
    );
    return this.bytes(number, writer.take());
  }

  withdraw(number: number, prefix: string): void {
    const writer = new UpdateWriter({ family: 4, addPath: false, as4: true });
    writer.withdraw(1, (out) => encodeNlri(out, { prefix: prefixOf(prefix), pathId: 0 }, false));
    this.bytes(number, writer.take());
  }

  endOfRib(number: number): void {
    const writer = new UpdateWriter({ family: 4, addPath: false, as4: true });
    writer.endOfRib();
    this.bytes(number, writer.take());
  }

  /** What peer `number` holds from us: `prefix via next-hop`; `End-of-RIB` too once it came. */
  told(number: number): string[] {
    return [...(this.#told.get(`c${number}`)?.values() ?? [])].toSorted();
  }

  /** The attributes with which peer `number` heard of a prefix last. */
  toldWith(number: number, prefix: string): PathAttributes | undefined {
    return this.#attributesTold.get(`c${number} ${prefix}`);
  }

  /** Time passes, with a tick whenever one is due. */
  pass(durationMs: number): void {
    const end = this.now + durationMs;
    for (let due = this.speaker.deadline ?? Infinity; due <= end; due = this.speaker.deadline ?? Infinity) {
      this.now = Math.max(this.now, due);
      this.handle({ kind: "tick" });
    }
    this.now = end;
  }

  /** The connection with peer `number` ends without a word. */
  lose(number: number): void {
    this.handle({ kind: "failed", connection: `c${number}`, reason: "Connection closed" });
  }

  facts<Kind extends SpeakerFact["kind"]>(kind: Kind): (SpeakerFact & { readonly kind: Kind })[] {
    const isOfKind = (fact: SpeakerFact): fact is SpeakerFact & { readonly kind: Kind } => fact.kind === kind;
    return this.effects.flatMap((effect) => (effect.kind === "log" ? [effect.fact] : [])).filter(isOfKind);
  }

  local(...prefixes: readonly (string | LocalRoute)[]): void {
    const routes = prefixes.map((one) => (typeof one === "string" ? { prefix: prefixOf(one) } : one));
    this.handle({ kind: "localRoutes", routes });
  }

  #hear(connection: string, bytes: Uint8Array): void {
    let table = this.#told.get(connection);
    if (table === undefined) this.#told.set(connection, (table = new Map()));
    const splitter = new MessageSplitter();
    splitter.push(bytes);
    for (let frame = splitter.next(); frame !== undefined; frame = splitter.next()) {
      const message = decodeMessage(frame, { as4: true, external: false, addPath: [] });
      if (message.kind !== "update") continue;
      if (message.endOfRib !== undefined) table.set("end", "End-of-RIB");
      for (const block of message.withdrawn) {
        for (const { prefix } of listNlri(block)) table.delete(Prefix.format(prefix));
      }
      for (const { nlri, attributes } of message.announced) {
        const hop = attributes.nextHop === undefined ? "?" : IpAddress.format(attributes.nextHop);
        for (const { prefix } of listNlri(nlri)) {
          const key = Prefix.format(prefix);
          table.set(key, `${key} via ${hop}`);
          this.#attributesTold.set(`${connection} ${key}`, attributes);
        }
      }
    }
  }
}

/** The best-route changes among effects, as text. */
export function best(effects: readonly SpeakerEffect[]): string[] {
  return effects.flatMap((effect) =>
    effect.kind !== "bestRoutes"
      ? []
      : effect.changes.map((one) =>
          one.kind === "unreach"
            ? `${Prefix.format(one.prefix)} gone`
            : `${Prefix.format(one.prefix)} via ${one.nextHops.map((hop) => IpAddress.format(hop.address)).join(",")}`,
        ),
  );
}
