import { IpAddress } from "@caracal/net";
import { type NextHop, type NextHopObject, type Route, RouteProtocol, RouteType } from "@caracal/netlink";
import { isAsWanted, type RouteKey, routeKey } from "../desired-route.ts";
import type { RouteOperation } from "../kernel.ts";
import type { NextHopOperation } from "./next-hop-kernel.ts";

/** Numbers of our objects begin here, far from those that routing daemons count up from 1. */
export const nextHopIdMin: number = 1_080_000_000;
/** How many there may be; after the last the numbers begin anew. */
export const nextHopIdCount: number = 1 << 20;
/** Whose objects of these numbers are ours. */
const nextHopProtocol = RouteProtocol.RTPROT_FELIX;

/** A route that leads through an object of ours for the time being. */
interface Propped {
  /** As it is to be in the end. */
  readonly route: Route;
  readonly id: number;
}

/**
 * What is known of our next hop objects and the routes through them: pure bookkeeping. Whatever comes into doubt is forgotten;
 * the next dump tells.
 */
export class Scaffold {
  /** Objects that further routes may lead through, by where they lead. */
  readonly #idOf = new Map<string, number>();
  readonly #propped = new Map<RouteKey, Propped>();
  /** Objects that no route led through at the last dump. */
  #unused: readonly number[] = [];
  #nextId = nextHopIdMin;
  /** Objects may be there that nothing above tells of. */
  #needsLook = true;
  /** Our own doings took routes off objects since the last dump. */
  #isRipe = false;

  /** Whether a dump of routes is to be read together with one of objects. */
  needsObjects(routes: readonly Route[]): boolean {
    return (
      this.#needsLook ||
      this.#isRipe ||
      this.#idOf.size > 0 ||
      routes.some(({ nextHopId }) => isOwnId(nextHopId))
    );
  }

