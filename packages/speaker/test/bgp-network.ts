import assert from "node:assert/strict";
import type { TestContext } from "node:test";
import { isDeepStrictEqual } from "node:util";
import {
  type BgpBelief,
  type BgpNeighborSettings,
  type BgpPeer,
  type BgpPeerKind,
  type BgpSample,
  eventually,
  familyOf,
  type Namespace,
  Testbed,
} from "@caracal/testbed";

/** What a session may say beside its ends, which the network knows. */
export interface SessionPlan extends Partial<BgpNeighborSettings> {
  /** The family of the addresses that it runs between; 4 unless told. */
  readonly over?: 4 | 6;
}

/** One router of a network. */
export interface RouterPlan {
  readonly kind: BgpPeerKind;
  readonly asn: number;
  readonly routes?: readonly BgpSample[];
  readonly programsKernel?: boolean;
  /** Its sessions, by the other router's name. */
  readonly to: Readonly<Record<string, SessionPlan>>;
}

/** A router of a running network. */
export interface NetworkRouter {
  readonly name: string;
  readonly plan: RouterPlan;
  readonly address: string;
  readonly address6: string;
  readonly namespace: Namespace;
  readonly peer: BgpPeer;
}

/** Which beliefs count, and what of them. */
export interface BeliefOptions {
  readonly which?: (belief: BgpBelief) => boolean;
  readonly ignoring?: readonly (keyof BgpBelief)[];
  /** How often to look. */
  readonly intervalMs?: number;
}

const intervalMs = 100;
/** Of each half of a difference, in the message of a failure. */
const shownLines = 10;

/** Routers on one link, in the order of the plan: 10.77.0.1 and fd77::1, 10.77.0.2 and fd77::2, and so on. */
export class BgpNetwork {
  readonly bed: Testbed;
  readonly #routers: ReadonlyMap<string, NetworkRouter>;

  private constructor(bed: Testbed, routers: ReadonlyMap<string, NetworkRouter>) {
    this.bed = bed;
    this.#routers = routers;
  }

  /** Starts all at once; sessions come up when they do. */
  static async start(t: TestContext, plans: Readonly<Record<string, RouterPlan>>): Promise<BgpNetwork> {
    const bed = Testbed.create(t);
    const places = await Promise.all(
      Object.entries(plans).map(async ([name, plan], index) => ({
        name,
        plan,
        address: `10.77.0.${index + 1}`,
        address6: `fd77::${index + 1}`,
        namespace: await bed.namespace(name),
      })),
    );
    const ends = places.map(({ namespace, address, address6 }) => ({
      namespace,
      name: "eth0",
      addresses: [`${address}/24`, `${address6}/64`] as const,
    }));
    const [first, second] = ends;
    if (first !== undefined && second !== undefined && ends.length === 2) await bed.wire(first, second);
    else await bed.network("link", ends);
    const routers = await Promise.all(
      places.map(async (place) => ({ ...place, peer: await startRouter(bed, place, places) })),
    );
    return new BgpNetwork(bed, new Map(routers.map((router) => [router.name, router])));
  }

  router(name: string): NetworkRouter {
    const router = this.#routers.get(name);
    assert.ok(router !== undefined, `there is no router ${name}`);
    return router;
  }

