import { allocationsIn, type AuditedAllocation, LeakWatch, type Nanos } from "@caracal/ipam";
import { IpAddress, messageOf, Prefix } from "@caracal/net";
import type { AllocationBlock, WorkloadEndpoint } from "@caracal/resources";
import type { ContainerToForget } from "../cni/forget-container.ts";
import type { Log } from "../observe/log.ts";
import type { Metrics } from "../observe/metrics.ts";

export interface ForgottenContainersOptions {
  readonly node: string;
  /** A container whose interface has gone for so long does not come back. */
  readonly graceSeconds: number;
  readonly hasInterface: (name: string) => boolean;
  readonly repairs: boolean;
  readonly mayWrite: () => boolean;
  /** Does what the DEL of a container would do, if it is still gone; says whether it was. */
  readonly forget: (container: ContainerToForget, isGone: () => boolean) => Promise<boolean>;
  readonly now: () => Nanos;
  readonly log: Log;
  readonly metrics: Pick<Metrics, "ipamReclaimed">;
}

/** What the daemon's watches know of the node. */
export interface ContainersView {
  readonly usedBlocks: readonly AllocationBlock[];
  readonly endpoints: readonly WorkloadEndpoint[];
}

/** Forgotten at one look; each asks the datastore a few times. */
const forgottenMost = 64;
/** Those named in a status; how many more there are is a number. */
const namedMost = 16;

interface Forgotten extends ContainerToForget {
  readonly hostName: string;
  readonly addresses: readonly IpAddress[];
}

/**
 * Looks for containers whose interface has gone while their endpoint and addresses are still there: of a runtime that asks for a
 * DEL once only, and it failed; that never asks; or that knows nothing of the time before the host's last start. Such an
 * interface comes back by another ADD only, so its addresses are nobody's. Kubernetes' pods are not among them, for which kubelet
 * asks until it has its way. One seen so twice, a grace time apart, is named, and removed when the node was told to repair.
 */
export class ForgottenContainers {
  readonly #options: ForgottenContainersOptions;
  readonly #watch: LeakWatch;
  #forgotten: readonly Forgotten[] = [];

  constructor(options: ForgottenContainersOptions) {
    this.#options = options;
    this.#watch = new LeakWatch(options.graceSeconds);
  }

  /** A line for each. */
  get troubles(): readonly string[] {
    const lines = this.#forgotten.slice(0, namedMost).map(describe);
    const more = this.#forgotten.length - lines.length;
    return more > 0 ? [...lines, `${more} more containers have gone without a DEL`] : lines;
  }

  /** Of all of them. */
  get addressCount(): number {
    return this.#forgotten.reduce((count, { addresses }) => count + addresses.length, 0);
  }

  /** One observation; removes what is due, if told to. */
  async look(view: ContainersView): Promise<void> {
    const { log, mayWrite, repairs } = this.#options;
    const known = new Set(this.#forgotten.map(({ containerId }) => containerId));
    this.#forgotten = this.#observe(view);
    for (const one of this.#forgotten) {
      if (!known.has(one.containerId))
        log.warn({ leak: describe(one) }, "a container has gone without a DEL");
    }
    if (!repairs || !mayWrite()) return;
    for (const one of this.#forgotten.slice(0, forgottenMost)) {
      if (await this.#forget(one)) this.#forgotten = this.#forgotten.filter((other) => other !== one);
    }
  }

  /** Whatever fails is tried again at the next look. */
  async #forget(one: Forgotten): Promise<boolean> {
    const { forget, hasInterface, log, metrics } = this.#options;
    try {
      if (!(await forget(one, () => !hasInterface(one.hostName)))) return false;
    } catch (error) {
      log.warn(
        { leak: describe(one), reason: messageOf(error) },
        "what a container had could not be given back",
      );
      return false;
    }
    metrics.ipamReclaimed.inc(one.addresses.length);
    log.warn({ leak: describe(one) }, "gave back what a container had");
    return true;
  }

  #observe({ usedBlocks, endpoints }: ContainersView): readonly Forgotten[] {
    const gone = endpoints.filter((endpoint) => this.#hasGone(endpoint));
    const byAddress = new Map(
      gone.flatMap(({ spec }) => (spec.ipNetworks ?? []).map((text) => [text, spec])),
    );
    const suspects = (gone.length === 0 ? [] : usedBlocks).flatMap((block) => {
      const cidr = Prefix.parse(block.cidr);
      const allocations = cidr === undefined ? [] : allocationsIn(cidr, block);
      return allocations.filter((one) => ownerOf(one, byAddress) !== undefined);
    });
    const { due } = this.#watch.observe(suspects, this.#options.now());
    const byHandle = Map.groupBy(due, ({ allocation }) => allocation.handle ?? "");
    return [...byHandle.values()].flatMap((some) => {
      const addresses = some.map(({ allocation }) => allocation.address);
      const owner = some.map(({ allocation }) => ownerOf(allocation, byAddress)).at(0);
      return owner === undefined ? [] : { ...owner, addresses };
    });
  }

  #hasGone({ spec }: WorkloadEndpoint): boolean {
    const { node, hasInterface } = this.#options;
    const { orchestrator, containerID = "", interfaceName = "" } = spec;
    if (spec.node !== node || orchestrator !== "cni" || containerID === "") return false;
    return interfaceName !== "" && !hasInterface(interfaceName);
  }
}

/**
 * The container that has the address by both its endpoint and its handle, `NETWORK.CONTAINER`. Names of networks and
 * of containers may have dots: the end of a handle alone may be another container's whole name.
 */
function ownerOf(
  { address, handle = "" }: AuditedAllocation,
  byAddress: ReadonlyMap<string, WorkloadEndpoint["spec"]>,
): Omit<Forgotten, "addresses"> | undefined {
  const spec = byAddress.get(Prefix.format(Prefix.host(address)));
  const { containerID: containerId = "", interfaceName: hostName = "", endpoint: ifname = "" } = spec ?? {};
  if (containerId === "" || !handle.endsWith(`.${containerId}`)) return undefined;
  return { containerId, ifname, hostName, network: handle.slice(0, -containerId.length - 1) };
}

function describe({ containerId, ifname, addresses }: Forgotten): string {
  const list = addresses.map(IpAddress.format).join(", ");
  return `${list} of container ${containerId} is leaked: its ${ifname} has gone without a DEL`;
}
