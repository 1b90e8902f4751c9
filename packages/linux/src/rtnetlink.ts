import {
  type Change,
  changeLink,
  decodeChange,
  decodeQdisc,
  decodeRedirect,
  deleteAddress,
  deleteLink,
  deleteNeighbour,
  deleteQdisc,
  deleteRoute,
  deleteRule,
  dumpAddresses,
  dumpFilters,
  dumpLinks,
  dumpNeighbours,
  dumpNextHops,
  dumpQdiscs,
  dumpRoutes,
  dumpRules,
  getLink,
  type InterfaceAddress,
  lacksNextHops,
  type Link,
  type LinkSettings,
  type LookupFlow,
  lookUpRoute,
  type Neighbour,
  type NeighbourTable,
  type NeighbourWrite,
  newAddress,
  type NewInterfaceAddress,
  newLink,
  type NewLink,
  newNeighbour,
  newQdisc,
  newRedirect,
  newRoute,
  newRule,
  type NextHopObject,
  type Qdisc,
  type Redirect,
  type Request,
  type Route,
  type RouteFilter,
  type RouteWrite,
  type Rule,
  type TokenBucket,
  withNextHops,
} from "@caracal/netlink";
import type { IpAddress, IpFamily } from "@caracal/net";
import { KernelError } from "./kernel-error.ts";
import { type NamespaceTarget, withNamespaceFd } from "./namespace.ts";
import { NetlinkSocket } from "./netlink-socket.ts";

/** Settings of a link, with the namespace it goes to by path or open namespace. */
export type PlacedLinkSettings = Omit<LinkSettings, "namespaceFd"> & { readonly namespace?: NamespaceTarget };

/** One end of a veth pair to be made. */
export type VethEnd = PlacedLinkSettings & { readonly name: string };

/**
 * What one does with `ip`, on the namespace in which it was opened. Refusals are `KernelError`s; removing what is not
 * there is no error but answers `false`.
 */
export class Rtnetlink implements Disposable {
  /** For requests that have no verb here. */
  readonly socket: NetlinkSocket;

  private constructor(socket: NetlinkSocket) {
    this.socket = socket;
  }

  static open(namespace?: NamespaceTarget): Rtnetlink {
    return new Rtnetlink(NetlinkSocket.open(namespace));
  }

  links(): readonly Link[] {
    return this.socket.dump("link.dump", dumpLinks(), (answer) => pick(decodeChange(answer), "link")?.link);
  }

  /** The interface of this name or index, or `undefined`. */
  link(which: string | number): Link | undefined {
    return this.#link(getLink(typeof which === "string" ? { name: which } : { index: which }));
  }

  /** The other end of a veth, in whichever namespace it is. */
  otherEnd({ linkedIndex, linkedNamespaceId }: Link): Link | undefined {
    if (linkedIndex === undefined || (linkedNamespaceId ?? 0) < 0) return undefined;
    return this.#link(getLink({ index: linkedIndex }, linkedNamespaceId));
  }

