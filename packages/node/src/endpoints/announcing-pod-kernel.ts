import type { IpAddress } from "@caracal/net";
import type {
  HostUse,
  PairRemoval,
  PodInterface,
  PodInterfaceState,
  PodKernel,
  PreparedPair,
} from "../cni/ports.ts";

/** Who is told before a pod's routes come and after they have gone. */
export interface PodRouteListener {
  /** `mac` is that of the pod's end. */
  willRoute(pod: PodInterface, mac: string | undefined): void;
  hasRemoved(hostName: string): void;
}

/** The pods' kernel, with the route reconciler told of each pod in time: it would remove routes that nobody wants. */
export class AnnouncingPodKernel implements PodKernel {
  readonly #kernel: PodKernel;
  readonly #listener: PodRouteListener;

  constructor(kernel: PodKernel, listener: PodRouteListener) {
    this.#kernel = kernel;
    this.#listener = listener;
  }

  hasNamespace(netns: string): boolean {
    return this.#kernel.hasNamespace(netns);
  }

  hostUse(address: IpAddress): HostUse | undefined {
    return this.#kernel.hostUse(address);
  }

  createPair(pod: PodInterface): boolean {
    return this.#kernel.createPair(pod);
  }

  preparePair(pod: PodInterface): PreparedPair {
    return this.#kernel.preparePair(pod);
  }

  configurePair(pod: PodInterface, prepared?: PreparedPair): PreparedPair {
    return this.#kernel.configurePair(pod, prepared);
  }

  addHostRoutes(pod: PodInterface, pair: PreparedPair): void {
    this.#listener.willRoute(pod, pair.mac);
    this.#kernel.addHostRoutes(pod, pair);
  }

  inspect(pod: PodInterface): PodInterfaceState | undefined {
    return this.#kernel.inspect(pod);
  }

  podEnd(hostName: string, netns: string): string | undefined {
    return this.#kernel.podEnd(hostName, netns);
  }

  async removePair(hostName: string): Promise<void> {
    await this.#kernel.removePair(hostName);
    this.#listener.hasRemoved(hostName);
  }

  async removeOwnPair(hostName: string, netns: string, ifname: string): Promise<PairRemoval> {
    const removal = await this.#kernel.removeOwnPair(hostName, netns, ifname);
    if (removal === "removed") this.#listener.hasRemoved(hostName);
    return removal;
  }
}
