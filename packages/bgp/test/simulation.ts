import { IpAddress, Ipv4, Prefix } from "@caracal/net";
import {
  type BestRouteChange,
  type ConnectionId,
  type LocalRoute,
  type NamedPolicy,
  type NextHopResolver,
  type PeerConfig,
  type PeerInput,
  type Policies,
  type SpeakerEffect,
  type SpeakerEvent,
  type SpeakerFact,
  Speaker,
  defaultTimers,
  everythingReachable,
  peerConfig,
  speakerDefaults,
} from "../src/index.ts";
import { seeded } from "./seeded.ts";

/** How one router of a simulation is set up. */
export interface NodeOptions {
  readonly asn?: number;
  readonly restarting?: boolean;
  readonly resolver?: NextHopResolver;
  readonly policies?: Policies;
}

interface Pipe {
  readonly from: SimNode;
  readonly to: SimNode;
  readonly fromId: ConnectionId;
  readonly toId: ConnectionId;
  open: boolean;
  /** When the last thing sent arrives: what follows may not overtake it. */
  lastAt: number;
}

interface Scheduled {
  readonly at: number;
  readonly order: number;
  readonly run: () => void;
}

/** Timers that make a simulated network come up in little virtual time. */
export const quickTimers = {
  ...defaultTimers,
  connectDelayMs: 0,
  connectRetryMs: 1000,
  errorWaitMinMs: 500,
  errorWaitMaxMs: 2000,
};

/** One router: a speaker, and what a kernel would hold of its best routes. */
export class SimNode {
  readonly name: string;
  readonly address: IpAddress;
  readonly options: NodeOptions;
  speaker: Speaker;
  /** Restarts so far: what belongs to an earlier life is dropped. */
  life = 0;
  alive = true;
  readonly kernel = new Map<string, BestRouteChange & { readonly kind: "reach" }>();
  readonly facts: SpeakerFact[] = [];
  /** Prefixes programmed since this life's start, until the initial sync removes the others. */
  #fresh = new Set<string>();
  synced = false;
  /** How far this node's clock is ahead of the network's; it may jump either way. */
  clockOffsetMs = 0;
  #policies: readonly NamedPolicy[] = [];
  #peers: readonly PeerConfig[] = [];
  #localRoutes: readonly LocalRoute[] = [];
  readonly #network: Simulation;

  constructor(network: Simulation, name: string, address: IpAddress, options: NodeOptions) {
    this.#network = network;
    this.name = name;
    this.address = address;
    this.options = options;
    this.speaker = this.#create(options.restarting ?? false);
  }

  get asn(): number {
    return this.options.asn ?? 64512;
  }

