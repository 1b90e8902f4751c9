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

  constructor(options: BirdStateOptions) {
    this.#options = options;
    this.#unsubscribe = options.kernel.subscribe(() => this.#scanSoon());
    this.#scanSoon();
  }

  /** One family's view. */
  snapshot(family: IpFamily): BirdSnapshot {
    const { routing, bgp, tables, bootedAtMs, interfacePrefix } = this.#options;
    const kernel: KernelView = {
      routes: tables.routes(),
      links: tables.links(),
      addresses: tables.addresses(),
    };
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

  #scanSoon(): void {
    this.#scan ??= setTimeout(() => {
      this.#scan = undefined;
      this.snapshot(4);
      this.snapshot(6);
    }, scanMs).unref();
  }
}
