import type { IpAddress } from "@caracal/net";
import type { HostUse, PodInterface, PodInterfaceState, PodKernel } from "../cni/ports.ts";

/** Who is told before a pod's routes come and after they have gone. */
export interface PodRouteListener {
  /** `mac` is that of the pod's end, when it has just been made. */
  willRoute(pod: PodInterface, mac: string | undefined): void;
  hasRemoved(hostName: string): void;
}

/** The pods' kernel, with the route reconciler told of each pod in time: it would remove routes that nobody wants. */
export class AnnouncingPodKernel implements PodKernel {
  readonly #kernel: PodKernel;
  readonly #listener: PodRouteListener;
  /** Of pairs that have no routes yet. */
  readonly #macs = new Map<string, string>();

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

  preparePair(pod: PodInterface): void {
    this.#kernel.preparePair(pod);
  }

  configurePair(pod: PodInterface): { readonly mac: string; readonly mtu: number } {
    const configured = this.#kernel.configurePair(pod);
    this.#macs.set(pod.hostName, configured.mac);
    return configured;
  }

  addHostRoutes(pod: PodInterface): void {
    this.#listener.willRoute(pod, this.#macs.get(pod.hostName));
    this.#macs.delete(pod.hostName);
    this.#kernel.addHostRoutes(pod);
  }

  inspect(pod: PodInterface): PodInterfaceState | undefined {
    return this.#kernel.inspect(pod);
  }

  podEnd(hostName: string, netns: string): string | undefined {
    return this.#kernel.podEnd(hostName, netns);
  }

  async removePair(hostName: string): Promise<void> {
    await this.#kernel.removePair(hostName);
    this.#macs.delete(hostName);
    this.#listener.hasRemoved(hostName);
  }
}
