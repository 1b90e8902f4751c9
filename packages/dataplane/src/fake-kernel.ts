import { IpAddress, Prefix } from "@caracal/net";
import {
  type Change,
  Iff,
  type InterfaceAddress,
  type Link,
  type LinkSettings,
  type Neighbour,
  type NeighbourTable,
  type NewInterfaceAddress,
  type NewLink,
  type NextHop,
  type NextHopObject,
  type Route,
  RouteScope,
  RouteTable,
  RouteType,
} from "@caracal/netlink";
import { isAsWanted, type RouteKey, routeKey } from "./desired-route.ts";
import type { DeviceKernel, DeviceOperation, DeviceOutcome } from "./device-kernel.ts";
import { FakeNeighbours } from "./fake-neighbours.ts";
import { FakeNextHops } from "./fake-next-hops.ts";
import type { KernelNotice, RouteOperation, RouteOutcome } from "./kernel.ts";
import type { NextHopKernel, NextHopOperation } from "./next-hops/next-hop-kernel.ts";

const done: RouteOutcome = { kind: "done" };

function failed(errno: string, detail: string): RouteOutcome {
  return { kind: "failed", errno, detail };
}

/**
 * A kernel in memory, for tests: it keeps the promises of the port that `kernelSuite` checks, and beside the port it
 * has the hands of others, which change the tables as another program would.
 */
export class FakeKernel implements NextHopKernel, DeviceKernel {
  readonly #links = new Map<number, Link>();
  #addresses: readonly InterfaceAddress[] = [];
  readonly #neighbours = new FakeNeighbours();
  readonly #nextHops = new FakeNextHops();
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

