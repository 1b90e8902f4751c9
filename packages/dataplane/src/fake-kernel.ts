import { IpAddress, Prefix } from "@caracal/net";
import {
  type Change,
  Iff,
  type InterfaceAddress,
  type Link,
  type Neighbour,
  type NextHop,
  type Route,
  RouteScope,
  RouteTable,
  RouteType,
} from "@caracal/netlink";
import { isAsWanted, type RouteKey, routeKey } from "./desired-route.ts";
import type { Kernel, KernelNotice, RouteOperation, RouteOutcome } from "./kernel.ts";

const done: RouteOutcome = { kind: "done" };

function failed(errno: string, detail: string): RouteOutcome {
  return { kind: "failed", errno, detail };
}

/**
 * A kernel in memory, for tests: it keeps the promises of the port that `kernelSuite` checks, and beside the port it
 * has the hands of others, which change the tables as another program would.
 */
export class FakeKernel implements Kernel {
  readonly #links = new Map<number, Link>();
  readonly #addresses: InterfaceAddress[] = [];
  readonly #routes = new Map<RouteKey, Route[]>();
  readonly #listeners = new Set<(notice: KernelNotice) => void>();
  #nextIndex = 1;

  dumpRoutes(): Promise<readonly Route[]> {
    return Promise.resolve([...this.#routes.values()].flat());
  }

  dumpLinks(): Promise<readonly Link[]> {
    return Promise.resolve([...this.#links.values()]);
  }

  dumpAddresses(): Promise<readonly InterfaceAddress[]> {
    return Promise.resolve([...this.#addresses]);
  }

  dumpNeighbours(): Promise<readonly Neighbour[]> {
    return Promise.resolve([]);
  }

  applyRoutes(operations: readonly RouteOperation[]): Promise<readonly RouteOutcome[]> {
    return Promise.resolve(operations.map((operation) => this.#apply(operation)));
  }

  subscribe(listener: (notice: KernelNotice) => void): () => void {
    this.#listeners.add(listener);
    return () => void this.#listeners.delete(listener);
  }

  /** Another program makes an interface, down and without addresses. */
  addLink(name: string): Link {
    const link: Link = { index: this.#nextIndex, name, flags: 0, operState: 2, mtu: 1500, kind: "veth" };
    this.#nextIndex += 1;
    this.#links.set(link.index, link);
    this.#tell({ kind: "link", gone: false, link });
    return link;
  }

  /** Another program removes an interface; its routes go with it, unannounced. */
  deleteLink(name: string): void {
    const link = this.#linkOf(name);
    this.#flush(link.index);
    this.#links.delete(link.index);
    this.#tell({ kind: "link", gone: true, link });
  }

  setLinkUp(name: string, up: boolean): void {
    const before = this.#linkOf(name);
    const link = { ...before, flags: up ? before.flags | Iff.IFF_UP : before.flags & ~Iff.IFF_UP };
    this.#links.set(link.index, link);
    if (up) for (const address of this.#addresses) this.#connect(address);
    else this.#flush(link.index);
    this.#tell({ kind: "link", gone: false, link });
  }

  /** Another program gives an interface an address, and the kernel the network's route with it. */
  addAddress(name: string, address: IpAddress, prefixLength: number): void {
    const interfaceIndex = this.#linkOf(name).index;
    const added: InterfaceAddress = { interfaceIndex, address, prefixLength, scope: 0, flags: 0 };
    this.#addresses.push(added);
    this.#connect(added);
    this.#tell({ kind: "address", gone: false, address: added });
  }

  /** Another program changes a route. */
  alien(operation: RouteOperation): RouteOutcome {
    const outcome = this.#apply(operation);
    if (outcome.kind === "done") {
      this.#tell({ kind: "route", gone: operation.kind === "delete", route: operation.route });
    }
    return outcome;
  }

  /** The kernel loses notices. */
  overrun(): void {
    for (const listener of this.#listeners) listener({ kind: "overrun" });
  }

  /** The tables change, and the notice of it is lost without a word. */
  alienUnnoticed(operation: RouteOperation): RouteOutcome {
    return this.#apply(operation);
  }

  #apply({ kind, route }: RouteOperation): RouteOutcome {
    const key = routeKey(route);
    const routes = this.#routes.get(key) ?? [];
    if (kind === "delete") {
      const at = routes.findIndex((known) => isAsWanted(route, known));
      if (at < 0) return failed("ESRCH", "No such process");
      this.#set(key, routes.toSpliced(at, 1));
      return done;
    }
    const stored = this.#resolve(route);
    if ("kind" in stored) return stored;
    if (kind === "add" && routes.length > 0) return failed("EEXIST", "File exists");
    this.#set(key, [stored, ...(kind === "add" ? routes : routes.slice(1))]);
    return done;
  }

  #set(key: RouteKey, routes: Route[]): void {
    if (routes.length === 0) this.#routes.delete(key);
    else this.#routes.set(key, routes);
  }

  /** The route as it is stored, its interfaces found, or why it cannot be. */
  #resolve(route: Route): Route | Exclude<RouteOutcome, { kind: "done" }> {
    const nextHops: NextHop[] = [];
    for (const hop of route.nextHops) {
      const reached = this.#interfaceOf(hop.gateway);
      const interfaceIndex = hop.interfaceIndex ?? reached;
      const isOnLink = hop.onlink === true || (reached !== undefined && reached === interfaceIndex);
      if (hop.gateway !== undefined && !isOnLink) {
        return { kind: "failed", errno: "ENETUNREACH", detail: "Nexthop has invalid gateway" };
      }
      const link = interfaceIndex === undefined ? undefined : this.#links.get(interfaceIndex);
      if (link === undefined) return { kind: "failed", errno: "ENODEV", detail: "No such device" };
      if ((link.flags & Iff.IFF_UP) === 0) {
        return { kind: "failed", errno: "ENETDOWN", detail: "Device for nexthop is not up" };
      }
      nextHops.push({ ...hop, interfaceIndex: link.index });
    }
    if (nextHops.length === 0 && route.type === RouteType.RTN_UNICAST) {
      return { kind: "failed", errno: "ENODEV", detail: "No such device" };
    }
    return { ...route, nextHops };
  }

  /** The interface whose network the gateway is in. */
  #interfaceOf(gateway: IpAddress | undefined): number | undefined {
    if (gateway === undefined) return undefined;
    const routes = [...this.#routes.values()].flat();
    const match = routes.find(
      ({ destination, nextHops: [first] }) =>
        first?.gateway === undefined && Prefix.contains(destination, gateway),
    );
    return match?.nextHops[0]?.interfaceIndex;
  }

  #connect({ interfaceIndex, address, prefixLength }: InterfaceAddress): void {
    const link = this.#links.get(interfaceIndex);
    if (link === undefined || (link.flags & Iff.IFF_UP) === 0) return;
    const isIpv4 = IpAddress.isIpv4(address);
    this.#apply({
      kind: "add",
      route: {
        destination: Prefix.of(address, prefixLength),
        type: RouteType.RTN_UNICAST,
        protocol: 2,
        scope: isIpv4 ? RouteScope.RT_SCOPE_LINK : RouteScope.RT_SCOPE_UNIVERSE,
        table: RouteTable.RT_TABLE_MAIN,
        metric: isIpv4 ? 0 : 256,
        nextHops: [{ interfaceIndex }],
      },
    });
  }

  #flush(interfaceIndex: number): void {
    for (const [key, routes] of this.#routes) {
      this.#set(
        key,
        routes.filter((route) => !route.nextHops.some((hop) => hop.interfaceIndex === interfaceIndex)),
      );
    }
  }

  #linkOf(name: string): Link {
    for (const link of this.#links.values()) if (link.name === name) return link;
    throw new RangeError(`no interface ${name}`);
  }

  #tell(change: Change): void {
    for (const listener of this.#listeners) listener({ kind: "changes", changes: [change] });
  }
}
