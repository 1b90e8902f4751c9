import { type BirdSnapshot, buildBirdSnapshot, FirstSeen, type KernelView } from "@caracal/bird-view";
import type { Kernel } from "@caracal/dataplane";
import type { Rtnetlink } from "@caracal/linux";
import { IpAddress, type IpFamily, Ipv4 } from "@caracal/net";
import type { BgpSupervisor } from "../routing/bgp-supervisor.ts";
import type { Routing } from "../routing/routing.ts";

/** As Calico's BIRD names itself. */
export const birdVersion = "v0.3.3+birdv1.6.8";

/** BIRD looks at the kernel every two seconds; so do we, when there is news. */
const scanMs = 2_000;
/** And no oftener than takes this share of the time. */
const scanTimeShare = 1 / 50;

export interface BirdStateOptions {
  readonly routing: Routing;
  readonly bgp: BgpSupervisor;
  readonly tables: Rtnetlink;
  readonly kernel: Kernel;
  readonly bootedAtMs: number;
  readonly interfacePrefix: string;
}

/** The daemon's routing in BIRD's terms, at any moment. */
export class BirdState implements Disposable {
  readonly #options: BirdStateOptions;
  readonly #firstSeen: Readonly<Record<IpFamily, FirstSeen>> = {
    4: new FirstSeen(Date.now),
    6: new FirstSeen(Date.now),
  };
  readonly #unsubscribe: () => void;
  #scan: NodeJS.Timeout | undefined;
  #scanTookMs = 0;

  constructor(options: BirdStateOptions) {
    this.#options = options;
    this.#unsubscribe = options.kernel.subscribe(() => this.#scanSoon());
    this.#scanSoon();
  }

  /** One family's view. */
  snapshot(family: IpFamily): BirdSnapshot {
    return this.#snapshotOf(family, this.#kernelView());
  }

  #kernelView(): KernelView {
    const { tables } = this.#options;
    return { routes: tables.routes(), links: tables.links(), addresses: tables.addresses() };
  }

  #snapshotOf(family: IpFamily, kernel: KernelView): BirdSnapshot {
    const { routing, bgp, bootedAtMs, interfacePrefix } = this.#options;
    const { intent } = routing;
    const nowMs = Date.now();
    return buildBirdSnapshot({
      version: birdVersion,
      family,
      kernel,
      blackholes: intent?.kernel.blackholes ?? [],
      reachableBy: (intent?.bgp?.peers ?? []).flatMap(({ address, reachableBy }) =>
        reachableBy === undefined ? [] : [{ peer: address, gateway: reachableBy }],
      ),
      interfacePrefix,
      ignoredInterfaces: intent?.bgp?.ignoredInterfaces ?? [],
      routerId: intent?.bgp?.routerId ?? Ipv4.of(0),
      nowMs,
      bootedAtMs,
      configuredAtMs: bootedAtMs,
      // The speaker's clock counts from 1970 too.
      speaker: {
        nowMs,
        peers: bgp.peers(),
        routes: bgp.routes().filter((route) => IpAddress.family(route.prefix.address) === family),
      },
      firstSeen: this.#firstSeen[family],
    });
  }

  [Symbol.dispose](): void {
    this.#unsubscribe();
    clearTimeout(this.#scan);
  }

  /** A scan of a host full of pods takes long: the more, the rarer. */
  #scanSoon(): void {
    const waitMs = Math.max(scanMs, this.#scanTookMs / scanTimeShare);
    this.#scan ??= setTimeout(() => {
      this.#scan = undefined;
      const begunMs = performance.now();
      const kernel = this.#kernelView();
      for (const family of [4, 6] as const) this.#snapshotOf(family, kernel);
      this.#scanTookMs = performance.now() - begunMs;
    }, waitMs).unref();
  }
}
