import { type Entry, keys, readResource, type Store, StoreError } from "@caracal/datastore";
import {
  type AddressUse,
  assignmentKey,
  auditAllocations,
  type AuditedAllocation,
  type Ipam,
  type LeakSuspect,
  LeakWatch,
  Nanos,
  readSnapshot,
} from "@caracal/ipam";
import { type Cancellation, IpAddress, Prefix } from "@caracal/net";
import { type Node, nodeKind, type WorkloadEndpoint, workloadEndpointKind } from "@caracal/resources";
import { hostNameOf } from "../cni/attachment.ts";
import type { PodName } from "../cni/cni-call.ts";
import { pause } from "../cluster/cluster-view.ts";
import { ownAddressTexts } from "../endpoints/node-with-address.ts";
import type { Log } from "../observe/log.ts";
import type { Metrics } from "../observe/metrics.ts";

/** Whether leaks are looked for, and what becomes of them. */
export type IpamAuditMode = "off" | "report" | "repair";

export interface IpamAuditOptions {
  readonly node: string;
  readonly store: Store;
  readonly ipam: Pick<Ipam, "release">;
  readonly mode: Exclude<IpamAuditMode, "off">;
  /** An allocation that nobody has for so long is leaked. */
  readonly graceSeconds: number;
  /** Whether the node has an interface of that name: a pod whose interface is there may have its address, whatever is recorded. */
  readonly hasInterface: (name: string) => boolean;
  /** Of the host ends of pods; `cali` unless told. */
  readonly interfacePrefix?: string;
  readonly mayWrite: () => boolean;
  readonly now: () => Nanos;
  readonly log: Log;
  readonly metrics: Pick<Metrics, "ipamLeakCandidates" | "ipamLeaks" | "ipamReclaimed">;
  readonly sleep?: (ms: number, signal: Cancellation) => Promise<void>;
}

/** Looked so often while the grace time passes, within bounds. */
const looksPerGrace = 3;
const leastPauseMs = 1_000;
const mostPauseMs = 300_000;
/** Leaks named in a status; how many more there are is a number. */
const namedMost = 16;

/**
 * Looks again and again for addresses that IPAM has given to this node's pods and nobody has: no endpoint in the cluster, no
 * node, and no interface of the pod that is not another endpoint's. What is found twice, a grace time apart, and once more at the end, is named;
 * it is given back only when the node was told to repair. Addresses whose owners leave no endpoint (tunnels, other plugins'
 * interfaces, whatever does not name a pod) are never suspected.
 */
export class IpamAudit {
  readonly #options: IpamAuditOptions;
  readonly #watch: LeakWatch;
  #leaks: readonly LeakSuspect[] = [];

  constructor(options: IpamAuditOptions) {
    this.#options = options;
    this.#watch = new LeakWatch(options.graceSeconds);
  }