  dumpNeighbours(
    table: NeighbourTable = "neighbours",
    interfaceIndex?: number,
  ): Promise<readonly Neighbour[]> {
    return Promise.resolve(this.#neighbours.dump(table, interfaceIndex));
  }

  dumpNextHops(): Promise<readonly NextHopObject[]> {
    return Promise.resolve(this.#nextHops.dump());
  }

  applyNextHops(operations: readonly NextHopOperation[]): Promise<readonly RouteOutcome[]> {
    return Promise.resolve(operations.map((operation) => this.#applyNextHop(operation)));
  }

  applyDevices(operations: readonly DeviceOperation[]): Promise<readonly DeviceOutcome[]> {
    return Promise.resolve(operations.map((operation) => this.#change(operation)));
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
    this.#drop(link.index);
    this.#tell({ kind: "link", gone: true, link });
  }

  setLinkUp(name: string, up: boolean): void {
    const link = this.#adjust(this.#linkOf(name), { up });
    this.#tell({ kind: "link", gone: false, link });
  }

  /** Another program gives an interface an address, and the kernel the network's route with it. */
  addAddress(name: string, address: IpAddress, prefixLength: number): void {
    const interfaceIndex = this.#linkOf(name).index;
    const added: InterfaceAddress = { interfaceIndex, address, prefixLength, scope: 0, flags: 0 };
    this.#addresses = [...this.#addresses, added];
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

  /** Another program changes an interface, an address or a neighbour. */
  alienDevice(operation: DeviceOperation): DeviceOutcome {
    const before = new Map(this.#links);
    const outcome = this.#change(operation);
    if (outcome.kind === "failed") return outcome;
    for (const link of this.#links.values())
      if (before.get(link.index) !== link) this.#tell({ kind: "link", gone: false, link });
    for (const link of before.values())
      if (!this.#links.has(link.index)) this.#tell({ kind: "link", gone: true, link });
    if ("address" in operation) {
      const address = { scope: 0, flags: 0, ...operation.address };
      this.#tell({ kind: "address", gone: operation.kind === "address.delete", address });
    }
    if ("neighbour" in operation) {
      const { kind, neighbour } = operation;
      this.#tell({ kind: "neighbour", gone: kind === "neighbour.delete", neighbour });
    }
    return outcome;
  }

  /** Another program changes a next hop object; of routes that go with it nothing is told. */
  alienNextHop(operation: NextHopOperation): RouteOutcome {
    const object =
      operation.kind === "add"
        ? operation.object
        : this.#nextHops.dump().find(({ id }) => id === operation.id);
    const outcome = this.#applyNextHop(operation);
    if (outcome.kind === "done" && object !== undefined)
      this.#tell({ kind: "nextHop", gone: operation.kind === "delete", object });
    return outcome;
  }

  /** From now on this is a kernel without next hop objects. */
  refuseNextHops(): void {
    this.#nextHops.isSupported = false;
  }

  /** The kernel loses notices. */
  overrun(): void {
    for (const listener of this.#listeners) listener({ kind: "overrun" });
  }

  /** The tables change, and the notice of it is lost without a word. */
  alienUnnoticed(operation: RouteOperation): RouteOutcome {
    return this.#apply(operation);
  }

  #change(operation: DeviceOperation): DeviceOutcome {
    switch (operation.kind) {
      case "link.add":
        return this.#make(operation.link);
      case "link.set":
      case "link.delete": {
        const link = this.#links.get(operation.index);
        if (link === undefined) return failed("ENODEV", "No such device");
        if (operation.kind === "link.delete") this.#drop(link.index);
        else this.#adjust(link, operation.settings);
        return done;
      }
      case "address.add":
        return this.#give(operation.address);
      case "address.delete":
        return this.#take(operation.address);
      case "neighbour.set":
        return this.#neighbours.set(operation.neighbour);
      case "neighbour.delete":
        return this.#neighbours.delete(operation.neighbour);
    }
  }

  #make({ details, ...settings }: NewLink): DeviceOutcome {
    for (const { name, vxlan, ipip } of this.#links.values()) {
      if (name === settings.name) return failed("EEXIST", "File exists");
      if (
        details.kind === "ipip" &&
        ipip?.local === details.local &&
        ipip?.remote === details.remote &&
        ipip !== undefined
      )
        return failed("EEXIST", "File exists");
      const isTwin =
        details.kind === "vxlan" &&
        vxlan?.vni === details.vni &&
        vxlan.port === details.port &&
        typeof vxlan.local === typeof details.local;
      if (isTwin) return failed("EEXIST", "A VXLAN device with the specified VNI already exists");
    }
    const { kind } = details;
    const { name } = settings;
    const made: Link = {
      index: this.#nextIndex,
      name,
      flags: 0,
      operState: 2,
      mtu: kind === "ipip" ? 1480 : 1500,
      kind,
    };
    this.#nextIndex += 1;
    this.#adjust({ ...made, ...tunnelOf(details) }, settings);
    return done;
  }

  #adjust(before: Link, { name, mtu, mac, up }: LinkSettings): Link {
    const wasUp = (before.flags & Iff.IFF_UP) !== 0;
    const isUp = up ?? wasUp;
    const link = {
      ...before,
      ...(name === undefined ? {} : { name }),
      ...(mtu === undefined ? {} : { mtu }),
      ...(mac === undefined ? {} : { mac }),
      flags: isUp ? before.flags | Iff.IFF_UP : before.flags & ~Iff.IFF_UP,
    };
    this.#links.set(link.index, link);
    if (isUp && !wasUp) for (const address of this.#addresses) this.#connect(address);
    if (!isUp && wasUp) {
      this.#flush(link.index);
      this.#neighbours.settle(link.index);
    }
    return link;
  }

  #drop(index: number): void {
    this.#flush(index);
    this.#neighbours.flush(index);
    this.#addresses = this.#addresses.filter(({ interfaceIndex }) => interfaceIndex !== index);
    this.#links.delete(index);
  }

  #give(address: NewInterfaceAddress): DeviceOutcome {
    if (!this.#links.has(address.interfaceIndex)) return failed("ENODEV", "No such device");
    const added = { scope: 0, flags: 0, ...address };
    if (this.#addresses.some((known) => isSameAddress(known, added))) return failed("EEXIST", "File exists");
    this.#addresses = [...this.#addresses, added];
    this.#connect(added);
    return done;
  }

  #take(address: NewInterfaceAddress): DeviceOutcome {
    const kept = this.#addresses.filter((known) => !isSameAddress(known, address));
    if (kept.length === this.#addresses.length)
      return failed("EADDRNOTAVAIL", "Cannot assign requested address");
    this.#addresses = kept;
    return done;
  }

  #applyNextHop(operation: NextHopOperation): RouteOutcome {
    const outcome = this.#nextHops.apply(operation, (hop) => {
      const stored = this.#resolveHop(hop);
      return "kind" in stored ? stored : undefined;
    });
    if (operation.kind === "delete" && outcome.kind === "done")
      this.#dropRoutes(({ nextHopId }) => nextHopId === operation.id);
    return outcome;
  }

  #apply({ kind, route }: RouteOperation): RouteOutcome {
    const key = routeKey(route);
    const routes = this.#routes.get(key) ?? [];
    if (kind === "delete") {
      const at = routes.findIndex((known) => isMeant(route, known));
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
    const resolved = this.#nextHops.resolved(route);
    if ("kind" in resolved) return resolved;
    const nextHops: NextHop[] = [];
    for (const hop of resolved.nextHops) {
      const stored = this.#resolveHop(hop);
      if ("kind" in stored) return stored;
      nextHops.push(stored);
    }
    if (nextHops.length === 0 && route.type === RouteType.RTN_UNICAST) {
      return { kind: "failed", errno: "ENODEV", detail: "No such device" };
    }
    return { ...route, nextHops };
  }

  #resolveHop(hop: NextHop): NextHop | Exclude<RouteOutcome, { kind: "done" }> {
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
    return { ...hop, interfaceIndex: link.index };
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
    // A lone address is reached by the local table only.
    if (isIpv4 && prefixLength === 32) return;
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
    this.#nextHops.flush(interfaceIndex);
    this.#dropRoutes((route) => route.nextHops.some((hop) => hop.interfaceIndex === interfaceIndex));
  }

  #dropRoutes(isGone: (route: Route) => boolean): void {
    for (const [key, routes] of this.#routes)
      this.#set(
        key,
        routes.filter((route) => !isGone(route)),
      );
  }

  #linkOf(name: string): Link {
    for (const link of this.#links.values()) if (link.name === name) return link;
    throw new RangeError(`no interface ${name}`);
  }

  #tell(change: Change): void {
    for (const listener of this.#listeners) listener({ kind: "changes", changes: [change] });
  }
}

function tunnelOf(details: NewLink["details"]): Pick<Link, "vxlan" | "ipip"> {
  if (details.kind === "vxlan") {
    const { kind: _, ...vxlan } = details;
    return { vxlan };
  }
  if (details.kind !== "ipip") return {};
  const { kind: _, ...ipip } = details;
  return { ipip };
}

/** Whether a deletion means this route: one through an object is known by the object's number and nothing else. */
function isMeant(route: Route, known: Route): boolean {
  if (route.nextHopId !== known.nextHopId) return false;
  return isAsWanted(route.nextHopId === undefined ? route : { ...route, nextHops: known.nextHops }, known);
}

function isSameAddress(a: NewInterfaceAddress, b: NewInterfaceAddress): boolean {
  return (
    a.interfaceIndex === b.interfaceIndex && a.address === b.address && a.prefixLength === b.prefixLength
  );
}
