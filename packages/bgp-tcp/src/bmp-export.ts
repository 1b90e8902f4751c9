import {
  BmpMonitor,
  type PeerSnapshot,
  type Listings,
  type SpeakerEffect,
  type SpeakerEvent,
  TerminationReason,
  encodeInitiation,
  encodeTermination,
} from "@caracal/bgp";
import {
  BmpStation,
  type BmpStationAddress,
  type BmpStationEvents,
  type BmpStationFact,
} from "./bmp-station.ts";
import { type Clock } from "./clock.ts";

/** Whom to tell what peers say, by BMP (RFC 7854). */
export interface BmpOptions {
  /** What stations know this router by. */
  readonly system: { readonly name: string; readonly description: string };
  readonly stations: readonly BmpStationAddress[];
  /** How often to send counters; absent: never. */
  readonly statisticsMs?: number;
  readonly onFact?: (fact: BmpStationFact) => void;
}

/** What stations are told of: a running speaker. */
export interface MonitoredSpeaker {
  peers(): readonly PeerSnapshot[];
  readonly listings: Pick<Listings, "routes">;
}

/** Feeds monitoring stations from one speaker. */
export class BmpExport {
  readonly #options: BmpOptions;
  readonly #clock: Clock;
  readonly #speaker: MonitoredSpeaker;
  readonly #monitor = new BmpMonitor();
  readonly #events: BmpStationEvents;
  /** By what is told of them, so that one that did not change keeps its connection. */
  readonly #stations = new Map<string, BmpStation>();
  #isStarted = false;
  #cancelStatistics: (() => void) | undefined;

  constructor(options: BmpOptions, speaker: MonitoredSpeaker, clock: Clock) {
    this.#options = options;
    this.#speaker = speaker;
    this.#clock = clock;
    this.#events = {
      firstMessages: () => this.#firstMessages(),
      onFact: (fact: BmpStationFact) => options.onFact?.(fact),
    };
    for (const station of options.stations) this.#stations.set(keyOf(station), this.#station(station));
  }

  start(): void {
    this.#isStarted = true;
    for (const station of this.#stations.values()) station.start();
    this.#planStatistics();
  }

  /** The stations are now these; connections with those that stay go on. */
  setStations(stations: readonly BmpStationAddress[]): void {
    const wanted = new Map(stations.map((station) => [keyOf(station), station]));
    for (const [key, station] of this.#stations) {
      if (wanted.has(key)) continue;
      this.#stations.delete(key);
      void station.stop(encodeTermination(TerminationReason.administrativelyClosed));
    }
    for (const [key, address] of wanted) {
      if (this.#stations.has(key)) continue;
      const station = this.#station(address);
      this.#stations.set(key, station);
      if (this.#isStarted) station.start();
    }
  }

  /** What happened to the speaker, and what it wants done for it; the event's bytes are read during the call only. */
  observe(event: SpeakerEvent, effects: readonly SpeakerEffect[], now: number): void {
    this.#send(this.#monitor.observe(event, effects, now));
  }

  async stop(): Promise<void> {
    this.#cancelStatistics?.();
    const last = encodeTermination(TerminationReason.administrativelyClosed);
    await Promise.all(Array.from(this.#stations.values(), (station) => station.stop(last)));
  }

  #station(address: BmpStationAddress): BmpStation {
    return new BmpStation(address, this.#events, this.#clock);
  }

  /**
   * The routes are read as the station takes them, so that a large table is never copied. What changes in between the
   * station hears afterwards, so that it ends with what is true.
   */
  #firstMessages(): Iterable<Uint8Array> {
    const routes = this.#speaker.listings.routes().filter((route) => route !== undefined);
    const table = this.#monitor.table(routes, this.#clock.now());
    const first = table.next();
    const { system } = this.#options;
    return (function* (): Generator<Uint8Array> {
      yield encodeInitiation(system);
      if (first.done === true) return;
      yield first.value;
      yield* table;
    })();
  }

  #send(messages: readonly Uint8Array[]): void {
    for (const station of this.#stations.values()) station.send(messages);
  }

  #planStatistics(): void {
    const { statisticsMs } = this.#options;
    if (statisticsMs === undefined) return;
    this.#cancelStatistics = this.#clock.after(statisticsMs, () => {
      // Counting walks all routes, which is only worth it for somebody.
      if (this.#stations.values().some(({ isUp }) => isUp)) {
        this.#send(this.#monitor.statistics(this.#speaker.peers(), this.#clock.now()));
      }
      this.#planStatistics();
    });
  }
}

function keyOf(station: BmpStationAddress): string {
  return JSON.stringify(station, (_key, value: unknown) => (typeof value === "bigint" ? `${value}n` : value));
}
