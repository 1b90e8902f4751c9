import type { NextHop, NextHopObject, Route } from "@caracal/netlink";
import type { RouteOutcome } from "./kernel.ts";
import type { NextHopOperation } from "./next-hops/next-hop-kernel.ts";

const done: RouteOutcome = { kind: "done" };

/** Why an operation cannot be. */
type Refusal = Exclude<RouteOutcome, { readonly kind: "done" }>;

function failed(errno: string, detail: string): Refusal {
  return { kind: "failed", errno, detail };
}

/** The next hop objects of a `FakeKernel`. */
export class FakeNextHops {
  readonly #objects = new Map<number, NextHopObject>();
  /** A kernel before 5.3 has none. */
  isSupported = true;

  dump(): readonly NextHopObject[] {
    return [...this.#objects.values()];
  }

  /** `refusal` says why a next hop cannot be, if so. */
  apply(operation: NextHopOperation, refusal: (hop: NextHop) => RouteOutcome | undefined): RouteOutcome {
    if (!this.isSupported) return failed("EOPNOTSUPP", "Operation not supported");
    if (operation.kind === "delete")
      return this.#objects.delete(operation.id) ? done : failed("ENOENT", "No such file or directory");
    const { object } = operation;
    if (this.#objects.has(object.id)) return failed("EEXIST", "File exists");
    const refused = refusal(object.hop);
    if (refused !== undefined) return refused;
    this.#objects.set(object.id, object);
    return done;
  }

  /** The route with the next hop of the object that it is to lead through, if any. */
  resolved(route: Route): Route | Refusal {
    if (route.nextHopId === undefined) return route;
    const object = this.#objects.get(route.nextHopId);
    return object === undefined
      ? failed("EINVAL", "Nexthop id does not exist")
      : { ...route, nextHops: [object.hop] };
  }

  /** An interface goes, or goes down. */
  flush(interfaceIndex: number): void {
    for (const { id, hop } of this.#objects.values())
      if (hop.interfaceIndex === interfaceIndex) this.#objects.delete(id);
  }
}
