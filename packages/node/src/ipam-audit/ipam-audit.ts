import { keys, readResource, type Store, StoreError } from "@caracal/datastore";
import {
  assignmentKey,
  type AuditedAllocation,
  type Ipam,
  IpamError,
  type LeakSuspect,
  LeakWatch,
  Nanos,
} from "@caracal/ipam";
import { type Cancellation, IpAddress, Prefix } from "@caracal/net";
import {
  type AllocationBlock,
  AllocationBlockCodec,
  type Node,
  nodeKind,
  type WorkloadEndpoint,
  workloadEndpointKind,
} from "@caracal/resources";
import type { PodName } from "../cni/cni-call.ts";
import type { ContainerToForget } from "../cni/forget-container.ts";
import { QueueFullError } from "../cni/keyed-queue.ts";
import { pause } from "../cluster/cluster-view.ts";
import type { Log } from "../observe/log.ts";
import type { Metrics } from "../observe/metrics.ts";
import { HandleAudit } from "./handle-audit.ts";
import { ForgottenContainers } from "./forgotten-containers.ts";
import { type Evidence, podOf, suspectsIn } from "./suspicion.ts";

/** Whether leaks are looked for, and what becomes of them. */
export type IpamAuditMode = "off" | "report" | "repair";

/** What the daemon's watches know, so that looking costs the datastore nothing. */
export interface AuditView {
  /** False while a watch is behind: then nothing is concluded. */
  readonly isCurrent: boolean;
  /** Those of which the node has addresses. */
  readonly usedBlocks: readonly AllocationBlock[];
  /** The node's own. */
  readonly endpoints: readonly WorkloadEndpoint[];
  /** The cluster's nodes. */
  readonly resources: { readonly nodes: readonly Pick<Node, "metadata">[] };
}

export interface IpamAuditOptions {
  readonly node: string;
  readonly store: Store;
  readonly view: AuditView;
  readonly ipam: Pick<Ipam, "release" | "addressesOf" | "surplusHandles" | "surplusOf" | "correctHandle">;
  readonly mode: Exclude<IpamAuditMode, "off">;
  /** An allocation that nobody has for so long is leaked. */
  readonly graceSeconds: number;
  readonly hasInterface: Evidence["hasInterface"];
  readonly interfacePrefix?: Evidence["interfacePrefix"];
  readonly mayWrite: () => boolean;
  /** Does work about a pod while no CNI call about it is under way. */
  readonly inTurnOf: (pod: PodName, work: () => Promise<boolean>) => Promise<boolean>;
  /** Does what the DEL of a container would do, if it is still gone; says whether it was. */
  readonly forget: (container: ContainerToForget, isGone: () => boolean) => Promise<boolean>;
  readonly now: () => Nanos;
  readonly log: Log;
  readonly metrics: Pick<
    Metrics,
    "ipamLeakCandidates" | "ipamLeaks" | "ipamReclaimed" | "ipamSurplusHandles" | "ipamHandlesCorrected"
  >;
  readonly sleep?: (ms: number, signal: Cancellation) => Promise<void>;
}

/** Looked so often while the grace time passes, within bounds. */
const looksPerGrace = 3;
const leastPauseMs = 1_000;
const mostPauseMs = 300_000;
/** Leaks named in a status; how many more there are is a number. */
const namedMost = 16;
/** Handles given back at one look; each asks the datastore a few times. */
const repairedMost = 64;
/** For so long a leak that was proven, and still looks like one, is not asked about again. */
const provenForSeconds = 3600;

/** An assignment that makes a block counts its handle first, and has time for both: sooner a handle is nobody's leftover. */
const leastHandleGraceSeconds = 60;

/**
 * Looks again and again for addresses that IPAM has given to this node's pods and nobody has: no endpoint in the cluster, no
 * node, and no interface of the pod that is not another endpoint's. What the watches show twice, a grace time apart, and the
 * datastore itself at the end, is named; it is given back only when the node was told to repair. Addresses whose owners leave
 * no endpoint (tunnels, other plugins' interfaces, whatever does not name a pod) are never suspected.
 */
