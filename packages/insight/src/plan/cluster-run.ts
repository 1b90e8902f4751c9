import {
  everythingReachable,
  peerConfig,
  type PeerInput,
  type RouteSnapshot,
  Speaker,
  speakerDefaults,
  type SpeakerEffect,
  type SpeakerEvent,
} from "@caracal/bgp";
import { peerConfigs, peerPolicies } from "@caracal/bgp-intent";
import type { BgpIntent, NodeIntent, PeerIntent } from "@caracal/intent";
import { IpAddress, type IpFamily, Ipv4, type Prefix } from "@caracal/net";

/** More sessions than this are not run: it would take minutes. */
export const maxSessions = 20_000;
/** A run that is still busy after so many messages does not settle: routes chase each other. */
const maxSteps = 5_000_000;
/** Virtual time that a run may take: long enough for every timer that delays a session. */
const maxVirtualMs = 300_000;

/** A cluster that is too large to be run in memory. */
export class TooManySessionsError extends RangeError {
  readonly code = "too-many-sessions";
  readonly sessionCount: number;

  constructor(sessionCount: number) {
    super(`the cluster has ${sessionCount} sessions; at most ${maxSessions} can be run in memory`);
    this.name = "TooManySessionsError";
    this.sessionCount = sessionCount;
  }
}

/** The best routes of every router, as the cluster's own speakers choose them. */
export interface ClusterRoutes {
  /** Node names, and the addresses of routers outside the cluster. */
  readonly best: ReadonlyMap<string, readonly RouteSnapshot[]>;
  /** Sessions that came up, by router and peer name. */
  readonly established: ReadonlySet<string>;
}

/**
 * Runs the cluster's BGP in memory: one real speaker a node, with the policies of its intent, until nothing moves any
 * more. A router outside the cluster is assumed to be a plain one that passes on everything it may: one for each address
 * that peers name, peered with all who name it and, by eBGP, with the others outside.
 */
export function runCluster(intents: ReadonlyMap<string, NodeIntent>): ClusterRoutes {
  const routers = [...nodeRouters(intents), ...outsideRouters(intents)];
  const sessionCount = routers.reduce((sum, { peers }) => sum + peers.length, 0) / 2;
  if (sessionCount > maxSessions) {
    throw new TooManySessionsError(sessionCount);
  }
  const network = new Network(routers);
  network.run();
  return {
    best: new Map(
      network.routers.map(({ name, speaker }) => [name, speaker.routes().filter(({ best }) => best)]),
    ),
    established: new Set(
      network.routers.flatMap(({ name, speaker }) =>
        speaker
          .peers(0)
          .filter(({ state }) => state === "Established")
          .map((peer) => `${name}|${peer.name}`),
      ),
    ),
  };
}

interface RouterPlan {
  readonly name: string;
  readonly asNumber: number;
  readonly routerId: Ipv4;
  readonly addresses: readonly IpAddress[];
  readonly peers: readonly PeerInput[];
  readonly origins: readonly Prefix[];
  readonly intent?: BgpIntent;
}

function nodeRouters(intents: ReadonlyMap<string, NodeIntent>): readonly RouterPlan[] {
  return [...intents].flatMap(([name, { bgp }]) => {
    if (bgp === undefined) return [];
    const own = new Map(
      bgp.peers.flatMap((peer): readonly [IpFamily, IpAddress][] =>
        peer.sourceAddress === undefined ? [] : [[peer.family, peer.sourceAddress]],
      ),
    );
    const addresses = [...own.values()];
    return [
      {
        name,
        asNumber: bgp.asNumber,
        routerId: bgp.routerId,
        addresses,
        peers: peerConfigs(bgp, own),
        origins: bgp.origins.map(({ prefix }) => prefix),
        intent: bgp,
      },
    ];
  });
}

/** Routers that peers name and that are no nodes. */
function outsideRouters(intents: ReadonlyMap<string, NodeIntent>): readonly RouterPlan[] {
  const nodeAddresses = new Set<string>();
  const named = new Map<string, { asNumber: number; address: IpAddress; readonly by: PeerIntent[] }>();
  for (const { bgp } of intents.values()) {
    for (const { sourceAddress } of bgp?.peers ?? []) {
      if (sourceAddress !== undefined) nodeAddresses.add(IpAddress.format(sourceAddress));
    }
  }
  for (const { bgp } of intents.values()) {
    for (const peer of bgp?.peers ?? []) {
      const text = IpAddress.format(peer.address);
      if (peer.node !== undefined || nodeAddresses.has(text)) continue;
      const router = named.get(text) ?? { asNumber: peer.remoteAsNumber, address: peer.address, by: [] };
      router.by.push(peer);
      named.set(text, router);
    }
  }
  const all = [...named].map(([name, router]) => ({ name, ...router }));
  return all.map((router, index) => ({
    name: router.name,
    asNumber: router.asNumber,
    routerId: Ipv4.of(0xf000_0001 + index),
    addresses: [router.address],
    origins: [],
    peers: [
      ...router.by.flatMap((peer) => mirrored(peer, router.asNumber)),
      ...all
        .filter(
          (other) =>
            other.name !== router.name &&
            IpAddress.family(other.address) === IpAddress.family(router.address),
        )
        .map((other): PeerInput => ({
          name: `fabric ${other.name}`,
          address: other.address,
          asn: other.asNumber,
          sourceAddress: router.address,
          // The fabric between may be of several hops of any AS: only that it passes routes on matters here.
          reflectorClient: other.asNumber === router.asNumber,
        })),
    ],
  }));
}