  setPeers(peers: readonly PeerInput[]): void {
    this.#peers = peers.map((peer) =>
      peerConfig({ timers: quickTimers, sourceAddress: this.address, ...peer }),
    );
    this.handle({ kind: "peers", peers: this.#peers });
  }

  /** A dead node's are those that it starts with. */
  setLocalRoutes(prefixes: readonly (string | LocalRoute)[]): void {
    this.#localRoutes = prefixes.map((one) => (typeof one === "string" ? { prefix: prefixOf(one) } : one));
    if (this.alive) this.handle({ kind: "localRoutes", routes: this.#localRoutes });
  }

  /** A dead node starts with them. */
  setPolicies(policies: readonly NamedPolicy[]): void {
    this.#policies = policies;
    if (this.alive) this.handle({ kind: "policies", policies });
  }

  get now(): number {
    return this.#network.now + this.clockOffsetMs;
  }

  handle(event: SpeakerEvent): void {
    this.perform(this.speaker.handle(event, this.now));
  }

  /** Moves this node's clock; what is due by then happens. */
  jump(ms: number): void {
    this.clockOffsetMs += ms;
    this.#network.schedule(this);
  }

  perform(effects: readonly SpeakerEffect[]): void {
    for (const effect of effects) {
      switch (effect.kind) {
        case "connect":
          this.#network.connect(this, effect.connection, effect.address);
          break;
        case "send":
          this.#network.send(this, effect.connection, effect.bytes.slice());
          break;
        case "close":
          this.#network.close(this, effect.connection, "Connection closed");
          break;
        case "bestRoutes":
          for (const change of effect.changes) this.#program(change);
          break;
        case "initialSync":
          this.synced = true;
          for (const key of this.kernel.keys()) if (!this.#fresh.has(key)) this.kernel.delete(key);
          break;
        case "log":
          this.facts.push(effect.fact);
          break;
      }
    }
    this.#network.schedule(this);
  }

  /** `kill -9`: the kernel closes the sockets and keeps the routes. */
  kill(): void {
    this.alive = false;
    this.life += 1;
    this.#network.dropAll(this);
  }

  start(restarting: boolean): void {
    this.alive = true;
    this.synced = false;
    this.#fresh = new Set();
    if (!restarting) this.kernel.clear();
    this.speaker = this.#create(restarting);
    this.handle({ kind: "policies", policies: this.#policies });
    this.handle({ kind: "localRoutes", routes: this.#localRoutes });
    this.handle({ kind: "peers", peers: this.#peers });
  }

  /** `prefix via next-hop,…` lines of what the kernel holds. */
  table(): string[] {
    return [...this.kernel.values()]
      .map((route) => {
        const hops = route.nextHops.map((hop) => IpAddress.format(hop.address)).toSorted();
        return `${Prefix.format(route.prefix)} via ${hops.length === 0 ? "self" : hops.join(",")}`;
      })
      .toSorted();
  }

  #program(change: BestRouteChange): void {
    const key = Prefix.key(change.prefix);
    this.#fresh.add(key);
    if (change.kind === "reach") this.kernel.set(key, change);
    else this.kernel.delete(key);
  }

  #create(restarting: boolean): Speaker {
    return new Speaker(
      {
        routerId: IpAddress.isIpv4(this.address) ? this.address : Ipv4.of(Number(this.address & 0xffffffffn)),
        asn: this.asn,
        ...speakerDefaults,
        restarting,
        staleRoutesMs: 60_000,
      },
      {
        resolver: this.options.resolver ?? everythingReachable,
        random: this.#network.random,
        policies: this.options.policies ?? new Map(),
      },
    );
  }
}

/** Routers and the connections between them, in virtual time: every run of a seed is the same. */
export class Simulation {
  readonly random: () => number;
  now = 0;
  readonly nodes = new Map<string, SimNode>();
  /** Called after everything that happens. */
  check: () => void = () => undefined;
  /** Called with all that a node says to another. */
  onSend: (from: SimNode, to: SimNode, bytes: Uint8Array) => void = () => undefined;
  readonly #queue: Scheduled[] = [];
  readonly #pipes = new Map<string, Pipe>();
  readonly #blocked = new Set<string>();
  #order = 0;
  #connections = 0;

  constructor(seed: number) {
    this.random = seeded(seed);
  }

  node(name: string, address: string, options: NodeOptions = {}): SimNode {
    const node = new SimNode(this, name, addressOf(address), options);
    this.nodes.set(name, node);
    return node;
  }

  /** No new connections between the two, and the old ones silently dead, until `join`. */
  part(a: SimNode, b: SimNode): void {
    this.#blocked.add(pairKey(a, b));
  }

  /** What was sent meanwhile is lost, so what connections are left end with a reset. */
  join(a: SimNode, b: SimNode): void {
    if (!this.#blocked.delete(pairKey(a, b))) return;
    // Both ways: one end may have been told of a reset that could not reach the other.
    this.cut(a, b);
    this.cut(b, a);
  }

  /** Resets the connections of two nodes, as a lost TCP session. */
  cut(a: SimNode, b: SimNode): void {
    for (const pipe of this.#pipes.values()) {
      if (pipe.open && pipe.from === a && pipe.to === b) this.#break(pipe);
    }
  }

  /** The queues of all connections of a node are full, or have room again. */
  congest(node: SimNode, full: boolean): void {
    for (const pipe of this.#pipes.values()) {
      if (pipe.open && pipe.from === node) node.handle({ kind: "congested", connection: pipe.fromId, full });
    }
  }

  dropAll(node: SimNode): void {
    for (const pipe of this.#pipes.values()) if (pipe.open && pipe.from === node) this.#break(pipe);
  }

  connect(from: SimNode, connection: ConnectionId, to: IpAddress): void {
    const { life } = from;
    const target = [...this.nodes.values()].find((node) => node.address === to);
    this.#after(1 + this.random() * 10, () => {
      if (from.life !== life || !from.alive) return;
      if (target !== undefined && this.#blocked.has(pairKey(from, target))) return; // The attempt hangs.
      if (target === undefined || !target.alive) {
        from.handle({ kind: "failed", connection, reason: "Connection refused" });
        return;
      }
      this.#connections += 1;
      const toId = `<${this.#connections}`;
      const there: Pipe = { from, to: target, fromId: connection, toId, open: true, lastAt: 0 };
      const back: Pipe = { from: target, to: from, fromId: toId, toId: connection, open: true, lastAt: 0 };
      this.#pipes.set(pipeKey(from, connection), there);
      this.#pipes.set(pipeKey(target, toId), back);
      target.handle({
        kind: "accepted",
        connection: toId,
        localAddress: target.address,
        remoteAddress: from.address,
      });
      if (this.#pipes.has(pipeKey(from, connection))) {
        from.handle({ kind: "connected", connection, localAddress: from.address });
      }
    });
  }

  send(from: SimNode, connection: ConnectionId, bytes: Uint8Array): void {
    const pipe = this.#pipes.get(pipeKey(from, connection));
    if (pipe === undefined || !pipe.open) return;
    this.onSend(pipe.from, pipe.to, bytes);
    const middle = Math.floor(this.random() * bytes.length);
    for (const part of [bytes.subarray(0, middle), bytes.subarray(middle)]) {
      if (part.length > 0) this.#deliver(pipe, () => this.#receive(pipe, part));
    }
  }

  close(from: SimNode, connection: ConnectionId, reason: string): void {
    const pipe = this.#pipes.get(pipeKey(from, connection));
    if (pipe === undefined || !pipe.open) return;
    pipe.open = false;
    this.#deliver(pipe, () => this.#fail(pipe.to, pipe.toId, reason));
  }

  /** Has a node's next tick come when it is due. */
  schedule(node: SimNode): void {
    const { life, speaker } = node;
    const { deadline } = speaker;
    if (deadline === undefined || !node.alive) return;
    this.#at(Math.max(this.now, deadline - node.clockOffsetMs), () => {
      if (node.life !== life || !node.alive || node.speaker !== speaker) return;
      if ((speaker.deadline ?? Infinity) <= node.now) node.handle({ kind: "tick" });
    });
  }

  run(durationMs: number): void {
    const end = this.now + durationMs;
    for (;;) {
      const next = this.#queue[0];
      if (next === undefined || next.at > end) break;
      this.#pop();
      this.now = next.at;
      next.run();
      this.check();
    }
    this.now = end;
  }

  #receive(pipe: Pipe, bytes: Uint8Array): void {
    const isOpen = this.#pipes.get(pipeKey(pipe.to, pipe.toId))?.open === true;
    if (pipe.to.alive && isOpen && !this.#blocked.has(pairKey(pipe.from, pipe.to))) {
      pipe.to.handle({ kind: "received", connection: pipe.toId, bytes });
    }
  }

  #fail(node: SimNode, connection: ConnectionId, reason: string): void {
    const pipe = this.#pipes.get(pipeKey(node, connection));
    if (pipe === undefined || !pipe.open || this.#blocked.has(pairKey(pipe.from, pipe.to))) return;
    pipe.open = false;
    if (node.alive) node.handle({ kind: "failed", connection, reason });
  }

  #break(pipe: Pipe): void {
    pipe.open = false;
    this.#after(this.random() * 5, () => this.#fail(pipe.to, pipe.toId, "Connection reset by peer"));
    if (pipe.from.alive) {
      const { life } = pipe.from;
      this.#after(this.random() * 5, () => {
        if (pipe.from.life !== life || !pipe.from.alive) return;
        pipe.from.handle({ kind: "failed", connection: pipe.fromId, reason: "Connection reset by peer" });
      });
    }
  }

  #deliver(pipe: Pipe, run: () => void): void {
    pipe.lastAt = Math.max(pipe.lastAt, this.now + 1 + this.random() * 20);
    this.#at(pipe.lastAt, run);
  }

  #after(ms: number, run: () => void): void {
    this.#at(this.now + ms, run);
  }

  #at(at: number, run: () => void): void {
    this.#order += 1;
    const item = { at, order: this.#order, run };
    let index = this.#queue.length;
    this.#queue.push(item);
    while (index > 0) {
      const parent = (index - 1) >> 1;
      const above = this.#queue[parent];
      if (above === undefined || !isBefore(item, above)) break;
      this.#queue[index] = above;
      index = parent;
    }
    this.#queue[index] = item;
  }

  #pop(): void {
    const last = this.#queue.pop();
    if (last === undefined || this.#queue.length === 0) return;
    let index = 0;
    for (;;) {
      let child = index * 2 + 1;
      const left = this.#queue[child];
      const right = this.#queue[child + 1];
      if (left === undefined) break;
      let smallest = left;
      if (right !== undefined && isBefore(right, left)) {
        smallest = right;
        child += 1;
      }
      if (!isBefore(smallest, last)) break;
      this.#queue[index] = smallest;
      index = child;
    }
    this.#queue[index] = last;
  }
}

export function prefixOf(text: string): Prefix {
  const prefix = Prefix.parse(text);
  if (prefix === undefined) throw new RangeError(`${text} is no prefix`);
  return prefix;
}

export function addressOf(text: string): IpAddress {
  const address = IpAddress.parse(text);
  if (address === undefined) throw new RangeError(`${text} is no address`);
  return address;
}

function isBefore(a: Scheduled, b: Scheduled): boolean {
  return a.at < b.at || (a.at === b.at && a.order < b.order);
}

function pipeKey(node: SimNode, connection: ConnectionId): string {
  return `${node.name} ${connection}`;
}

function pairKey(a: SimNode, b: SimNode): string {
  return [a.name, b.name].toSorted().join(" ");
}