  /** Waits until both ends of a session say that it is up. */
  async up(one: string, other: string): Promise<void> {
    await eventually(
      async () => (await this.router(one).peer.isUp(other)) && (await this.router(other).peer.isUp(one)),
      { what: `a session of ${one} and ${other}`, intervalMs },
    ).catch((error: unknown) => this.#fail(error, one, other));
  }

  /** Waits until what a router believes is exactly this. */
  async believes(name: string, expected: readonly BgpBelief[], options: BeliefOptions = {}): Promise<void> {
    const { which = () => true, ignoring = [] } = options;
    const wanted = comparable(expected, ignoring);
    let found: readonly string[] = [];
    await eventually(
      async () => {
        found = comparable((await this.router(name).peer.beliefs()).filter(which), ignoring);
        return isDeepStrictEqual(found, wanted);
      },
      { what: `what ${name} should believe`, intervalMs: options.intervalMs ?? intervalMs },
    ).catch((error: unknown) => this.#fail(`${String(error)}\n${difference(found, wanted)}`, name));
  }

  /** What a router should believe of a route that another one is the source of and tells it. */
  told(route: BgpSample, from: string, to: string): BgpBelief {
    const [source, target] = [this.router(from), this.router(to)];
    const isExternal = source.plan.asn !== target.plan.asn;
    const { prefix, origin = "IGP", asPath = [], med, localPref, ...rest } = route;
    return {
      prefix,
      from,
      best: true,
      nextHop: ownNextHop(source, familyOf(prefix), source.plan.to[to] ?? {}),
      origin,
      asPath: (isExternal ? [source.plan.asn, ...asPath] : asPath).join(" "),
      ...(med === undefined ? {} : { med }),
      ...(isExternal || localPref === undefined ? {} : { localPref }),
      ...rest,
    };
  }

  /** The same as another router reflects it to a third one in its AS. */
  reflected(route: BgpSample, path: { from: string; by: string; to: string }): BgpBelief {
    const { from, by, to } = path;
    return {
      ...this.told(route, from, to),
      from: by,
      originatorId: this.router(from).address,
      clusterList: [this.router(by).address],
    };
  }

  /** The same as the router that believes it tells another AS. */
  relayed(belief: BgpBelief, by: string): BgpBelief {
    const { address, plan } = this.router(by);
    // RFC 4271 §5.1.4: a MED goes no further than the neighbouring AS.
    return { ...belief, from: by, nextHop: address, asPath: `${plan.asn} ${belief.asPath}`, med: 0 };
  }

  #fail(error: unknown, ...names: readonly string[]): never {
    const outputs = names.map((name) => `${name} said:\n${this.router(name).peer.program.output}`);
    throw new Error(`${String(error)}\n${outputs.join("\n")}`);
  }
}

/** What a router tells as its own address; some tell an IPv4 address in IPv6's form. */
function ownNextHop({ plan, address, address6 }: NetworkRouter, family: 4 | 6, session: SessionPlan): string {
  const { over = 4, extendedNextHop = false } = session;
  if (family === 4) return extendedNextHop ? address6 : address;
  const isMapped = over === 4 && plan.kind.lacks["own next hop of the other family"] !== undefined;
  return isMapped ? `::ffff:${address}` : address6;
}

type Place = Omit<NetworkRouter, "peer">;

function startRouter(bed: Testbed, place: Place, all: readonly Place[]): Promise<BgpPeer> {
  const { plan, namespace, address } = place;
  const neighbors = Object.entries(plan.to).map(([name, { over = 4, ...session }]): BgpNeighborSettings => {
    const other = all.find((one) => one.name === name);
    assert.ok(other !== undefined, `there is no router ${name}`);
    const [local, otherFamilyLocal] =
      over === 4 ? [place.address, place.address6] : [place.address6, place.address];
    return {
      name,
      address: over === 4 ? other.address : other.address6,
      asn: other.plan.asn,
      local,
      otherFamilyLocal,
      families: [over],
      ...session,
    };
  });
  const { kind, asn, routes = [], programsKernel = false } = plan;
  return kind.start(bed, namespace, { routerId: address, asn, neighbors, routes, programsKernel });
}

function difference(found: readonly string[], wanted: readonly string[]): string {
  const [has, needs] = [new Set(found), new Set(wanted)];
  const missing = wanted.filter((line) => !has.has(line)).map((line) => `missing    ${line}`);
  const unexpected = found.filter((line) => !needs.has(line)).map((line) => `unexpected ${line}`);
  return [missing, unexpected].flatMap((lines) => lines.slice(0, shownLines)).join("\n");
}

/**
 * A line of JSON for each, sorted. A route that nobody said a preference or a MED for counts as with 100 and 0, whether a
 * router writes that down or not.
 */
function comparable(
  beliefs: readonly BgpBelief[],
  ignoring: readonly (keyof BgpBelief)[],
): readonly string[] {
  return beliefs
    .map((one) => {
      const all = Object.entries({ localPref: 100, med: 0, ...one });
      const kept = all.filter(([key]) => !ignoring.some((name) => name === key));
      return JSON.stringify(Object.fromEntries(kept.toSorted(([a], [b]) => (a < b ? 1 : -1))));
    })
    .toSorted();
}
