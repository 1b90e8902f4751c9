import { messageOf } from "@caracal/net";
import type { Change, Link } from "@caracal/netlink";
import type { Clock } from "../clock.ts";
import type { DeviceKernel, DeviceOperation, DeviceOutcome } from "../device-kernel.ts";
import type { KernelNotice } from "../kernel.ts";
import { backoffMs } from "../retry-book.ts";
import type { DesiredTunnel } from "./desired-tunnel.ts";
import { endNews } from "./end-news.ts";
import { EndTable } from "./end-table.ts";
import { type DevicePlan, type DeviceSurroundings, isLinkLocal, planDevice } from "./plan-device.ts";

export interface TunnelReconcilerLimits {
  /** Between full looks when nothing happens. */
  readonly resyncMs: number;
  /** News are gathered so long. */
  readonly noticeDelayMs: number;
  readonly retryMinMs: number;
  readonly retryMaxMs: number;
  /** Entries handed to the kernel at a time. */
  readonly operationsPerApply: number;
}

const defaultLimits: TunnelReconcilerLimits = {
  resyncMs: 90_000,
  noticeDelayMs: 20,
  retryMinMs: 500,
  retryMaxMs: 30_000,
  operationsPerApply: 4096,
};

/** Looks after news take at most this share of the time, however many news there are. */
const lookTimeShare = 1 / 5;
/** Looks that one device may need in a row: take over, make, set up. */
const roundsMax = 4;

export interface TunnelReconcilerOptions {
  /** An instance of its own: whoever programs routes must hear of the devices made here. */
  readonly kernel: DeviceKernel;
  readonly clock: Clock;
  /** Of devices of these names that nobody wants, VXLAN's are removed, and IPIP's, which cannot be, lose their addresses. */
  readonly owns: readonly string[];
  readonly limits?: Partial<TunnelReconcilerLimits>;
  /** Something was made, mended or taken over. */
  readonly onEvent?: (event: TunnelEvent) => void;
  readonly onStatus?: (status: TunnelStatus) => void;
}

/** One line about one device. */
export interface TunnelEvent {
  readonly device: string;
  readonly news: string;
  /** It was not as it was left: somebody else was at work. */
  readonly isRepair: boolean;
}

export interface TunnelProblem {
  readonly device: string;
  readonly problem: string;
}

export interface TunnelStatus {
  /** The kernel has exactly what is wanted. */
  readonly ready: boolean;
  /** Nothing is left to do now; problems wait for time or for a change. */
  readonly settled: boolean;
  readonly problems: readonly TunnelProblem[];
}

/** What is known of one tunnel. */
interface Known {
  readonly link: Link;
  readonly ends: EndTable;
}

/**
 * Makes tunnel devices, their addresses and the entries of their remote ends those that are wanted, and keeps them so. It
 * touches nothing but devices of the wanted names. Level, not edge: a full look starts it and comes back on a timer, after lost
 * news and whenever somebody else changed a device; in between it works from what it knows.
 */
export class TunnelReconciler {
  readonly #options: TunnelReconcilerOptions;
  readonly #limits: TunnelReconcilerLimits;
  #tunnels: readonly DesiredTunnel[] | undefined;
  /** By name. */
  #known = new Map<string, Known>();
  /** Devices that have been right since the start: what is wrong with them later is somebody else's doing. */
  readonly #wasRight = new Map<string, DesiredTunnel>();
  /** What the entries were last made to be: what is wrong with them later is somebody else's doing too. */
  readonly #filled = new Map<string, { readonly tunnel: DesiredTunnel; readonly index: number }>();
  #problems: readonly TunnelProblem[] = [];
  #isStale = true;
  #isDirty = false;
  #isBusy = false;
  #isStopped = false;
  #lookAt = 0;
  #lastLookMs = 0;
  #failures = 0;
  #callOff: (() => void) | undefined;
  #unsubscribe: (() => void) | undefined;
  #waiters: (() => void)[] = [];

  constructor(options: TunnelReconcilerOptions) {
    this.#options = options;
    this.#limits = { ...defaultLimits, ...options.limits };
  }

  /** Begins to watch. Nothing is changed before the first `apply`. */
  start(): void {
    this.#unsubscribe ??= this.#options.kernel.subscribe((notice) => this.#hear(notice));
    this.#lookAt = this.#options.clock.now();
    this.#wake();
  }

  /** Ends watching. Devices stay as they are: traffic outlives the daemon. */
  stop(): void {
    this.#isStopped = true;
    this.#callOff?.();
    this.#unsubscribe?.();
    this.#tell();
  }

