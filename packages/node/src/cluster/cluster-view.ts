import { setTimeout as delay } from "node:timers/promises";
import {
  type Entry,
  keys,
  resourceReading,
  type Store,
  type SyncChange,
  Syncer,
  type SyncStatus,
} from "@caracal/datastore";
import type { BlockAffinity, ClusterResources, RoutedBlock } from "@caracal/intent";
import type { IpamView } from "@caracal/ipam";
import { type Cancellation, Prefix } from "@caracal/net";
import {
  type AllocationBlock,
  BlockAffinityCodec,
  type KindName,
  kinds,
  readKubernetesEndpointSlice,
  readKubernetesService,
  type Resources,
  type WorkloadEndpoint,
} from "@caracal/resources";
import { BlockTable } from "./block-table.ts";
import { WorkloadTable } from "./workload-table.ts";
import { kubernetesTable, resourceTable, ViewTable } from "./view-table.ts";

/** The kinds that a node's intent depends on. */
const watchedKinds = [
  "Node",
  "IPPool",
  "BGPConfiguration",
  "BGPPeer",
  "BGPFilter",
  "FelixConfiguration",
  "ClusterInformation",
  "WorkloadEndpoint",
] as const satisfies readonly KindName[];

type WatchedKind = (typeof watchedKinds)[number];
const affinityPart = "BlockAffinity";
const blockPart = "IPAMBlock";
/** As Calico names Kubernetes' own kinds among its resources; the values are Kubernetes' documents. */
const servicesPart = "kubernetesservices";
const endpointSlicesPart = "kubernetesendpointslices";

export interface ClusterViewOptions {
  readonly node: string;
  readonly store: Store;
  /** Something changed; what, is read from the view. */
  readonly onChange: () => void;
  /** A part fell out of step with the datastore, or is back. */
  readonly onStatus: (status: SyncStatus, part: string) => void;
  /** Waits between attempts to reach the datastore; with the machine's clock unless told. */
  readonly sleep?: (ms: number, signal: Cancellation) => Promise<void>;
}

/**
 * The cluster as the datastore last told it, kept current by watches. While the datastore is away the last known state
 * stays: nothing is forgotten because it cannot be asked.
 */
export class ClusterView {
  readonly #options: ClusterViewOptions;
  readonly #tables: { readonly [K in WatchedKind]: ViewTable<Resources[K]> };
  readonly #services = kubernetesTable(readKubernetesService);
  readonly #endpointSlices = kubernetesTable(readKubernetesEndpointSlice);
  readonly #blocks: BlockTable;
  readonly #workloads = new WorkloadTable(() => this.#endpointEntries());
  readonly #affinities = new Map<string, BlockAffinity>();
  readonly #claims = new Map<string, Claim>();
  readonly #affinitySyncer: Syncer;
  readonly #blockSyncer: Syncer;
  readonly #syncers: readonly Syncer[];
  /** What IPAM may look for blocks by. */
  readonly ipam: IpamView;
  #resources: ClusterResources | undefined;

