/** Several actors, each with its own IPAM on a shared world, and what must hold of them in every state. */
import assert from "node:assert/strict";
import { type Entry, keys, type Store, StoreError } from "@caracal/datastore";
import {
  type AssignResult,
  Ipam,
  IpamError,
  type IpamSettings,
  type IpamSnapshot,
  type IpamView,
  Nanos,
  Reservations,
} from "@caracal/ipam";
import { Prefix } from "@caracal/net";
import { assertReclaimable, Ledger, readSafe } from "./ledger.ts";
import { SteppedWorld } from "@caracal/testbed";

/** When plays begin. */
export const startSeconds = 1_767_323_045;

/**
 * How the actors write: each in transactions, each with single writes, so and on a store for which a write of the same value
 * is none, as Kubernetes', or by turns, as nodes of different kinds do.
 */
export const writings = ["transactions", "single writes", "elided writes", "mixed"] as const;
export type Writing = (typeof writings)[number];

export function settingsOf(
  cidr: string,
  blockSize: number,
  isStrict = false,
  ipCooldownSeconds = 0,
): IpamSettings {
  const network = Prefix.parse(cidr);
  assert.ok(network !== undefined);
  return {
    pools: [
      {
        name: "pool",
        cidr: network,
        blockSize,
        isEnabled: true,
        isAutomatic: true,
        uses: ["Workload"],
        nodeSelector: "all()",
        namespaceSelector: "",
      },
    ],
    reservations: new Reservations([]),
    config: {
      strict_affinity: isStrict,
      auto_allocate_blocks: true,
      maxBlocksPerHost: 0,
      ipCooldownSeconds,
    },
    nodeLabels: {},
  };
}

export interface PlayOptions {
  readonly writing: Writing;
  readonly nodes: readonly string[];
  readonly settings: IpamSettings;
  /** How often a compare-and-swap is tried. Giving up is like a crash with an error: whatever is left must be safe. */
  readonly attempts?: number;
  readonly world?: SteppedWorld;
  /** How many operations of one way fail, as far as an exploration goes. */
  readonly mostFailures?: number;
  /** Whose operations; anyone's unless told. */
  readonly failing?: string | undefined;
  /** Contents of the world from which everything was reclaimed once, read; shared by the plays of one exploration. */
  readonly reclaimed?: Map<string, IpamSnapshot>;
  /** What watches told the actors before the play began, and nothing since: none unless told. */
  readonly watched?: readonly Entry[];
}

/** A node's view of entries. */
export function viewOf(entries: readonly Entry[], node: string): IpamView {
  const under = (prefix: string): ReadonlyMap<string, Entry> =>
    new Map(entries.flatMap((entry) => (entry.key.startsWith(prefix) ? [[entry.key, entry]] : [])));
  return {
    blocks: under(keys.blocks()),
    affinities: under(keys.affinities({ kind: "host", name: node })),
  };
}

export class Play {
  readonly world: SteppedWorld;
  readonly ledger = new Ledger();
  readonly nodes: readonly string[];
  readonly mostFailures: number;
  readonly failing: string | undefined;
  readonly #settings: IpamSettings;
  readonly #attempts: number;
  readonly #failures: unknown[] = [];
  readonly #writing: Writing;
  readonly #reclaimed: Map<string, IpamSnapshot>;
  readonly #watched: readonly Entry[] | undefined;
  #actorCount = 0;
  seconds = startSeconds;

  constructor(options: PlayOptions) {
    const { writing, attempts = 3, reclaimed = new Map() } = options;
    const manner = { elidesSameValues: writing === "elided writes" };
    this.world = options.world ?? new SteppedWorld(undefined, manner);
    this.nodes = options.nodes;
    this.mostFailures = options.mostFailures ?? 0;
    this.failing = options.failing;
    this.#writing = writing;
    this.#settings = options.settings;
    this.#attempts = attempts;
    this.#reclaimed = reclaimed;
    this.#watched = options.watched;
  }

  /** A store for one more actor. */
  storeOf(actor: string): Store {
    this.#actorCount += 1;
    const transacts =
      this.#writing === "mixed" ? this.#actorCount % 2 === 1 : this.#writing === "transactions";
    return transacts ? this.world.transactingStoreOf(actor) : this.world.storeOf(actor);
  }

  ipamOf(node: string, store = this.storeOf(node), view = this.#viewOf(node)): Ipam {
    const now = (): Nanos => Nanos.fromSeconds(this.seconds);
    const settings = (): Promise<IpamSettings> => Promise.resolve(this.#settings);
    const attempts = this.#attempts;
    return new Ipam({ store, node, now, settings, attempts, ...(view !== undefined && { view }) });
  }

  #viewOf(node: string): IpamView | undefined {
    return this.#watched === undefined ? undefined : viewOf(this.#watched, node);
  }

  begin(act: () => Promise<unknown>): void {
    act().catch((error: unknown) => {
      // The store is only away where the scheduler has it so.
      if (error instanceof StoreError) return;
      const isContention = error instanceof IpamError && error.code === "contention";
      if (!isContention || this.#attempts > 10) this.#failures.push(error);
    });
  }

  /** Does something once more when the store was away: whether it has happened before is not known then. */
  async persist(act: () => Promise<unknown>): Promise<void> {
    try {
      await act();
    } catch (error) {
      if (!(error instanceof StoreError)) throw error;
      await act();
    }
  }

  /** What must hold at every moment. */
  checkSafety(): void {
    this.#checkActors();
    this.ledger.check(readSafe(this.world));
  }

  /** The same, and that all could be reclaimed if every actor stopped for ever now. */
  readonly check = async (): Promise<void> => {
    this.#checkActors();
    const key = this.world.contentKey();
    const known = this.#reclaimed.get(key);
    const snapshot = known ?? readSafe(this.world);
    this.ledger.check(snapshot);
    if (known !== undefined) return;
    this.#reclaimed.set(key, snapshot);
    const left = this.world.copy();
    const now = this.seconds;
    const pass = (): void => void (this.seconds += 61);
    const janitor = this.ipamOf("janitor", left.immediateStore(), undefined);
    const { config, pools } = this.#settings;
    const resting = config.ipCooldownSeconds > 0 ? pools[0]?.cidr : undefined;
    await assertReclaimable(left, janitor, this.nodes, pass, resting);
    this.seconds = now;
  };

  #checkActors(): void {
    const [failure] = this.#failures;
    if (failure !== undefined) throw failure;
  }

  /** `assign` by a handle, as the ledger sees it. */
  assign(ipam: Ipam, handle: string, count = 1): Promise<void> {
    return this.ledger.assigning(handle, async () => {
      const result: AssignResult = await ipam.assign({ family: 6, handle, attributes: {}, count });
      return result.kind === "refused" ? [] : result.addresses;
    });
  }

  /** `releaseHandle`, as the ledger sees it. */
  release(ipam: Ipam, handle: string): Promise<void> {
    return this.ledger.releasing(handle, () => ipam.releaseHandle(handle));
  }
}