  /** From now on these tunnels are wanted and no others. */
  apply(tunnels: readonly DesiredTunnel[]): void {
    const before = this.#tunnels;
    this.#tunnels = tunnels;
    if (before !== undefined && sameDevices(before, tunnels)) this.#isDirty = true;
    else this.#lookSoon(0);
    this.#wake();
  }

  /** Takes a full look now. */
  resync(): void {
    this.#lookSoon(0);
    this.#wake();
  }

  get status(): TunnelStatus {
    const settled = this.#tunnels !== undefined && !this.#isStale && !this.#isDirty && !this.#isBusy;
    return { settled, ready: settled && this.#problems.length === 0, problems: this.#problems };
  }

  /** Waits until all that is wanted now was tried. Also ends when the reconciler stops. */
  async settled(): Promise<TunnelStatus> {
    while (!this.#isStopped && !this.status.settled)
      await new Promise<void>((resolve) => this.#waiters.push(resolve));
    return this.status;
  }

  #lookSoon(delayMs: number): void {
    this.#isStale = true;
    this.#lookAt = Math.min(this.#lookAt, this.#options.clock.now() + delayMs);
  }

  #wake(): void {
    const isIdle = this.#unsubscribe === undefined || this.#isStopped || this.#isBusy;
    if (isIdle || this.#tunnels === undefined) return;
    const now = this.#options.clock.now();
    const at = this.#isDirty && !this.#isStale ? now : this.#lookAt;
    this.#callOff?.();
    this.#callOff = this.#options.clock.after(Math.ceil(Math.max(0, at - now)), () => void this.#pass());
  }

  async #pass(): Promise<void> {
    const { clock } = this.#options;
    const tunnels = this.#tunnels;
    if (this.#isBusy || this.#isStopped || tunnels === undefined) return;
    this.#isBusy = true;
    const startedAt = clock.now();
    const isLook = this.#isStale || this.#lookAt <= startedAt;
    this.#isDirty = false;
    if (isLook) {
      this.#isStale = false;
      this.#lookAt = startedAt + this.#limits.resyncMs;
    }
    const problems: TunnelProblem[] = [];
    try {
      if (isLook) await this.#look(tunnels, problems);
      else problems.push(...this.#problems);
      for (const tunnel of tunnels) await this.#fill(tunnel, problems);
    } catch (error) {
      // What was done is unknown: the next pass begins with a look.
      this.#isStale = true;
      this.#lookAt = Infinity;
      problems.push({ device: "kernel", problem: messageOf(error) });
    }
    if (isLook) this.#lastLookMs = clock.now() - startedAt;
    this.#finish(problems);
  }

  #finish(problems: readonly TunnelProblem[]): void {
    this.#problems = [...new Map(problems.map((one) => [`${one.device} ${one.problem}`, one])).values()];
    this.#failures = problems.length === 0 ? 0 : this.#failures + 1;
    if (this.#failures > 0) {
      const { retryMinMs, retryMaxMs } = this.#limits;
      const at = this.#options.clock.now() + backoffMs(this.#failures, retryMinMs, retryMaxMs);
      this.#lookAt = Math.min(this.#lookAt, at);
    }
    this.#isBusy = false;
    this.#wake();
    this.#tell();
  }

  async #look(tunnels: readonly DesiredTunnel[], problems: TunnelProblem[]): Promise<void> {
    const { kernel } = this.#options;
    const known = new Map<string, Known>();
    for (const tunnel of tunnels) {
      const link = await this.#ensure(tunnel, problems);
      if (link === undefined) continue;
      const isVxlan = tunnel.kind === "vxlan";
      const neighbours = isVxlan ? await kernel.dumpNeighbours("neighbours", link.index) : [];
      const forwarding = isVxlan ? await kernel.dumpNeighbours("forwarding", link.index) : [];
      known.set(tunnel.name, { link, ends: new EndTable(link.index, neighbours, forwarding) });
    }
    this.#known = known;
    await this.#retire(tunnels, problems);
  }

  /** Brings a device about, and returns it once it is there. */
  async #ensure(tunnel: DesiredTunnel, problems: TunnelProblem[]): Promise<Link | undefined> {
    const { name } = tunnel;
    for (let round = 0; round < roundsMax; round += 1) {
      const plan = planDevice(tunnel, await this.#surroundings());
      if (plan.kind === "wait") {
        problems.push({ device: name, problem: plan.reason });
        return undefined;
      }
      if (plan.kind === "keep") {
        const failure = await this.#carryOut(tunnel, plan);
        if (failure !== undefined) problems.push({ device: name, problem: failure });
        else this.#wasRight.set(name, tunnel);
        return plan.link;
      }
      const failure =
        plan.kind === "make" ? await this.#make(tunnel, plan) : await this.#rename(tunnel, plan);
      if (failure === undefined) continue;
      problems.push({ device: name, problem: failure });
      return undefined;
    }
    problems.push({ device: name, problem: "somebody changes it all the time" });
    return undefined;
  }

  async #surroundings(): Promise<DeviceSurroundings> {
    const { kernel } = this.#options;
    return { links: await kernel.dumpLinks(), addresses: await kernel.dumpAddresses() };
  }

