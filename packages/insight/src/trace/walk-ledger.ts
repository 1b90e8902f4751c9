import type { IpAddress } from "@caracal/net";
import { endText } from "./filter-step.ts";
import type { Packet } from "./packet.ts";
import type { Ends, Fork, TraceStep, Translation } from "./trace-result.ts";
import { type PlaceName, placeKey, type World } from "./world.ts";

/** What a walk collects on its way besides its hops. */
export class WalkLedger {
  readonly #about: ReadonlySet<IpAddress>;
  readonly #reverse: readonly Translation[];
  readonly #wanted = new Set<IpAddress>();
  readonly #translations: Translation[] = [];
  readonly #forks: Fork[] = [];
  readonly #choices: ReadonlyMap<string, number>;
  #pathMtu: number | undefined;

  /** `choices`: which of several equal ways to take, by place; the first one otherwise. `reverse`: what was changed on the way there, to be changed back by connection tracking. */
  constructor({ about }: World, reverse: readonly Translation[], choices: ReadonlyMap<string, number>) {
    this.#about = about;
    this.#choices = choices;
    this.#reverse = reverse;
  }

  get wantedAddresses(): readonly IpAddress[] {
    return [...this.#wanted];
  }

  get translations(): readonly Translation[] {
    return this.#translations;
  }

  get forks(): readonly Fork[] {
    return this.#forks;
  }

  get pathMtu(): number | undefined {
    return this.#pathMtu;
  }

  /** A state that was not asked for the address may lack the routes to it. */
  need(address: IpAddress): void {
    if (!this.#about.has(address)) this.#wanted.add(address);
  }

  /** Which of the ways is to be taken. */
  chooseWay(at: PlaceName, ways: readonly string[]): number {
    const taken = Math.min(this.#choices.get(placeKey(at)) ?? 0, ways.length - 1);
    this.#forks.push({ at, ways, taken });
    return taken;
  }

  noteMtu(mtu: number): void {
    this.#pathMtu = Math.min(this.#pathMtu ?? mtu, mtu);
  }

  /** Several changes at one place are one to the connection. */
  noteTranslation(at: PlaceName, before: Packet, after: Packet): void {
    if (isSame(before, after)) return;
    const index = this.#translations.findIndex(
      (one) => placeKey(one.at) === placeKey(at) && isSame(one.after, before),
    );
    const known = this.#translations[index];
    if (known === undefined) this.#translations.push({ at, before: endsOf(before), after: endsOf(after) });
    else this.#translations[index] = { ...known, after: endsOf(after) };
  }

  /** An answer to a connection whose source was changed here goes to the true source: known before its route is chosen. */
  revertDestination(at: PlaceName, packet: Packet, steps: TraceStep[]): Packet {
    const known = this.#reverse.find(
      ({ at: place, after }) =>
        placeKey(place) === placeKey(at) &&
        after.source === packet.destination &&
        after.destination === packet.source,
    );
    if (known === undefined || known.before.source === packet.destination) return packet;
    return this.#reverted(packet, { destination: known.before.source }, steps);
  }

  /** An answer to a connection whose destination was changed here seems to come from the one that was asked. */
  revertSource(at: PlaceName, packet: Packet, steps: TraceStep[]): Packet {
    const known = this.#reverse.find(
      ({ at: place, before, after }) =>
        placeKey(place) === placeKey(at) &&
        before.source === packet.destination &&
        after.destination === packet.source,
    );
    if (known === undefined || known.before.destination === packet.source) return packet;
    return this.#reverted(packet, { source: known.before.destination }, steps);
  }

  #reverted(
    packet: Packet,
    change: Partial<Pick<Packet, "source" | "destination">>,
    steps: TraceStep[],
  ): Packet {
    const changed = { ...packet, ...change };
    const isSource = change.source !== undefined;
    steps.push({
      kind: "nat",
      how: "reply",
      from: endText(isSource ? packet.source : packet.destination, undefined),
      to: endText(isSource ? changed.source : changed.destination, undefined),
      by: "connection tracking",
    });
    return changed;
  }
}

function isSame(a: Ends, b: Ends): boolean {
  return (
    a.source === b.source &&
    a.destination === b.destination &&
    a.sourcePort === b.sourcePort &&
    a.destinationPort === b.destinationPort
  );
}

function endsOf({ source, destination, sourcePort, destinationPort }: Packet): Ends {
  return {
    source,
    destination,
    ...(sourcePort === undefined ? {} : { sourcePort }),
    ...(destinationPort === undefined ? {} : { destinationPort }),
  };
}
