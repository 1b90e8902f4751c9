/** Resources, a silent log and a speaker without sockets, for the daemon's tests. */
import { setImmediate as nextTurn } from "node:timers/promises";
import type {
  BestRouteChange,
  LocalRoute,
  NamedPolicy,
  PeerInput,
  PeerSnapshot,
  RouteSnapshot,
} from "@caracal/bgp";
import { Origin } from "@caracal/bgp";
import { keys, type MemoryStore, ResourceClient } from "@caracal/datastore";
import { IpAddress, Prefix } from "@caracal/net";
import type { BgpConfiguration, IpPool, Node, Resource, WorkloadEndpoint } from "@caracal/resources";
import { type NodeConfig, readConfig } from "../src/config.ts";
import { type Log, openLog } from "../src/observe/log.ts";
import type { BgpListener, BgpService } from "../src/routing/bgp-service.ts";
import type { SpeakerSettings } from "../src/routing/bgp-supervisor.ts";

const apiVersion = "projectcalico.org/v3";

export function address(text: string): IpAddress {
  const found = IpAddress.parse(text);
  if (found === undefined) throw new Error(`${text} is no address`);
  return found;
}

export function prefix(text: string): Prefix {
  const found = Prefix.parse(text);
  if (found === undefined) throw new Error(`${text} is no prefix`);
  return found;
}

/** A whole configuration from a few variables. */
export function config(environment: Readonly<Record<string, string>>): NodeConfig {
  const outcome = readConfig(environment);
  if (outcome.kind === "problems") throw new Error(outcome.problems.join("; "));
  return outcome.config;
}

/** A log whose lines are kept as objects. */
export function memoryLog(level = "info"): {
  readonly log: Log;
  readonly lines: readonly Record<string, unknown>[];
} {
  const lines: Record<string, unknown>[] = [];
  const write = (text: string): void => {
    const line: unknown = JSON.parse(text);
    if (typeof line === "object" && line !== null) lines.push({ ...line });
  };
  return { log: openLog(level, "n1", { write }), lines };
}

export function clientOf(store: MemoryStore): ResourceClient {
  let made = 0;
  return new ResourceClient(store, {
    now: () => "2026-01-02T03:04:05Z",
    uuid: () => `00000000-0000-4000-8000-${String((made += 1)).padStart(12, "0")}`,
  });
}

/** Writes resources as a user does; throws when one is refused. */
export async function apply(store: MemoryStore, ...resources: readonly Resource[]): Promise<void> {
  for (const resource of resources) {
    const outcome = await clientOf(store).apply(resource);
    if (outcome.kind === "failed") throw new Error(outcome.message);
  }
}

export function node(name: string, ipv4Address: string): Node {
  return { kind: "Node", apiVersion, metadata: { name }, spec: { bgp: { ipv4Address } } };
}

export function pool(cidr: string, spec: Partial<IpPool["spec"]> = {}): IpPool {
  return { kind: "IPPool", apiVersion, metadata: { name: "pool" }, spec: { cidr, ...spec } };
}

export function bgpConfiguration(spec: BgpConfiguration["spec"]): BgpConfiguration {
  return { kind: "BGPConfiguration", apiVersion, metadata: { name: "default" }, spec };
}

/** A pod's endpoint as CNI writes it; its interface is `cali` and the pod's name. */
export function endpoint(
  nodeName: string,
  pod: string,
  podAddress: string,
  spec: Partial<WorkloadEndpoint["spec"]> = {},
): WorkloadEndpoint {
  return {
    kind: "WorkloadEndpoint",
    apiVersion,
    metadata: { name: `${nodeName}-k8s-${pod}-eth0`, namespace: "default" },
    spec: {
      node: nodeName,
      orchestrator: "k8s",
      pod,
      endpoint: "eth0",
      ipNetworks: [`${podAddress}/32`],
      interfaceName: `cali${pod}`,
      ...spec,
    },
  };
}

/** Writes a block affinity, or changes its state. */
export async function putAffinity(
  store: MemoryStore,
  nodeName: string,
  block: string,
  state: "pending" | "confirmed",
): Promise<void> {
  const key = keys.affinity({ kind: "host", name: nodeName }, prefix(block));
  const value = JSON.stringify({ state, deleted: false });
  const created = await store.create(key, value);
  if (created.kind === "exists") await store.update(key, value, created.current.revision);
}

export async function deleteAffinity(store: MemoryStore, nodeName: string, block: string): Promise<void> {
  await store.delete(keys.affinity({ kind: "host", name: nodeName }, prefix(block)));
}

/** A best route learned from a peer. */
export function reach(destination: string, ...nextHops: readonly string[]): BestRouteChange {
  return {
    kind: "reach",
    prefix: prefix(destination),
    source: { kind: "peer", name: "peer", external: false },
    attributes: { origin: Origin.igp, asPath: [] },
    nextHops: nextHops.map((text) => ({
      address: address(text),
      resolution: { reachable: true, metric: 0, connected: true, link: "eth0" },
    })),
  };
}

/** A speaker without sockets: it remembers what it was told last. */
export class FakeBgp implements BgpService {
  readonly settings: SpeakerSettings;
  readonly listener: BgpListener;
  peerNames: readonly string[] = [];
  origins: readonly string[] = [];
  /** How often a policy changed: the speaker decides anew only then. */
  policyChanges = 0;
  networkChanges = 0;
  stopped: { readonly graceful: boolean } | undefined;
  #policies = "";

  constructor(settings: SpeakerSettings, listener: BgpListener) {
    this.settings = settings;
    this.listener = listener;
  }

  setPeers(peers: readonly PeerInput[]): void {
    this.peerNames = peers.map(({ name }) => name);
  }

  setOrigins(routes: readonly LocalRoute[]): void {
    this.origins = routes.map((route) => Prefix.format(route.prefix));
  }

  setPolicies(policies: readonly NamedPolicy[]): void {
    const text = JSON.stringify(policies);
    if (text !== this.#policies) this.policyChanges += 1;
    this.#policies = text;
  }

  networkChanged(): void {
    this.networkChanges += 1;
  }

  peers(): readonly PeerSnapshot[] {
    return [];
  }

  routes(): readonly RouteSnapshot[] {
    return [];
  }

  readonly listings: BgpService["listings"] = { covering: () => undefined, routes: () => [] };

  stop(options: { readonly graceful: boolean }): Promise<void> {
    this.stopped = options;
    return Promise.resolve();
  }
}

/** Lets everything that waits for no timer come to its end. */
export async function settle(): Promise<void> {
  for (let turn = 0; turn < 20; turn += 1) await nextTurn();
}