  async #carryOut(
    tunnel: DesiredTunnel,
    { steps }: Extract<DevicePlan, { kind: "keep" }>,
  ): Promise<string | undefined> {
    const outcomes = await this.#do(steps.map(({ operation }) => operation));
    let failure: string | undefined;
    for (const [at, { news }] of steps.entries()) {
      const outcome = outcomes[at];
      if (outcome?.kind === "failed") failure ??= `${news}: ${outcome.errno} ${outcome.detail}`;
      else this.#say(tunnel, news);
    }
    return failure;
  }

  async #make(
    tunnel: DesiredTunnel,
    { link, inTheWay, because }: Extract<DevicePlan, { kind: "make" }>,
  ): Promise<string | undefined> {
    if (inTheWay !== undefined) {
      const [removed] = await this.#do([{ kind: "link.delete", index: inTheWay.index }]);
      if (removed?.kind === "failed" && removed.errno !== "ENODEV")
        return `${because.join(", ")}, and it cannot be removed: ${removed.errno} ${removed.detail}`;
    }
    let [made] = await this.#do([{ kind: "link.add", link }]);
    const { mtu: _mtu, ...rest } = link;
    // An MTU that the parent has no room for must not keep the tunnel from being there.
    if (made?.kind === "failed" && (made.errno === "EINVAL" || made.errno === "ERANGE"))
      [made] = await this.#do([{ kind: "link.add", link: rest }]);
    if (made?.kind !== "failed") {
      this.#say(tunnel, inTheWay === undefined ? "made" : `made anew: ${because.join(", ")}`);
      return undefined;
    }
    // The module has made its own device meanwhile, or had it under another name: look again.
    if (made.errno === "EEXIST" && tunnel.kind === "ipip") return undefined;
    if (made.errno === "EOPNOTSUPP")
      return `this kernel has no ${tunnel.kind} module, so there is no such tunnel: load it (modprobe ${tunnel.kind}), or choose another encapsulation; meanwhile only routes from before carry traffic, as they are`;
    if (made.errno === "EEXIST" && tunnel.kind === "vxlan")
      return `VNI ${tunnel.vni} on UDP port ${tunnel.port} is taken, and by no device here: one was moved to another network namespace; remove it there, or choose another vxlanVNI`;
    return `it cannot be made: ${made.errno} ${made.detail}`;
  }

  async #rename(
    tunnel: DesiredTunnel,
    { link, inTheWay }: Extract<DevicePlan, { kind: "rename" }>,
  ): Promise<string | undefined> {
    const { index } = link;
    if (inTheWay !== undefined) {
      const [removed] = await this.#do([{ kind: "link.delete", index: inTheWay.index }]);
      if (removed?.kind === "failed" && removed.errno !== "ENODEV")
        return `it is called ${link.name}, and what has its name cannot be removed: ${removed.errno} ${removed.detail}`;
    }
    const name: DeviceOperation = { kind: "link.set", index, settings: { name: tunnel.name } };
    let [renamed] = await this.#do([name]);
    // Older kernels rename only what is down.
    if (renamed?.kind === "failed" && renamed.errno === "EBUSY")
      renamed = (await this.#do([{ kind: "link.set", index, settings: { up: false } }, name]))[1];
    if (renamed?.kind === "failed")
      return `it is called ${link.name} and cannot be renamed: ${renamed.errno} ${renamed.detail}`;
    this.#say(tunnel, `it was called ${link.name} and has its name again`);
    return undefined;
  }

  /** What is wanted no more goes: VXLAN devices of our names, and the addresses of a device that stays. */
  async #retire(tunnels: readonly DesiredTunnel[], problems: TunnelProblem[]): Promise<void> {
    const wanted = new Set(tunnels.map(({ name }) => name));
    const left = this.#options.owns.filter((name) => !wanted.has(name));
    if (left.length === 0) return;
    const { links, addresses } = await this.#surroundings();
    for (const name of left) {
      const link = links.find((one) => one.name === name);
      if (link?.kind === "vxlan") {
        const [outcome] = await this.#do([{ kind: "link.delete", index: link.index }]);
        if (outcome?.kind === "failed")
          problems.push({
            device: name,
            problem: `it cannot be removed: ${outcome.errno} ${outcome.detail}`,
          });
        else this.#options.onEvent?.({ device: name, news: "removed: nothing uses it", isRepair: false });
      }
      // An address that stayed would be missing where IPAM gives it next.
      const stray = addresses.filter(
        (one) => one.interfaceIndex === link?.index && link.kind === "ipip" && !isLinkLocal(one),
      );
      for (const address of stray) await this.#do([{ kind: "address.delete", address }]);
      this.#wasRight.delete(name);
    }
  }

  /** Makes a device's entries those of the remote ends. */
  async #fill(tunnel: DesiredTunnel, problems: TunnelProblem[]): Promise<void> {
    const known = this.#known.get(tunnel.name);
    if (known === undefined || tunnel.kind !== "vxlan") return;
    const operations = known.ends.plan(tunnel.vteps);
    const { operationsPerApply } = this.#limits;
    const done: DeviceOperation[] = [];
    for (let at = 0; at < operations.length && !this.#isStopped; at += operationsPerApply) {
      const part = operations.slice(at, at + operationsPerApply);
      const outcomes = await this.#do(part);
      for (const [index, operation] of part.entries()) {
        const outcome = outcomes[index];
        const isGone =
          operation.kind === "neighbour.delete" && outcome?.kind === "failed" && outcome.errno === "ENOENT";
        if (outcome?.kind === "done") done.push(operation);
        if (outcome?.kind === "done" || isGone) known.ends.done(operation);
        else if (outcome !== undefined) {
          const problem = `a remote end is refused: ${outcome.errno} ${outcome.detail}`;
          problems.push({ device: tunnel.name, problem });
        }
      }
    }
    const { index } = known.ends;
    const filled = this.#filled.get(tunnel.name);
    const isRepair = filled?.tunnel === tunnel && filled.index === index;
    const news = isRepair ? endNews(done) : undefined;
    if (news !== undefined) this.#options.onEvent?.({ device: tunnel.name, news, isRepair });
    this.#filled.set(tunnel.name, { tunnel, index });
  }

  async #do(operations: readonly DeviceOperation[]): Promise<readonly DeviceOutcome[]> {
    return operations.length === 0 ? [] : await this.#options.kernel.applyDevices(operations);
  }

  #say(tunnel: DesiredTunnel, news: string): void {
    const right = this.#wasRight.get(tunnel.name);
    const isRepair = right !== undefined && sameDevices([right], [tunnel]);
    this.#options.onEvent?.({ device: tunnel.name, news, isRepair });
  }

  #hear(notice: KernelNotice): void {
    if (this.#isStopped) return;
    if (notice.kind === "overrun") this.#lookSoon(this.#limits.noticeDelayMs);
    else if (notice.changes.some((change) => this.#concerns(change)))
      this.#lookSoon(Math.max(this.#limits.noticeDelayMs, this.#lastLookMs / lookTimeShare));
    else return;
    this.#wake();
  }

  #concerns(change: Change): boolean {
    const tunnels = this.#tunnels ?? [];
    switch (change.kind) {
      case "link": {
        const { name, index } = change.link;
        // What a tunnel waits for may be any interface.
        if (this.#problems.length > 0 || tunnels.some((tunnel) => tunnel.name === name)) return true;
        return this.#isOurs(index) || this.#isParent(index);
      }
      case "address": {
        const { interfaceIndex, address } = change.address;
        const isLocal = tunnels.some((tunnel) => tunnel.kind === "vxlan" && tunnel.local === address);
        return isLocal || this.#isOurs(interfaceIndex);
      }
      case "neighbour": {
        for (const { ends } of this.#known.values())
          if (ends.index === change.neighbour.interfaceIndex)
            return ends.isNews(change.neighbour, change.gone);
        return false;
      }
      case "route":
      case "nextHop":
      case "settings":
      case "rule":
        return false;
    }
  }

  #isOurs(index: number): boolean {
    return [...this.#known.values()].some(({ link }) => link.index === index);
  }

  #isParent(index: number): boolean {
    return [...this.#known.values()].some(({ link }) => link.vxlan?.parentIndex === index);
  }

  #tell(): void {
    const waiters = this.#waiters;
    this.#waiters = [];
    for (const waiter of waiters) waiter();
    this.#options.onStatus?.(this.status);
  }
}

/** Whether the devices are the same, whatever their remote ends. */
function sameDevices(a: readonly DesiredTunnel[], b: readonly DesiredTunnel[]): boolean {
  return (
    a.length === b.length &&
    a.every((one, at) => {
      const other = b[at];
      if (other === undefined || one.kind !== other.kind) return false;
      const isSame = one.name === other.name && one.mtu === other.mtu && one.address === other.address;
      if (one.kind !== "vxlan" || other.kind !== "vxlan") return isSame;
      return (
        isSame &&
        one.vni === other.vni &&
        one.port === other.port &&
        one.local === other.local &&
        one.mac === other.mac
      );
    })
  );
}