  constructor(options: ClusterViewOptions) {
    this.#options = options;
    this.#blocks = new BlockTable(options.node);
    this.#tables = {
      Node: resourceTable("Node"),
      IPPool: resourceTable("IPPool"),
      BGPConfiguration: resourceTable("BGPConfiguration"),
      BGPPeer: resourceTable("BGPPeer"),
      BGPFilter: resourceTable("BGPFilter"),
      FelixConfiguration: resourceTable("FelixConfiguration"),
      ClusterInformation: resourceTable("ClusterInformation"),
      // A cluster has a hundred times as many pods as a node.
      WorkloadEndpoint: new ViewTable({
        read: (entry) => resourceReading("WorkloadEndpoint", entry),
        isWanted: ({ spec }) => spec.node === options.node,
      }),
    };
    const affinities = keys.affinities({ kind: "host", name: options.node });
    this.#affinitySyncer = this.#syncer(affinityPart, affinities, (changes) =>
      this.#applyAffinities(changes),
    );
    this.#blockSyncer = this.#syncer(blockPart, keys.blocks(), (changes) => this.#blocks.apply(changes));
    this.ipam = ipamView(this.#blockSyncer, this.#affinitySyncer);
    this.#syncers = [
      ...watchedKinds.map((kind) =>
        this.#syncer(kind, keys.resources(kinds[kind].plural), (changes) => {
          const changed = this.#tables[kind].apply(changes);
          if (kind !== "WorkloadEndpoint") this.#resources = undefined;
          else if (this.#workloads.apply(changes)) return true;
          return changed;
        }),
      ),
      ...(
        [
          [servicesPart, this.#services],
          [endpointSlicesPart, this.#endpointSlices],
        ] as const
      ).map(([part, table]) =>
        this.#syncer(part, keys.resources(part), (changes) => {
          this.#resources = undefined;
          return table.apply(changes);
        }),
      ),
      this.#affinitySyncer,
      this.#blockSyncer,
    ];
  }

  /** Follows the datastore until the signal aborts. */
  async run(signal: Cancellation): Promise<void> {
    await Promise.all(this.#syncers.map((syncer) => syncer.run(signal)));
  }

  /** Every part has been listed at least once, so that the view is a state the cluster really had. */
  get isComplete(): boolean {
    return this.#syncers.every((syncer) => syncer.status.kind !== "starting");
  }

  /** Every part is being watched now. */
  get isCurrent(): boolean {
    return this.#syncers.every((syncer) => syncer.status.kind === "inSync");
  }

  /** Why the view is not current, or undefined. */
  get staleBecause(): string | undefined {
    for (const { status } of this.#syncers) {
      if (status.kind !== "inSync")
        return "reason" in status ? status.reason : "the datastore is being listed";
    }
    return undefined;
  }

  /** The same object until something in it changes. */
  get resources(): ClusterResources {
    this.#resources ??= {
      nodes: this.#tables.Node.values(),
      pools: this.#tables.IPPool.values(),
      bgpConfigurations: this.#tables.BGPConfiguration.values(),
      bgpPeers: this.#tables.BGPPeer.values(),
      bgpFilters: this.#tables.BGPFilter.values(),
      felixConfigurations: this.#tables.FelixConfiguration.values(),
      services: this.#services.values(),
      endpointSlices: this.#endpointSlices.values(),
      unreadable: Object.values(this.#tables).flatMap((table) => table.problems()),
    };
    return this.#resources;
  }

  /** Every block of the cluster; the same object until something in it changes. */
  get blocks(): readonly RoutedBlock[] {
    return this.#blocks.values();
  }

  /** The records of the blocks of which this node has addresses. */
  get usedBlocks(): readonly AllocationBlock[] {
    return this.#blocks.used;
  }

  /** Every workload of the cluster by its addresses; the same object until something in it changes. */
  get workloads(): readonly RoutedBlock[] {
    return this.#workloads.values();
  }

  /** This node's claims on blocks, those included that the watch has yet to tell of. */
  get affinities(): readonly BlockAffinity[] {
    return [...this.#affinities.values(), ...[...this.#claims.values()].map(({ affinity }) => affinity)];
  }

  /** This node's IPAM has claimed the block for good: it counts from now on, before the watch tells. */
  claimed(block: Prefix): void {
    const affinity = { node: this.#options.node, block, state: "confirmed" } as const;
    this.#claims.set(Prefix.key(block), { affinity, isBeforeBreak: false });
  }

  /** This node's own endpoints. */
  get endpoints(): readonly WorkloadEndpoint[] {
    return this.#tables.WorkloadEndpoint.values();
  }

  /** `ClusterInformation.datastoreReady`: false while the datastore is locked, otherwise true. */
  get isDatastoreReady(): boolean {
    const found = this.#tables.ClusterInformation.values().find(
      ({ metadata }) => metadata.name === "default",
    );
    return found?.spec.datastoreReady !== false;
  }

  #endpointEntries(): Iterable<Entry> {
    return this.#syncers[watchedKinds.indexOf("WorkloadEndpoint")]?.entries.values() ?? [];
  }

  #syncer(part: string, prefix: string, apply: (changes: readonly SyncChange[]) => boolean): Syncer {
    return new Syncer({
      store: this.#options.store,
      prefix,
      sleep: this.#options.sleep ?? pause,
      onChanges: (changes) => {
        if (apply(changes)) this.#options.onChange();
      },
      onStatus: (status) => {
        if (part === affinityPart) this.#checkClaims(status);
        this.#options.onStatus(status, part);
        this.#options.onChange();
      },
    });
  }

  #applyAffinities(changes: readonly SyncChange[]): boolean {
    for (const change of changes) {
      const key = change.kind === "put" ? change.entry.key : change.key;
      const affinity = change.kind === "put" ? readAffinity(key, change.entry.value) : undefined;
      if (affinity === undefined) this.#affinities.delete(key);
      else this.#affinities.set(key, affinity);
      // A claim is pending before it is confirmed: only what comes after is as new as what IPAM said.
      if (affinity?.state !== "pending") this.#claims.delete(blockKeyOf(key));
    }
    return changes.length > 0;
  }

  /** A list taken after a break shows everything that was claimed before it; what is not there was given up meanwhile. */
  #checkClaims(status: SyncStatus): void {
    for (const [key, claim] of this.#claims) {
      if (status.kind === "away") claim.isBeforeBreak = true;
      else if (status.kind === "inSync" && claim.isBeforeBreak) this.#claims.delete(key);
    }
  }
}

/** A block that IPAM has claimed and the watch has not told of. */
interface Claim {
  readonly affinity: BlockAffinity;
  isBeforeBreak: boolean;
}

/** What each of the syncers knows, while it is in sync. */
function ipamView(blocks: Syncer, affinities: Syncer): IpamView {
  const whenSynced = (syncer: Syncer): ReadonlyMap<string, Entry> | undefined =>
    syncer.status.kind === "inSync" ? syncer.entries : undefined;
  return {
    get blocks() {
      return whenSynced(blocks);
    },
    get affinities() {
      return whenSynced(affinities);
    },
  };
}

function blockKeyOf(key: string): string {
  const parsed = keys.parse(key);
  return parsed?.kind === "affinity" ? Prefix.key(parsed.cidr) : "";
}

function readAffinity(key: string, value: string): BlockAffinity | undefined {
  const parsed = keys.parse(key);
  if (parsed?.kind !== "affinity" || parsed.owner.kind !== "host") return undefined;
  const record = BlockAffinityCodec.parse(value);
  if (record.kind === "bad") return undefined;
  return { node: parsed.owner.name, block: parsed.cidr, state: record.value.state };
}

/** Waits, or returns early when the signal aborts: what a syncer sleeps by. */
export async function pause(ms: number, signal: Cancellation): Promise<void> {
  if (signal.aborted) return;
  const stop = new AbortController();
  const abort = (): void => stop.abort();
  signal.addEventListener("abort", abort);
  try {
    await delay(ms, undefined, { signal: stop.signal, ref: false });
  } catch (error) {
    if (!stop.signal.aborted) throw error;
  } finally {
    signal.removeEventListener("abort", abort);
  }
}