  /** The leaks that are known and were left, a line each. */
  get troubles(): readonly string[] {
    const lines = this.#leaks.slice(0, namedMost).map(describe);
    const more = this.#leaks.length - lines.length;
    return more > 0 ? [...lines, `${more} more addresses are leaked`] : lines;
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
        // The next look comes; until then nothing is concluded.
        if (!(error instanceof StoreError)) throw error;
        log.debug({ reason: error.message }, "the IPAM audit could not read the datastore");
      }
    }
  }

  /** One observation; gives back what is due, if told to. */
  async look(): Promise<void> {
    const { metrics, mode, mayWrite, now } = this.#options;
    const found = this.#watch.observe(await this.#ownerless(), now());
    const leaks = found.due.length === 0 ? [] : await this.#confirm(found.due);
    const left = mode === "repair" && mayWrite() ? await this.#repair(leaks) : leaks;
    this.#tell(left);
    this.#leaks = left;
    metrics.ipamLeakCandidates.set(found.suspected.length);
    metrics.ipamLeaks.set(left.length);
  }

  /** The last look: the store is read once more, and only what is still so counts. */
  async #confirm(due: readonly LeakSuspect[]): Promise<readonly LeakSuspect[]> {
    const still = new Set((await this.#ownerless()).map(assignmentKey));
    return due.filter(({ allocation }) => still.has(assignmentKey(allocation)));
  }

  async #repair(leaks: readonly LeakSuspect[]): Promise<readonly LeakSuspect[]> {
    const { ipam, log, metrics } = this.#options;
    const left: LeakSuspect[] = [];
    for (const leak of leaks) {
      const { address, handle, sequenceNumber } = leak.allocation;
      // Guarded by both: an address that was given to someone else meanwhile stays theirs.
      const guards = {
        ...(handle !== undefined && { handle }),
        ...(sequenceNumber !== undefined && { sequenceNumber }),
      };
      const { kind } = await ipam.release({ address, ...guards });
      if (kind !== "released") continue;
      metrics.ipamReclaimed.inc();
      log.warn({ leak: describe(leak) }, "gave back a leaked address");
    }
    return left;
  }

  #tell(leaks: readonly LeakSuspect[]): void {
    const known = new Set(this.#leaks.map(({ allocation }) => assignmentKey(allocation)));
    for (const leak of leaks) {
      if (!known.has(assignmentKey(leak.allocation)))
        this.#options.log.warn({ leak: describe(leak) }, "an address is leaked");
    }
  }

  /** Blocks are read before those who may have their addresses: an owner who comes in between is seen. */
  async #ownerless(): Promise<readonly AuditedAllocation[]> {
    const { store, node, hasInterface, interfacePrefix } = this.#options;
    const blocks = await store.list(keys.blocks());
    const [endpoints, nodes] = await Promise.all([
      store.list(keys.resources(workloadEndpointKind.plural)),
      store.list(keys.resources(nodeKind.plural)),
    ]);
    const known = endpoints.entries.flatMap((entry) => readResource("WorkloadEndpoint", entry) ?? []);
    const uses = [...known.flatMap(endpointUses), ...nodes.entries.flatMap(nodeUses)];
    const taken = new Set(known.map(({ spec }) => spec.interfaceName));
    const mayRun = (pod: PodName): boolean => {
      const name = hostNameOf(pod, "", interfacePrefix);
      return !taken.has(name) && hasInterface(name);
    };
    const snapshot = readSnapshot(blocks.entries);
    const { leaked } = auditAllocations({ snapshot, pools: [], uses });
    return leaked.filter((one) => {
      const pod = one.attribute.secondary?.node === node ? podOf(one) : undefined;
      return pod !== undefined && !mayRun(pod);
    });
  }
}

/** The owner, if it is a pod that has an endpoint while it lives. */
function podOf({ attribute }: AuditedAllocation): PodName | undefined {
  const { pod, namespace, type, note } = attribute.secondary ?? {};
  const isPlain = type === undefined && note === undefined;
  return isPlain && pod && namespace ? { namespace, name: pod } : undefined;
}

function describe({ allocation, firstSeen }: LeakSuspect): string {
  const { pod = "", namespace = "" } = allocation.attribute.secondary ?? {};
  const address = IpAddress.format(allocation.address);
  return (
    `${address} of block ${Prefix.format(allocation.block)} is leaked: handle ${allocation.handle ?? "(none)"} has it for pod ` +
    `${namespace}/${pod}, and no endpoint, node or interface since ${Nanos.formatRfc3339(firstSeen)}`
  );
}

function endpointUses({ metadata, spec }: WorkloadEndpoint): readonly AddressUse[] {
  return usesOf(spec.ipNetworks ?? [], `Workload(${metadata.namespace ?? ""}/${metadata.name})`);
}

function nodeUses(entry: Entry): readonly AddressUse[] {
  const node: Node | undefined = readResource("Node", entry);
  return node === undefined ? [] : usesOf(ownAddressTexts(node), entry.key);
}

function usesOf(texts: readonly string[], owner: string): readonly AddressUse[] {
  return texts.flatMap((text) => {
    const address = Prefix.parseInterface(text)?.address;
    return address === undefined ? [] : [{ address, owner }];
  });
}
