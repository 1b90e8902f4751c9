import { setImmediate } from "node:timers/promises";
import type { Revision } from "@caracal/datastore";
import { givenUpAfter, type Ipam, Nanos, type StoredSurplus } from "@caracal/ipam";
import type { Node } from "@caracal/resources";
import type { Log } from "../observe/log.ts";
import type { Metrics } from "../observe/metrics.ts";

export interface HandleAuditOptions {
  readonly node: string;
  /** The cluster's nodes, among which the listing of handles goes round. */
  readonly nodes: () => readonly Pick<Node, "metadata">[];
  readonly ipam: Pick<Ipam, "surplusHandles" | "surplusOf" | "correctHandle">;
  readonly repairs: boolean;
  /** A handle that counts too much, unchanged for so long and a minute at least, is left over. */
  readonly graceSeconds: number;
  readonly mayWrite: () => boolean;
  readonly now: () => Nanos;
  readonly log: Log;
  readonly metrics: Pick<Metrics, "ipamSurplusHandles" | "ipamHandlesCorrected">;
}

/** Handles kept in mind at once; others are found in a later turn. */
const suspectsMost = 1_024;
/** Handles looked at again, or corrected, at one look; each asks the datastore a few times. */
const handledMost = 64;
/** Those named in a status; how many more there are is a number. */
const namedMost = 16;
/** For so long one that was proven is not asked about again, when it is not to be corrected. */
const provenForSeconds = 3_600;

interface Suspect {
  readonly found: StoredSurplus;
  readonly firstSeen: Nanos;
  /** The last time that the datastore was asked, after the grace time, and said the same. */
  readonly provenAt?: Nanos;
}

/**
 * Looks for handles that count addresses which no block gives them: what an assignment or a release leaves that stopped halfway.
 * They cost no address and belong to no node, so that the nodes take turns: in each grace time one of them lists the cluster's
 * handles and blocks. What it found is looked at again a grace time later, by name; a handle of the same revision, which any
 * assignment would have changed, that still counts too much is named, and corrected when the node was told to repair.
 */
export class HandleAudit {
  readonly #options: HandleAuditOptions;
  #suspects = new Map<string, Suspect>();
  #lastTurn: bigint | undefined;

  constructor(options: HandleAuditOptions) {
    this.#options = options;
  }

  /** The handles that are known to be left over, a line each. */
  get troubles(): readonly string[] {
    const proven = this.#proven;
    const lines = proven.slice(0, namedMost).map(describe);
    const more = proven.length - lines.length;
    return more > 0 ? [...lines, `${more} more handles count addresses that they do not have`] : lines;
  }

  /** One look: those that are due, and all of the cluster's when it is the node's turn. */
  async look(): Promise<void> {
    const { metrics, mayWrite, now, repairs } = this.#options;
    const time = now();
    await this.#prove(time);
    if (repairs && mayWrite()) await this.#correct();
    await this.#takeTurn(time);
    metrics.ipamSurplusHandles.set(this.#proven.length);
  }

  get #proven(): readonly Suspect[] {
    return [...this.#suspects.values()].filter(({ provenAt }) => provenAt !== undefined);
  }

  async #takeTurn(time: Nanos): Promise<void> {
    const { graceSeconds, ipam, now } = this.#options;
    const turn = time / Nanos.fromSeconds(graceSeconds);
    if (turn === this.#lastTurn || !this.#isMine(turn)) return;
    // Pods and neighbours of the node wait for no reckoning.
    const found = await ipam.surplusHandles(() => setImmediate());
    // Not before the reading: what is written while it lasts is no older than that.
    const firstSeen = now();
    this.#lastTurn = turn;
    const before = this.#suspects;
    this.#suspects = new Map(
      found.slice(0, suspectsMost).map((one) => {
        const known = before.get(one.id);
        const isSame = known?.found.revision === one.revision;
        return [one.id, isSame ? known : { found: one, firstSeen }];
      }),
    );
  }

  #isMine(turn: bigint): boolean {
    const names = this.#options.nodes().map(({ metadata }) => metadata.name);
    const place = names.toSorted().indexOf(this.#options.node);
    return place >= 0 && turn % BigInt(names.length) === BigInt(place);
  }

  /** Asks the datastore about those whose grace time is over; what has changed is forgotten. */
  async #prove(time: Nanos): Promise<void> {
    const { graceSeconds, ipam, log } = this.#options;
    const isDue = ({ firstSeen, provenAt }: Suspect): boolean =>
      provenAt === undefined
        ? time - firstSeen >= Nanos.fromSeconds(graceSeconds) && time - firstSeen > givenUpAfter
        : time - provenAt >= Nanos.fromSeconds(provenForSeconds);
    for (const suspect of [...this.#suspects.values()].filter(isDue).slice(0, handledMost)) {
      const { id, revision } = suspect.found;
      if (!isSame(await ipam.surplusOf(id), revision)) {
        this.#suspects.delete(id);
        continue;
      }
      if (suspect.provenAt === undefined) log.warn({ handle: describe(suspect) }, "a handle counts too much");
      this.#suspects.set(id, { ...suspect, provenAt: time });
    }
  }

  /** IPAM looks once more, and leaves alone what has changed since. */
  async #correct(): Promise<void> {
    const { ipam, log, metrics } = this.#options;
    for (const suspect of this.#proven.slice(0, handledMost)) {
      const { id, revision } = suspect.found;
      const outcome = await ipam.correctHandle(id, revision);
      this.#suspects.delete(id);
      if (outcome === "kept") continue;
      metrics.ipamHandlesCorrected.inc();
      log.warn({ handle: describe(suspect), outcome }, "corrected a handle");
    }
  }
}

function isSame(found: StoredSurplus | undefined, revision: Revision): boolean {
  return found?.revision === revision;
}

function describe({ found: { id, held, surplus }, firstSeen }: Suspect): string {
  const counts = surplus.map(
    ({ block, counted, held: has }) => `${counted} of block ${block}, which gives it ${has}`,
  );
  const what = held === 0 ? "is idle" : "counts too much";
  const since = Nanos.formatRfc3339(firstSeen);
  return `handle ${id} ${what} since ${since}: it counts ${counts.join(", ") || "nothing"}`;
}