  /** Takes a dump in, and gives its routes as they will be without our objects. */
  learn(routes: readonly Route[], objects: readonly NextHopObject[]): readonly Route[] {
    this.forget();
    const unused = new Set<number>();
    for (const { id, protocol, hop } of objects) {
      if (!isOwnId(id) || protocol !== nextHopProtocol) continue;
      unused.add(id);
      this.#idOf.set(hopKey(hop), id);
      if (id >= this.#nextId) this.#nextId = following(id);
    }
    const own = new Set(unused);
    const plain = routes.map((route): Route => {
      const { nextHopId, ...rest } = route;
      if (nextHopId === undefined || !own.has(nextHopId)) return route;
      unused.delete(nextHopId);
      if (fitsObject(rest)) this.#propped.set(routeKey(rest), { route: rest, id: nextHopId });
      return rest;
    });
    for (const { members = [] } of objects) for (const { id } of members) unused.delete(id);
    for (const [key, id] of this.#idOf) if (unused.has(id)) this.#idOf.delete(key);
    this.#unused = [...unused];
    this.#needsLook = false;
    return plain;
  }

  /** Forgets everything: the next dump tells. */
  forget(): void {
    this.#idOf.clear();
    this.#propped.clear();
    this.#unused = [];
    this.#needsLook = true;
    this.#isRipe = false;
  }

  /** The objects to make so that all `hops` have one. */
  missing(hops: Iterable<NextHop>): readonly NextHopOperation[] {
    const operations: NextHopOperation[] = [];
    for (const { interfaceIndex, gateway, onlink } of hops) {
      if (interfaceIndex === undefined || gateway === undefined) continue;
      const hop = { interfaceIndex, gateway, ...(onlink === true ? { onlink } : {}) };
      if (this.#idOf.has(hopKey(hop))) continue;
      operations.push({ kind: "add", object: { id: this.#takeId(), protocol: nextHopProtocol, hop } });
    }
    return operations;
  }

  /** An object was made or deleted. */
  made(operation: NextHopOperation): void {
    if (operation.kind === "add") this.#idOf.set(hopKey(operation.object.hop), operation.object.id);
    else this.#unused = this.#unused.filter((id) => id !== operation.id);
  }

  /**
   * The operation with the object that is to serve, or that serves, in the place of the route's next hop; to serve routes of
   * these interfaces only.
   */
  translated(operation: RouteOperation, interfaces?: ReadonlySet<number>): RouteOperation {
    const { kind, route } = operation;
    const id = kind === "delete" ? this.#idBelow(route) : this.#idFor(route, interfaces);
    return id === undefined ? operation : { kind, route: { ...route, nextHopId: id } };
  }

  /** An operation was carried out, as translated. */
  done({ kind, route }: RouteOperation): void {
    const { nextHopId: id, ...plain } = route;
    const key = routeKey(route);
    if (kind === "delete" || id === undefined) {
      if (this.#propped.delete(key)) this.#isRipe = true;
    } else this.#propped.set(key, { route: plain, id });
  }

  /** Somebody changed a route of this key: what is there now is not known. */
  doubtRoute(key: RouteKey): void {
    if (this.#propped.delete(key)) this.#needsLook = true;
  }

  /** An interface may have lost its objects. `true` if some routes led through them. */
  doubtInterface(index: number): boolean {
    return this.#doubt(
      ({ route }) => route.nextHops[0]?.interfaceIndex === index,
      (key) => key.startsWith(`${index} `),
    );
  }

  /** Somebody changed or deleted this object. `true` if it is ours and routes led through it. */
  doubtObject(id: number): boolean {
    if (!isOwnId(id)) return false;
    return this.#doubt(
      (propped) => propped.id === id,
      (key) => this.#idOf.get(key) === id,
    );
  }

  /** Some of the routes that are to be written anew, without objects. */
  propped(countMax: number): readonly Route[] {
    return [...this.#propped.values().take(countMax)].map(({ route }) => route);
  }

  /** Some of the objects that may go. */
  unused(countMax: number): readonly number[] {
    return this.#unused.slice(0, countMax);
  }

  /** Whether something is left to take down, or a dump would tell of it. */
  get hasWork(): boolean {
    return this.#propped.size > 0 || this.#unused.length > 0 || this.#isRipe;
  }

  #idBelow(route: Route): number | undefined {
    const propped = this.#propped.get(routeKey(route));
    return propped !== undefined && isAsWanted(route, propped.route) ? propped.id : undefined;
  }

  #idFor(route: Route, interfaces?: ReadonlySet<number>): number | undefined {
    const [hop] = route.nextHops;
    const isMeant =
      hop !== undefined && interfaces?.has(hop.interfaceIndex ?? 0) === true && fitsObject(route);
    return isMeant ? this.#idOf.get(hopKey(hop)) : undefined;
  }

  #doubt(isRoute: (propped: Propped) => boolean, isHop: (key: string) => boolean): boolean {
    let lost = false;
    for (const [key, propped] of this.#propped) {
      if (!isRoute(propped)) continue;
      this.#propped.delete(key);
      lost = true;
    }
    for (const key of this.#idOf.keys()) {
      if (!isHop(key)) continue;
      this.#idOf.delete(key);
      this.#needsLook = true;
    }
    return lost;
  }

  #takeId(): number {
    const id = this.#nextId;
    this.#nextId = following(id);
    return id;
  }
}

/** Whether a route may lead through an object: IPv4, one next hop, and its gateway and interface are named. */
export function fitsObject({ destination, type, nextHops, nextHopId }: Route): boolean {
  const [hop] = nextHops;
  return (
    destination.family === 4 &&
    type === RouteType.RTN_UNICAST &&
    nextHops.length === 1 &&
    nextHopId === undefined &&
    hop?.interfaceIndex !== undefined &&
    hop.gateway !== undefined &&
    IpAddress.isIpv4(hop.gateway)
  );
}

/** What tells two next hops apart. */
export function hopKey({ interfaceIndex, gateway, onlink }: NextHop): string {
  return `${interfaceIndex ?? 0} ${String(gateway)} ${onlink === true}`;
}

function following(id: number): number {
  return id + 1 < nextHopIdMin + nextHopIdCount ? id + 1 : nextHopIdMin;
}

function isOwnId(id: number | undefined): boolean {
  return id !== undefined && id >= nextHopIdMin && id < nextHopIdMin + nextHopIdCount;
}
