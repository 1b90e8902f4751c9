import type { PodInterface, PodInterfaceState, PodKernel } from "../cni/ports.ts";

/** Who is told before a pod's routes come and after they have gone. */
export interface PodRouteListener {
  willRoute(pod: PodInterface): void;
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

  createPair(pod: PodInterface): boolean {
    return this.#kernel.createPair(pod);
  }

  configurePair(pod: PodInterface): { readonly mac: string; readonly mtu: number } {
    return this.#kernel.configurePair(pod);
  }

  addHostRoutes(pod: PodInterface): void {
    this.#listener.willRoute(pod);
    this.#kernel.addHostRoutes(pod);
  }

  inspect(pod: PodInterface): PodInterfaceState | undefined {
    return this.#kernel.inspect(pod);
  }

  isPair(hostName: string, netns: string, ifname: string): boolean {
    return this.#kernel.isPair(hostName, netns, ifname);
  }

  async removePair(hostName: string): Promise<void> {
    await this.#kernel.removePair(hostName);
    this.#listener.hasRemoved(hostName);
  }
}
