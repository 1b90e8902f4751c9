import type { PodRoute } from "@caracal/intent";
import { IpAddress, Prefix } from "@caracal/net";

/**
 * Pods that CNI is setting up and that the datastore does not show yet. Their routes are wanted from before they are in the
 * kernel, so that the reconciler never takes them for leftovers; an entry goes when the datastore shows the pod, or the pod
 * is removed.
 */
export class PendingEndpoints {
  readonly #byInterface = new Map<string, readonly PodRoute[]>();

  add(interfaceName: string, endpoint: string, addresses: readonly IpAddress[]): void {
    const routes = addresses.map((address) => ({
      prefix: Prefix.of(address, IpAddress.isIpv4(address) ? 32 : 128),
      interfaceName,
      endpoint,
    }));
    this.#byInterface.set(interfaceName, routes);
  }

  remove(interfaceName: string): boolean {
    return this.#byInterface.delete(interfaceName);
  }

  /** The datastore's routes and the pending ones; what the datastore shows is pending no more. */
  merge(known: readonly PodRoute[]): readonly PodRoute[] {
    if (this.#byInterface.size === 0) return known;
    const keysKnown = new Set(known.map(keyOf));
    for (const [name, routes] of this.#byInterface) {
      if (routes.every((route) => keysKnown.has(keyOf(route)))) this.#byInterface.delete(name);
    }
    return [...known, ...[...this.#byInterface.values()].flat()];
  }
}

function keyOf(route: PodRoute): string {
  return `${Prefix.key(route.prefix)} ${route.interfaceName}`;
}
