import type { PodRoute } from "@caracal/intent";
import { type IpAddress, Prefix } from "@caracal/net";

/** The pod's MAC by the endpoint that the datastore shows for an interface; `undefined` when there is none. */
export type EndpointMac = (interfaceName: string) => string | undefined;

interface Pending {
  readonly routes: readonly PodRoute[];
  /** Of the pod's end, which is new with every pair: it tells this pod's endpoint from a former container's. */
  readonly mac: string | undefined;
}

/**
 * Pods that CNI is setting up and that the datastore does not show yet. Their routes are wanted from before they are in the
 * kernel, so that the reconciler never takes them for leftovers; an entry goes when the datastore shows the pod, or the pod
 * is removed. A former container's endpoint of the same interface does not count: its end may still have to be heard of.
 */
export class PendingEndpoints {
  readonly #byInterface = new Map<string, Pending>();

  has(interfaceName: string): boolean {
    return this.#byInterface.has(interfaceName);
  }

  /** The pod's routes; those that it was to get before are forgotten. */
  add(interfaceName: string, addresses: readonly IpAddress[], mac: string | undefined): readonly PodRoute[] {
    const routes = addresses.map((address) => ({
      prefix: Prefix.host(address),
      interfaceName,
      endpoint: interfaceName,
    }));
    this.#byInterface.set(interfaceName, { routes, mac });
    return routes;
  }

  remove(interfaceName: string): boolean {
    return this.#byInterface.delete(interfaceName);
  }

  /** The datastore's routes and the pending ones, which take precedence; what the datastore shows is pending no more. */
  merge(known: readonly PodRoute[], macOf: EndpointMac): readonly PodRoute[] {
    if (this.#byInterface.size === 0) return known;
    const keysKnown = new Set(known.map(keyOf));
    for (const [name, { routes, mac }] of this.#byInterface) {
      const isShown = routes.every((route) => keysKnown.has(keyOf(route)));
      if (isShown && (mac === undefined || macOf(name) === mac)) this.#byInterface.delete(name);
    }
    const pending = [...this.#byInterface.values()].flatMap(({ routes }) => routes);
    const taken = new Set(pending.map(({ prefix }) => Prefix.key(prefix)));
    return [...known.filter(({ prefix }) => !taken.has(Prefix.key(prefix))), ...pending];
  }
}

function keyOf(route: PodRoute): string {
  return `${Prefix.key(route.prefix)} ${route.interfaceName}`;
}