export class IpamAudit {
  readonly #options: IpamAuditOptions;
  readonly #watch: LeakWatch;
  readonly #handles: HandleAudit;
  /** When each was proven, by assignment. */
  #provenAt = new Map<string, Nanos>();
  readonly #containers: ForgottenContainers;
  #leaks: readonly LeakSuspect[] = [];

  constructor(options: IpamAuditOptions) {
    this.#options = options;
    this.#watch = new LeakWatch(options.graceSeconds);
    this.#handles = new HandleAudit({
      ...options,
      graceSeconds: Math.max(options.graceSeconds, leastHandleGraceSeconds),
      nodes: () => options.view.resources.nodes,
      repairs: options.mode === "repair",
    });
    this.#containers = new ForgottenContainers({ ...options, repairs: options.mode === "repair" });
  }

  /** The leaks that are known and were left, containers that have gone, and handles that count too much, a line each. */
  get troubles(): readonly string[] {
    const lines = this.#leaks.slice(0, namedMost).map(describe);
    const more = this.#leaks.length - lines.length;
    const rest = more > 0 ? [`${more} more addresses are leaked`] : [];
    return [...lines, ...rest, ...this.#containers.troubles, ...this.#handles.troubles];
  }

  /** Until the signal aborts. */
  async run(signal: Cancellation): Promise<void> {
    const { graceSeconds, log, sleep = pause } = this.#options;
    const pauseMs = Math.min(Math.max((graceSeconds * 1000) / looksPerGrace, leastPauseMs), mostPauseMs);
    for (;;) {
      await sleep(pauseMs, signal);
      if (signal.aborted) return;
      try {
        await this.look();
      } catch (error) {
        // The next look comes; until then nothing more is concluded.
        const isPassing = [StoreError, IpamError, QueueFullError].some((kind) => error instanceof kind);
        if (!isPassing || !(error instanceof Error)) throw error;
        log.debug({ reason: error.message }, "the IPAM audit could not be finished");
      }
    }
  }

  /** One observation; gives back what is due, if told to. */
  async look(): Promise<void> {
    const { metrics, mode, mayWrite, now, view } = this.#options;
    if (!view.isCurrent) return;
    const { usedBlocks: blocks, endpoints } = view;
    const suspects = this.#suspectsIn({ blocks, endpoints, nodes: [] });
    const found = this.#watch.observe(suspects, now());
    metrics.ipamLeakCandidates.set(found.suspected.length);
    const leaks = await this.#prove(found.due);
    this.#tell(leaks);
    this.#leaks = leaks;
    if (mode === "repair" && mayWrite()) await this.#repair(leaks);
    await this.#containers.look(view);
    metrics.ipamLeaks.set(this.#leaks.length + this.#containers.addressCount);
    await this.#handles.look();
  }

  /** The last look: the datastore is asked itself, and for who is not of this node too; only what is still so counts. */
  async #prove(due: readonly LeakSuspect[]): Promise<readonly LeakSuspect[]> {
    const now = this.#options.now();
    const earlier = this.#provenAt;
    const isProven = ({ allocation }: LeakSuspect): boolean => {
      const at = earlier.get(assignmentKey(allocation));
      const isRecent = at !== undefined && now - at < Nanos.fromSeconds(provenForSeconds);
      // What may be given back now is asked about now.
      return isRecent && this.#options.mode === "report";
    };
    const open = due.filter((one) => !isProven(one));
    const still = open.length === 0 ? new Set<string>() : await this.#ownerless(open);
    const leaks = due.filter((one) => isProven(one) || still.has(assignmentKey(one.allocation)));
    this.#provenAt = new Map(
      leaks.map(({ allocation }) => {
        const key = assignmentKey(allocation);
        return [key, still.has(key) ? now : (earlier.get(key) ?? now)];
      }),
    );
    return leaks;
  }

  /** Blocks are read before those who may have their addresses: an owner who comes in between is seen. */
  async #ownerless(suspects: readonly LeakSuspect[], namespace?: string): Promise<ReadonlySet<string>> {
    const { store } = this.#options;
    const blocks = await this.#blocksOf(suspects);
    const [endpoints, nodes] = await Promise.all([
      store.list(keys.resources(workloadEndpointKind.plural, namespace)),
      store.list(keys.resources(nodeKind.plural)),
    ]);
    const evidence = {
      blocks,
      endpoints: endpoints.entries.flatMap((entry) => readResource("WorkloadEndpoint", entry) ?? []),
      nodes: nodes.entries.flatMap((entry) => readResource("Node", entry) ?? []),
    };
    return new Set(this.#suspectsIn(evidence).map(assignmentKey));
  }

  #suspectsIn(found: Pick<Evidence, "blocks" | "endpoints" | "nodes">): readonly AuditedAllocation[] {
    const { node, hasInterface, interfacePrefix } = this.#options;
    return suspectsIn({ ...found, hasInterface, interfacePrefix }, node);
  }

  async #blocksOf(suspects: readonly LeakSuspect[]): Promise<readonly AllocationBlock[]> {
    const { store } = this.#options;
    const blockKeys = new Set(suspects.map(({ allocation }) => keys.block(allocation.block)));
    const entries = await Promise.all([...blockKeys].map((key) => store.get(key)));
    return entries.flatMap((entry) => {
      const reading = entry === undefined ? undefined : AllocationBlockCodec.parse(entry.value);
      return reading?.kind === "ok" ? [reading.value] : [];
    });
  }

  /** Gives back handle by handle; what could not be is left for the next look. */
  async #repair(leaks: readonly LeakSuspect[]): Promise<void> {
    const byHandle = Map.groupBy(leaks, ({ allocation }) => allocation.handle ?? "");
    for (const [handle, some] of [...byHandle].slice(0, repairedMost)) {
      const pod = some[0] === undefined ? undefined : podOf(some[0].allocation);
      if (handle === "" || pod === undefined) continue;
      const isDone = await this.#options.inTurnOf(pod, () => this.#giveBack(handle, some, pod));
      if (isDone) this.#leaks = this.#leaks.filter((one) => !some.includes(one));
    }
  }

  /**
   * In the pod's turn, so that no call about it can begin to use what its handle holds: looks once more, and gives back all
   * of the handle or, when it holds anything else by now, nothing.
   */
  async #giveBack(handle: string, leaks: readonly LeakSuspect[], pod: PodName): Promise<boolean> {
    const { ipam, log, metrics } = this.#options;
    const still = await this.#ownerless(leaks, pod.namespace);
    const held = await ipam.addressesOf(handle);
    const known = new Set(leaks.map(({ allocation }) => IpAddress.format(allocation.address)));
    const isAsProven =
      leaks.every(({ allocation }) => still.has(assignmentKey(allocation))) &&
      held.every((address) => known.has(IpAddress.format(address)));
    if (!isAsProven) return false;
    for (const leak of leaks) {
      const { address, sequenceNumber = 0n } = leak.allocation;
      // Guarded by both: an address that was given to someone else meanwhile stays theirs.
      const { kind } = await ipam.release({ address, handle, sequenceNumber });
      if (kind !== "released") continue;
      metrics.ipamReclaimed.inc();
      log.warn({ leak: describe(leak) }, "gave back a leaked address");
    }
    return true;
  }

  #tell(leaks: readonly LeakSuspect[]): void {
    const known = new Set(this.#leaks.map(({ allocation }) => assignmentKey(allocation)));
    for (const leak of leaks) {
      if (!known.has(assignmentKey(leak.allocation)))
        this.#options.log.warn({ leak: describe(leak) }, "an address is leaked");
    }
  }
}

function describe({ allocation, firstSeen }: LeakSuspect): string {
  const { namespace = "", name = "" } = podOf(allocation) ?? {};
  return (
    `${IpAddress.format(allocation.address)} of block ${Prefix.format(allocation.block)} is leaked: handle ` +
    `${allocation.handle ?? "(none)"} has it for pod ${namespace}/${name}, ` +
    `and no endpoint, node or interface since ${Nanos.formatRfc3339(firstSeen)}`
  );
}
