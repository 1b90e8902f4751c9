import type { Link, Qdisc, QdiscPlace, TokenBucket } from "@caracal/netlink";
import { shapingHandle, type ShapingOperation, type ShapingState } from "./shaping-kernel.ts";

/** A rate limit, before the interface it is for is known. */
export type RateLimit = Pick<TokenBucket, "bytesPerSecond" | "burstBytes"> & {
  readonly peak?: { readonly bytesPerSecond: number; readonly bytes?: number };
};

/** What a workload's host end may carry, as the workload sees it: ingress is what it receives. */
export interface ShapedInterface {
  readonly name: string;
  readonly ingress?: RateLimit;
  readonly egress?: RateLimit;
}

export interface ShapingPlan {
  readonly operations: readonly ShapingOperation[];
  /** Interfaces on which someone else's discipline is in the way. */
  readonly foreign: readonly string[];
}

/** How long a packet may wait for its turn, as with the CNI plugin `bandwidth`. */
const waitSeconds = 0.025;
/** An Ethernet header and a VLAN tag: a bucket smaller than a packet lets none through. */
const frameHeaderBytes = 18;
/** Of devices that receive in place of an interface: this and the last letters of its name (linux/if.h: 15 fit). */
const devicePrefix = "bwp";
const deviceNameLetters = 11;

/**
 * The steps from what is to what is wanted. What the interface sends is what its workload receives, and is shaped there; what it
 * receives is handed to an ifb device of its own, for only sending can be shaped. Disciplines with another handle are others'.
 */
export function planShaping(wanted: readonly ShapedInterface[], state: ShapingState): ShapingPlan {
  const now = new Present(state);
  const wantedByName = new Map(wanted.map((one) => [one.name, one]));
  const operations: ShapingOperation[] = [];
  const foreign: string[] = [];
  for (const link of state.links) {
    const want = wantedByName.get(link.name);
    for (const step of [planSent(want?.ingress, link, now), planReceived(want?.egress, link, now)]) {
      if (step === "foreign") foreign.push(link.name);
      else if (step !== undefined) operations.push(step);
    }
  }
  const needed = new Set(
    wanted.flatMap(({ name, egress }) => (egress === undefined ? [] : [deviceNameOf(name)])),
  );
  for (const link of state.links) {
    if (!isDevice(link) || needed.has(link.name)) continue;
    operations.push({ kind: "remove-device", deviceName: link.name });
  }
  return { operations, foreign: [...new Set(foreign)] };
}

type Step = ShapingOperation | "foreign" | undefined;

/** What the interface sends: its workload's ingress. */
function planSent(limit: RateLimit | undefined, link: Link, now: Present): Step {
  const root = now.qdisc(link, "root");
  if (limit === undefined) {
    if (root?.handle !== shapingHandle || isDevice(link)) return undefined;
    return { kind: "unshape", interfaceName: link.name };
  }
  if (root !== undefined && root.handle !== 0 && root.handle !== shapingHandle) return "foreign";
  const bucket = bucketFor(limit, link);
  return isLike(root, bucket) ? undefined : { kind: "shape", interfaceName: link.name, bucket };
}

/** What the interface receives: its workload's egress. */
function planReceived(limit: RateLimit | undefined, link: Link, now: Present): Step {
  const deviceName = deviceNameOf(link.name);
  const device = now.link(deviceName);
  const targets = now.targets(link);
  const isRedirected = device !== undefined && targets.includes(device.index);
  if (limit === undefined) {
    return isRedirected ? { kind: "receive-plainly", interfaceName: link.name } : undefined;
  }
  // A target that is gone may have been ours.
  if (!isRedirected && targets.some((index) => now.isOthers(index))) return "foreign";
  const bucket = bucketFor(limit, link);
  if (isRedirected && isLike(now.qdisc(device, "root"), bucket)) return undefined;
  return { kind: "receive-through", interfaceName: link.name, deviceName, bucket };
}

/** The state, indexed. */
class Present {
  readonly #byName: ReadonlyMap<string, Link>;
  readonly #byIndex: ReadonlyMap<number, Link>;
  readonly #qdiscs: ReadonlyMap<string, Qdisc>;
  readonly #targets: Map<number, number[]> = new Map();

  constructor({ links, qdiscs, redirects }: ShapingState) {
    this.#byName = new Map(links.map((link) => [link.name, link]));
    this.#byIndex = new Map(links.map((link) => [link.index, link]));
    this.#qdiscs = new Map(qdiscs.map((qdisc) => [`${qdisc.interfaceIndex} ${qdisc.place}`, qdisc]));
    for (const { interfaceIndex, toInterfaceIndex } of redirects) {
      const known = this.#targets.get(interfaceIndex);
      if (known === undefined) this.#targets.set(interfaceIndex, [toInterfaceIndex]);
      else known.push(toInterfaceIndex);
    }
  }

  link(name: string): Link | undefined {
    return this.#byName.get(name);
  }

  qdisc(link: Link, place: QdiscPlace): Qdisc | undefined {
    return this.#qdiscs.get(`${link.index} ${place}`);
  }

  /** Where what the interface receives goes. */
  targets(link: Link): readonly number[] {
    return this.#targets.get(link.index) ?? [];
  }

  isOthers(index: number): boolean {
    const link = this.#byIndex.get(index);
    return link !== undefined && !isDevice(link);
  }
}

function deviceNameOf(interfaceName: string): string {
  return `${devicePrefix}${interfaceName.slice(-deviceNameLetters)}`;
}

function isDevice({ kind, name }: Link): boolean {
  return kind === "ifb" && name.startsWith(devicePrefix);
}

function bucketFor(limit: RateLimit, { mtu }: Link): TokenBucket {
  const { bytesPerSecond, peak } = limit;
  const packet = mtu + frameHeaderBytes;
  const burstBytes = Math.max(limit.burstBytes, packet);
  const limitBytes = burstBytes + Math.ceil(bytesPerSecond * waitSeconds);
  const bucket = { bytesPerSecond, burstBytes, limitBytes };
  if (peak === undefined) return bucket;
  const bytes = Math.max(peak.bytes ?? 0, packet);
  return { ...bucket, peak: { bytesPerSecond: peak.bytesPerSecond, bytes } };
}

function isLike(qdisc: Qdisc | undefined, bucket: TokenBucket): boolean {
  return (
    qdisc?.handle === shapingHandle &&
    qdisc.tokenBucket?.bytesPerSecond === bucket.bytesPerSecond &&
    qdisc.tokenBucket.limitBytes === Math.min(bucket.limitBytes, 0xffff_ffff)
  );
}