  #link(request: Request): Link | undefined {
    let found: Link | undefined;
    // EINVAL: the namespace with that number is gone.
    const there = unlessMissing(["ENODEV", "EINVAL"], () => {
      this.socket.request("link.get", request, (answer) => {
        found = pick(decodeChange(answer), "link")?.link ?? found;
      });
    });
    return there ? found : undefined;
  }

  addLink(link: NewLink): void {
    this.socket.request("link.add", newLink(link));
  }

  /** Makes both ends at once, each in its namespace with its name, MAC and MTU: neither is ever seen half made. */
  addVeth(near: VethEnd, far: VethEnd): void {
    // The kernel refuses a far end that is born up (ENOTCONN): it is set up right after.
    const { up: farUp, ...farEnd } = far;
    withPlaced(near, (nearSettings) =>
      withPlaced(farEnd, (farSettings) =>
        this.addLink({
          ...nearSettings,
          name: near.name,
          details: { kind: "veth", peer: { ...farSettings, name: far.name } },
        }),
      ),
    );
    if (farUp !== true) return;
    if (far.namespace === undefined) {
      this.setLink(far.name, { up: true });
      return;
    }
    using inside = Rtnetlink.open(far.namespace);
    inside.setLink(far.name, { up: true });
  }

  /** Changes an interface: up or down, name, MAC, MTU, bridge, namespace. */
  setLink(which: string | number, settings: PlacedLinkSettings): void {
    const index = this.#indexOf("link.set", which);
    withPlaced(settings, (placed) => this.socket.request("link.set", changeLink(index, placed)));
  }

  deleteLink(which: string | number): boolean {
    const link = this.link(which);
    if (link === undefined) return false;
    return unlessMissing(["ENODEV"], () => this.socket.request("link.delete", deleteLink(link.index)));
  }

  addresses(interfaceIndex?: number): readonly InterfaceAddress[] {
    return this.socket.dump(
      "address.dump",
      dumpAddresses(interfaceIndex),
      (answer) => pick(decodeChange(answer), "address")?.address,
    );
  }

  /** `replace` also succeeds when the address is there already. */
  addAddress(address: NewInterfaceAddress, how: "add" | "replace" = "add"): void {
    this.socket.request("address.add", newAddress(address, how));
  }

  deleteAddress(address: NewInterfaceAddress): boolean {
    return unlessMissing(["EADDRNOTAVAIL", "ENODEV"], () =>
      this.socket.request("address.delete", deleteAddress(address)),
    );
  }

  routes(filter?: RouteFilter): readonly Route[] {
    const routes = this.socket.dump(
      "route.dump",
      dumpRoutes(filter),
      (answer) => pick(decodeChange(answer), "route")?.route,
    );
    return routes.some(lacksNextHops) ? this.#resolved(routes) : routes;
  }

  /** Next hops that are objects of their own; a kernel before 5.3 has none. */
  nextHops(): readonly NextHopObject[] {
    let objects: readonly NextHopObject[] = [];
    unlessMissing(["EOPNOTSUPP"], () => {
      objects = this.socket.dump(
        "nexthop.dump",
        dumpNextHops(),
        (answer) => pick(decodeChange(answer), "nextHop")?.object,
      );
    });
    return objects;
  }

  /** The route that packets to `destination` take, or `undefined` when there is none. */
  routeTo(destination: IpAddress, flow?: LookupFlow): Route | undefined {
    let found: Route | undefined;
    unlessMissing(["ENETUNREACH", "EHOSTUNREACH", "EACCES", "EINVAL"], () =>
      this.socket.request("route.get", lookUpRoute(destination, flow), (answer) => {
        found = pick(decodeChange(answer), "route")?.route;
      }),
    );
    const [resolved] = found !== undefined && lacksNextHops(found) ? this.#resolved([found]) : [found];
    return resolved;
  }

  addRoute(route: Route, how: RouteWrite = "add"): void {
    this.socket.request(`route.${how}`, newRoute(route, how));
  }

  deleteRoute(route: Route): boolean {
    return unlessMissing(["ESRCH", "ENODEV"], () => this.socket.request("route.delete", deleteRoute(route)));
  }

  /** Entries of a table, of one interface if named. */
  neighbours(table?: NeighbourTable, interfaceIndex?: number): readonly Neighbour[] {
    return this.socket.dump(
      "neighbour.dump",
      dumpNeighbours(table, interfaceIndex),
      (answer) => pick(decodeChange(answer), "neighbour")?.neighbour,
    );
  }

  /** By default an existing entry of the same key is overwritten. */
  setNeighbour(entry: Neighbour, how: NeighbourWrite = "replace"): void {
    this.socket.request("neighbour.set", newNeighbour(entry, how));
  }

  deleteNeighbour(entry: Neighbour): boolean {
    return unlessMissing(["ENOENT", "ENODEV"], () =>
      this.socket.request("neighbour.delete", deleteNeighbour(entry)),
    );
  }

  rules(family: IpFamily): readonly Rule[] {
    return this.socket.dump(
      "rule.dump",
      dumpRules(family),
      (answer) => pick(decodeChange(answer), "rule")?.rule,
    );
  }

  addRule(rule: Rule): void {
    this.socket.request("rule.add", newRule(rule));
  }

  deleteRule(rule: Rule): boolean {
    return unlessMissing(["ENOENT"], () => this.socket.request("rule.delete", deleteRule(rule)));
  }

  /** Queueing disciplines of all interfaces, the kernel's own too. */
  qdiscs(): readonly Qdisc[] {
    return this.socket.dump("qdisc.dump", dumpQdiscs(), decodeQdisc);
  }

  /** Makes a discipline, or takes the place of one with the same handle. */
  setQdisc(at: Pick<Qdisc, "interfaceIndex" | "place" | "handle">, tokenBucket?: TokenBucket): void {
    this.socket.request("qdisc.set", newQdisc(at, tokenBucket));
  }

  deleteQdisc(at: Pick<Qdisc, "interfaceIndex" | "place" | "handle">): boolean {
    return unlessMissing(["ENOENT", "EINVAL", "ENODEV"], () =>
      this.socket.request("qdisc.delete", deleteQdisc(at)),
    );
  }

  /** Where an interface hands on what it receives. */
  redirects(interfaceIndex: number): readonly Redirect[] {
    return this.socket.dump("filter.dump", dumpFilters(interfaceIndex), decodeRedirect);
  }

  /** The interface must have an ingress discipline. */
  addRedirect(redirect: Redirect): void {
    this.socket.request("filter.add", newRedirect(redirect));
  }

  close(): void {
    this.socket.close();
  }

  [Symbol.dispose](): void {
    this.close();
  }

  /** With what objects say of the routes that name nothing else. */
  #resolved(routes: readonly Route[]): readonly Route[] {
    const objects = new Map(this.nextHops().map((object) => [object.id, object]));
    return routes.map((route) => withNextHops(route, objects));
  }

  #indexOf(op: string, which: string | number): number {
    if (typeof which === "number") return which;
    const link = this.link(which);
    if (link === undefined) throw new KernelError(op, "ENODEV", `no interface ${which}`);
    return link.index;
  }
}

function pick<Kind extends Change["kind"]>(
  change: Change | undefined,
  kind: Kind,
): Extract<Change, { kind: Kind }> | undefined {
  return isKind(change, kind) ? change : undefined;
}

function isKind<Kind extends Change["kind"]>(
  change: Change | undefined,
  kind: Kind,
): change is Extract<Change, { kind: Kind }> {
  return change?.kind === kind;
}

/** Runs `work`; `false` if the kernel said, by one of these errors, that the object does not exist. */
function unlessMissing(missing: readonly string[], work: () => void): boolean {
  try {
    work();
    return true;
  } catch (error) {
    if (error instanceof KernelError && missing.includes(error.errno)) return false;
    throw error;
  }
}

function withPlaced(settings: PlacedLinkSettings, use: (settings: LinkSettings) => void): void {
  const { namespace, ...rest } = settings;
  if (namespace === undefined) use(rest);
  else withNamespaceFd(namespace, (namespaceFd) => use({ ...rest, namespaceFd }));
}
