import { type Policies } from "../export/policy.ts";
import { type Resolution } from "../rib/next-hops.ts";
import { type Millis } from "../session/session-config.ts";
import { formatEvent, formatLine, isEvent, parseLine } from "./event-lines.ts";
import {
  type SpeakerConfig,
  type SpeakerEffect,
  type SpeakerEvent,
  speakerDefaults,
} from "./speaker-events.ts";
import { Speaker, type SpeakerPorts } from "./speaker.ts";

/** A line that is none of a recording's: a file that was cut off, or is something else. */
export class RecordingError extends Error {
  readonly code = "recording";
  /** From 1. */
  readonly line: number;

  constructor(line: number, what: string) {
    super(`line ${line} of the recording ${what}`);
    this.name = "RecordingError";
    this.line = line;
  }
}

/**
 * Writes down what a speaker is told, a line of JSON each: its configuration, its events with their times, and what chance
 * and the resolver answered. Nothing else goes into it, so `replay` does the very same again.
 */
export class Recorder {
  readonly #write: (line: string) => void;
  readonly #ports: SpeakerPorts;

  constructor(config: SpeakerConfig, ports: SpeakerPorts, write: (line: string) => void) {
    this.#write = write;
    this.#ports = ports;
    // Whoever starts a speaker may have more in hand than what it is configured by.
    const names = ["routerId", "asn", ...Object.keys(speakerDefaults)];
    const own = Object.fromEntries(Object.entries(config).filter(([name]) => names.includes(name)));
    write(formatLine({ config: own }));
  }

  /** For the speaker: the same answers, written down. */
  get ports(): SpeakerPorts {
    const { resolver, random, policies } = this.#ports;
    return {
      policies,
      random: () => {
        const value = random();
        this.#write(formatLine({ random: value }));
        return value;
      },
      resolver: {
        resolve: (nextHop) => {
          const resolution = resolver.resolve(nextHop);
          this.#write(formatLine({ nextHop, resolution }));
          return resolution;
        },
      },
    };
  }

  /** Before the speaker handles it. */
  event(event: SpeakerEvent, now: Millis): void {
    this.#write(`{"at":${now},"event":${formatEvent(event)}}`);
  }
}

/** One event of a recording, and what the speaker made of it. */
export interface ReplayedEvent {
  /** As it is after the event; another one where the recording goes on with another start. */
  readonly speaker: Speaker;
  readonly at: Millis;
  readonly event: SpeakerEvent;
  readonly effects: readonly SpeakerEffect[];
}

/** What is known of the world before an event is handled. */
class Answers {
  readonly #random: number[] = [];
  /** The resolver's last word on each. */
  readonly #resolutions = new Map<number | bigint, Resolution>();

  /** Whether a line was an answer. */
  take(value: object): boolean {
    if ("random" in value && typeof value.random === "number") {
      this.#random.push(value.random);
      return true;
    }
    if (!("nextHop" in value && "resolution" in value) || !isResolution(value.resolution)) return false;
    const { nextHop, resolution } = value;
    if (typeof nextHop !== "number" && typeof nextHop !== "bigint") return false;
    this.#resolutions.set(nextHop, resolution);
    return true;
  }

  ports(policies: Policies): SpeakerPorts {
    return {
      policies,
      random: () => this.#random.shift() ?? 0,
      resolver: { resolve: (nextHop) => this.#resolutions.get(nextHop) ?? { reachable: false } },
    };
  }
}

/**
 * Does again what a recording tells, event by event. `policies` are those that were code then; all others are in it. Throws
 * `RecordingError` at a line that does not belong there.
 */
export function* replay(lines: Iterable<string>, policies: Policies = new Map()): Generator<ReplayedEvent> {
  let config: SpeakerConfig | undefined;
  let speaker: Speaker | undefined;
  let answers = new Answers();
  let due: Due | undefined;
  let number = 0;
  for (const line of lines) {
    number += 1;
    const value = parseLine(line);
    if (typeof value !== "object" || value === null) throw new RecordingError(number, "is not JSON");
    const begins = "config" in value && isConfig(value.config) ? value.config : undefined;
    if (begins === undefined && config === undefined) {
      throw new RecordingError(number, "comes before any configuration");
    }
    if (answers.take(value)) continue;
    // What was answered while an event was handled stands behind it.
    if (due !== undefined) yield handled(due);
    due = undefined;
    if (begins !== undefined) {
      config = begins;
      speaker = undefined;
      answers = new Answers();
    } else if (config !== undefined && isEventLine(value)) {
      // Made only now: it asks for chance as it begins, and those answers stand behind its configuration.
      speaker ??= new Speaker(config, answers.ports(policies));
      due = { speaker, at: value.at, event: value.event };
    } else {
      throw new RecordingError(number, "is nothing that was written down");
    }
  }
  if (due !== undefined) yield handled(due);
}

function isEventLine(value: object): value is { readonly at: Millis; readonly event: SpeakerEvent } {
  return "at" in value && typeof value.at === "number" && "event" in value && isEvent(value.event);
}

type Due = Omit<ReplayedEvent, "effects">;

function handled(due: Due): ReplayedEvent {
  return { ...due, effects: due.speaker.handle(due.event, due.at) };
}

function isConfig(value: unknown): value is SpeakerConfig {
  const names = ["routerId", "asn", ...Object.keys(speakerDefaults)];
  return typeof value === "object" && value !== null && names.every((name) => name in value);
}

function isResolution(value: unknown): value is Resolution {
  return typeof value === "object" && value !== null && "reachable" in value;
}
