import type { SpeakerConfiguration } from "./config/read-config.ts";

/** What a new file changes. Neighbours are named; those not named stay as they are. */
export interface Difference {
  readonly added: readonly string[];
  readonly removed: readonly string[];
  readonly changed: readonly string[];
  readonly unchangedCount: number;
  /** What cannot change under a running speaker: every session starts anew. */
  readonly restartsBecause: readonly string[];
  /** Filters that are new, gone or other than before. */
  readonly filtersChanged: readonly string[];
  readonly isStaticChanged: boolean;
  readonly isBestPathChanged: boolean;
  readonly isBmpChanged: boolean;
  readonly isKernelChanged: boolean;
  readonly isControlChanged: boolean;
}

export function difference(before: SpeakerConfiguration, after: SpeakerConfiguration): Difference {
  const [was, are] = [
    [...before.peers, ...before.ranges],
    [...after.peers, ...after.ranges],
  ];
  const old = new Map(was.map((peer) => [peer.name, peer]));
  const names = new Set(are.map(({ name }) => name));
  const added: string[] = [];
  const changed: string[] = [];
  for (const peer of are) {
    const known = old.get(peer.name);
    if (known === undefined) added.push(peer.name);
    else if (!isSame([known, before.transports.get(peer.name)], [peer, after.transports.get(peer.name)])) {
      changed.push(peer.name);
    }
  }
  const identity: Readonly<Record<string, (one: SpeakerConfiguration) => unknown>> = {
    routerId: ({ routerId }) => routerId,
    asn: ({ asn }) => asn,
    listen: ({ listen }) => listen,
    // Whether next hops are looked up, and best routes told, is settled when a speaker starts.
    kernel: ({ kernel }) => kernel !== undefined,
    // A station is told how each session began, which only who watched from the start knows.
    bmp: ({ stations }) => stations.length > 0,
  };
  return {
    added,
    removed: was.map(({ name }) => name).filter((name) => !names.has(name)),
    changed,
    unchangedCount: are.length - added.length - changed.length,
    restartsBecause: Object.keys(identity).filter((key) => {
      const part = identity[key];
      return part !== undefined && !isSame(part(before), part(after));
    }),
    filtersChanged: [...new Set([...before.filters.keys(), ...after.filters.keys()])].filter(
      (name) => !isSame(before.filters.get(name), after.filters.get(name)),
    ),
    isStaticChanged: !isSame([before.origins, before.statics], [after.origins, after.statics]),
    isBestPathChanged: !isSame(before.bestPath, after.bestPath),
    isBmpChanged: !isSame(before.stations, after.stations),
    isKernelChanged: !isSame(before.kernel, after.kernel),
    isControlChanged: before.control !== after.control,
  };
}

function isSame(a: unknown, b: unknown): boolean {
  return fingerprint(a) === fingerprint(b);
}

function fingerprint(value: unknown): string {
  return JSON.stringify([value], (_key, part: unknown) => (typeof part === "bigint" ? `${part}n` : part));
}
