import type { BgpIntent, IntentProblem, NodeIntent, PeerIntent } from "@caracal/intent";
import { IpAddress, Prefix } from "@caracal/net";
import type { ClusterSnapshot } from "../cluster/read-cluster.ts";
import { runCluster } from "./cluster-run.ts";
import { KernelRoutes, type PlannedCluster, wayOf } from "./kernel-routes.ts";
import { podsOf, type Reach, reachOf } from "./pod-pairs.ts";

/** What a change of the resources would do to the cluster's routing. */
export interface Impact {
  readonly sessions: {
    readonly come: readonly SessionChange[];
    readonly go: readonly SessionChange[];
    /** The same two ends with other settings: the session restarts. */
    readonly restart: readonly SessionChange[];
  };
  /** Prefixes that a node's kernel would reach in another way, or not at all. */
  readonly routes: readonly RouteMove[];
  readonly pairs: {
    readonly lost: readonly PodPair[];
    readonly gained: readonly PodPair[];
    /** Pairs that were looked at. */
    readonly count: number;
  };
  /** Problems of resources that are new. */
  readonly problems: readonly { readonly about: string; readonly message: string }[];
  /** Routers outside the cluster whose behaviour was assumed. */
  readonly assumed: readonly string[];
}

export interface SessionChange {
  readonly node: string;
  readonly peer: string;
  readonly address: string;
}

export interface RouteMove {
  readonly node: string;
  readonly prefix: string;
  /** The next hop, as `30.0.0.23 dev tunl0` where packets are wrapped; absent: no route. */
  readonly before?: string;
  readonly after?: string;
}

export interface PodPair {
  readonly from: string;
  readonly to: string;
}

type Intents = ReadonlyMap<string, NodeIntent>;

/** Whether something that works now would not work any more. */
export function isHarmful({ pairs, routes }: Impact): boolean {
  return pairs.lost.length > 0 || routes.some(({ after }) => after === undefined);
}

/**
 * Compares the cluster before and after a change, each run in memory until it settles. Pairs are those of the pods of `after`.
 */
export function impactOf(before: PlannedCluster, after: PlannedCluster): Impact {
  const routesAfter = runCluster(after.intents);
  const kernelsBefore = new KernelRoutes(before, runCluster(before.intents));
  const kernelsAfter = new KernelRoutes(after, routesAfter);
  return {
    sessions: sessionChanges(before.intents, after.intents),
    routes: routeMoves(before.intents, after.intents, kernelsBefore, kernelsAfter),
    pairs: pairChanges(
      after.cluster,
      reachOf(before.intents, kernelsBefore),
      reachOf(after.intents, kernelsAfter),
    ),
    problems: newProblems(before, after),
    assumed: [...routesAfter.best.keys()].filter((name) => !after.intents.has(name)),
  };
}

function sessionChanges(before: Intents, after: Intents): Impact["sessions"] {
  const old = sessionsOf(before);
  const now = sessionsOf(after);
  const pick = (from: ReadonlyMap<string, SessionEntry>, keeps: (key: string) => boolean): SessionChange[] =>
    [...from].filter(([key]) => keeps(key)).map(([, { change }]) => change);
  return {
    come: pick(now, (key) => !old.has(key)),
    go: pick(old, (key) => !now.has(key)),
    restart: pick(now, (key) => {
      const was = old.get(key);
      return was !== undefined && was.terms !== now.get(key)?.terms;
    }),
  };
}

interface SessionEntry {
  readonly change: SessionChange;
  /** What both ends agree on when the session opens. */
  readonly terms: string;
}

function sessionsOf(intents: Intents): ReadonlyMap<string, SessionEntry> {
  return new Map(
    [...intents].flatMap(([node, { bgp }]) =>
      (bgp?.peers ?? []).map((peer): readonly [string, SessionEntry] => {
        const address = IpAddress.format(peer.address);
        const change = { node, peer: peer.node ?? address, address };
        return [`${node}|${address}|${peer.port}`, { change, terms: termsOf(bgp, peer) }];
      }),
    ),
  );
}

/** Another name alone does not end a session; another router ID or listener of the node ends all of its own. */
function termsOf(bgp: BgpIntent | undefined, peer: PeerIntent): string {
  const { localAsNumber, remoteAsNumber, holdSeconds, keepaliveSeconds, restartSeconds } = peer;
  return JSON.stringify([
    String(bgp?.routerId),
    bgp?.listen.port,
    bgp?.listen.addresses?.map(IpAddress.format),
    localAsNumber,
    remoteAsNumber,
    holdSeconds,
    keepaliveSeconds,
    restartSeconds,
    String(peer.sourceAddress),
    peer.ttlSecurityHops,
    peer.password,
  ]);
}

function routeMoves(
  before: Intents,
  after: Intents,
  kernelsBefore: KernelRoutes,
  kernelsAfter: KernelRoutes,
): readonly RouteMove[] {
  const nodes = [...new Set([...before.keys(), ...after.keys()])].toSorted();
  return nodes.flatMap((node) => {
    const old = waysOf(kernelsBefore, node);
    const now = waysOf(kernelsAfter, node);
    const prefixes = [...new Set([...old.keys(), ...now.keys()])].toSorted();
    return prefixes
      .filter((prefix) => old.get(prefix) !== now.get(prefix))
      .map((prefix) => {
        const [was, is] = [old.get(prefix), now.get(prefix)];
        return {
          node,
          prefix,
          ...(was === undefined ? {} : { before: was }),
          ...(is === undefined ? {} : { after: is }),
        };
      });
  });
}

/** Learned prefixes and the ways to them; what a node has by itself needs no session. */
function waysOf(kernels: KernelRoutes, node: string): ReadonlyMap<string, string> {
  return new Map(
    kernels.of(node).flatMap((route): readonly (readonly [string, string])[] => {
      const way = wayOf(route);
      return way === undefined ? [] : [[Prefix.format(route.prefix), way]];
    }),
  );
}

function pairChanges(cluster: ClusterSnapshot, reachBefore: Reach, reachAfter: Reach): Impact["pairs"] {
  const pods = podsOf(cluster);
  const lost: PodPair[] = [];
  const gained: PodPair[] = [];
  let count = 0;
  for (const from of pods) {
    for (const to of pods) {
      if (from === to || IpAddress.family(from.address) !== IpAddress.family(to.address)) continue;
      count += 1;
      // A pair works when packets arrive in both directions.
      const was = reachBefore(from.node, to) && reachBefore(to.node, from);
      const is = reachAfter(from.node, to) && reachAfter(to.node, from);
      if (was && !is) lost.push({ from: from.name, to: to.name });
      if (!was && is) gained.push({ from: from.name, to: to.name });
    }
  }
  return { lost, gained, count };
}

function newProblems(before: PlannedCluster, after: PlannedCluster): Impact["problems"] {
  const problemsOf = ({ intents, tunnels }: PlannedCluster): readonly IntentProblem[] =>
    [...intents.values(), ...tunnels.values()].flatMap(({ problems }) => problems);
  const known = new Set(problemsOf(before).map((one) => `${one.about} ${one.message}`));
  const found = new Map(problemsOf(after).map((one) => [`${one.about} ${one.message}`, one] as const));
  return [...found].filter(([key]) => !known.has(key)).map(([, problem]) => problem);
}