/** The other end of a node's session, as a router outside has it. */
function mirrored(peer: PeerIntent, asNumber: number): readonly PeerInput[] {
  if (peer.sourceAddress === undefined) return [];
  return [
    {
      name: IpAddress.format(peer.sourceAddress),
      address: peer.sourceAddress,
      asn: peer.localAsNumber,
      localAsn: asNumber,
      sourceAddress: peer.address,
      // A router to which nodes peer by iBGP reflects between them, or they would not be set up so.
      reflectorClient: peer.localAsNumber === asNumber,
      allowLocalAs: 0,
    },
  ];
}

interface Router {
  readonly name: string;
  readonly speaker: Speaker;
  readonly addresses: readonly IpAddress[];
}

/** Two ends of a connection, each with the name that its speaker knows it by. */
interface Wire {
  readonly router: Router;
  readonly connection: string;
}

interface Delivery {
  readonly router: Router;
  readonly event: SpeakerEvent;
}

/** Connections without delay or loss between speakers, on virtual time. */
class Network {
  readonly routers: readonly Router[];
  readonly #byAddress = new Map<string, Router>();
  readonly #wires = new Map<string, Wire>();
  readonly #queue: Delivery[] = [];
  #now = 0;
  #accepted = 0;

  constructor(plans: readonly RouterPlan[]) {
    this.routers = plans.map((plan) => this.#router(plan));
    for (const [index, plan] of plans.entries()) {
      const router = this.routers[index];
      if (router === undefined) continue;
      this.#queue.push(
        { router, event: { kind: "localRoutes", routes: plan.origins.map((prefix) => ({ prefix })) } },
        { router, event: { kind: "peers", peers: plan.peers.map(peerConfig) } },
      );
    }
  }

  /** Until nothing is under way and no timer of a session that could still come up is left. */
  run(): void {
    let steps = 0;
    while (this.#now < maxVirtualMs) {
      for (let at = 0; at < this.#queue.length; at += 1) {
        const next = this.#queue[at];
        if (next !== undefined) this.#step(next);
        steps += 1;
        if (steps > maxSteps) throw new RangeError("the routes of the cluster do not settle");
      }
      this.#queue.length = 0;
      const due = this.#nextTimer();
      if (due === undefined) return;
      this.#now = Math.max(this.#now, due);
      for (const router of this.routers) {
        if ((router.speaker.deadline ?? Infinity) <= this.#now)
          this.#queue.push({ router, event: { kind: "tick" } });
      }
    }
  }

  #router(plan: RouterPlan): Router {
    const policies = plan.intent === undefined ? [] : peerPolicies(plan.intent);
    const speaker = new Speaker(
      { ...speakerDefaults, routerId: plan.routerId, asn: plan.asNumber, tellsBestRoutes: false },
      { resolver: everythingReachable, random: () => 0.5, policies: new Map() },
    );
    speaker.handle({ kind: "policies", policies }, 0);
    const router = { name: plan.name, speaker, addresses: plan.addresses };
    for (const address of plan.addresses) this.#byAddress.set(IpAddress.format(address), router);
    return router;
  }

  /** Once every session that can be up is up, the timers left are keepalives: nothing comes of them. */
  #nextTimer(): number | undefined {
    const isSettled = this.routers.every(({ speaker }) =>
      speaker
        .peers(this.#now)
        .every(({ state, passive }) => state === "Established" || (passive && state === "Active")),
    );
    const deadlines = this.routers.map(({ speaker }) => speaker.deadline ?? Infinity);
    const next = Math.min(...deadlines);
    // What is due at once is a table that is still being told.
    if (next <= this.#now) return this.#now;
    return isSettled || next === Infinity || next > settleMs ? undefined : next;
  }

  #step({ router, event }: Delivery): void {
    for (const effect of router.speaker.handle(event, this.#now)) this.#carryOut(router, effect);
  }

  #carryOut(router: Router, effect: SpeakerEffect): void {
    switch (effect.kind) {
      case "connect":
        this.#connect(router, effect.connection, effect.address, effect.sourceAddress);
        return;
      case "send":
      case "close": {
        const far = this.#wires.get(wireKey(router, effect.connection));
        if (far === undefined) return;
        const { connection } = far;
        if (effect.kind === "send") {
          this.#queue.push({
            router: far.router,
            event: { kind: "received", connection, bytes: effect.bytes },
          });
          return;
        }
        this.#wires.delete(wireKey(router, effect.connection));
        this.#wires.delete(wireKey(far.router, connection));
        this.#queue.push({ router: far.router, event: { kind: "failed", connection, reason: "closed" } });
        return;
      }
      default:
        return;
    }
  }

  #connect(router: Router, connection: string, address: IpAddress, source: IpAddress | undefined): void {
    const far = this.#byAddress.get(IpAddress.format(address));
    const localAddress =
      source ?? router.addresses.find((one) => IpAddress.family(one) === IpAddress.family(address));
    if (far === undefined || localAddress === undefined) {
      this.#queue.push({ router, event: { kind: "failed", connection, reason: "nobody there" } });
      return;
    }
    this.#accepted += 1;
    const incoming = `in${this.#accepted}`;
    this.#wires.set(wireKey(router, connection), { router: far, connection: incoming });
    this.#wires.set(wireKey(far, incoming), { router, connection });
    this.#queue.push(
      { router, event: { kind: "connected", connection, localAddress } },
      {
        router: far,
        event: { kind: "accepted", connection: incoming, localAddress: address, remoteAddress: localAddress },
      },
    );
  }
}

/** A session that is not up after so long, in virtual time, does not come up. */
const settleMs = 15_000;

function wireKey(router: Router, connection: string): string {
  return `${router.name}|${connection}`;
}
