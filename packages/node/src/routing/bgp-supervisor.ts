import type { NamedPolicy, PeerSnapshot, RouteSnapshot } from "@caracal/bgp";
import { peerConfigs, peerPolicies } from "@caracal/bgp-intent";
import type { BgpIntent, SecretKey } from "@caracal/intent";
import { type IpAddress, type Ipv4, messageOf, type Prefix } from "@caracal/net";
import type { Log } from "../observe/log.ts";
import type { BgpListener, BgpService } from "./bgp-service.ts";
import { peerTransports } from "./peer-transports.ts";

/** What cannot change while a speaker runs. */
export interface SpeakerSettings {
  readonly asNumber: number;
  readonly routerId: Ipv4;
  readonly listen: BgpIntent["listen"];
  /** An earlier run left its routes in the kernel. */
  readonly restarting: boolean;
}

export interface BgpSupervisorOptions {
  /** Starts a speaker with its sockets. Rejects when it cannot listen. */
  readonly open: (settings: SpeakerSettings, listener: BgpListener) => Promise<BgpService>;
  readonly isRestart: boolean;
  readonly log: Log;
  /** A session's password, from the secret that the intent names; without it sessions have none. */
  readonly passwordOf?: (secret: SecretKey) => string | undefined;
}

/** Pauses before a speaker that could not listen is tried again double from the first to the last of these. */
const firstRetryMs = 1_000;
const lastRetryMs = 30_000;
/** So many strangers are remembered. */
const maxRefused = 16;

/**
 * Keeps one speaker running as the intent asks: sessions, origins and policy are changed in place; a change of router ID or
 * listening address starts another speaker.
 */
export class BgpSupervisor {
  readonly #options: BgpSupervisorOptions;
  #listener: BgpListener | undefined;
  #service: BgpService | undefined;
  /** Of the speaker that runs; empty without one. */
  #identity = "";
  /** What the speaker that runs was last told. */
  #inForce: { readonly intent: BgpIntent; readonly policies: readonly NamedPolicy[] } | undefined;
  #wanted: BgpIntent | undefined;
  #isFirst = true;
  #isStopped = false;
  #generation = 0;
  #failure: string | undefined;
  #failedIdentity = "";
  #retryDelayMs = firstRetryMs;
  #retry: NodeJS.Timeout | undefined;
  #turn: Promise<void> = Promise.resolve();
  readonly #refused = new Set<IpAddress>();

  constructor(options: BgpSupervisorOptions) {
    this.#options = options;
  }

  /** Says who hears of routes; before `apply`. */
  listen(listener: BgpListener): void {
    this.#listener = listener;
  }

  /** Takes over what the node's speaker should be; undefined for none. */
  apply(intent: BgpIntent | undefined): void {
    this.#wanted = intent;
    if (intent !== undefined && this.#service !== undefined && identityOf(intent) === this.#identity) {
      this.#configure(this.#service, intent);
      return;
    }
    if (this.#retry !== undefined) {
      // What failed a moment ago is tried again in its time, however much changes elsewhere; something else at once.
      if (identityOf(intent) === this.#failedIdentity) return;
      this.#forgetFailure();
    }
    this.#turnSoon();
  }

  networkChanged(): void {
    this.#service?.networkChanged();
  }

  peers(): readonly PeerSnapshot[] {
    return this.#service?.peers() ?? [];
  }

  routes(): readonly RouteSnapshot[] {
    return this.#service?.routes() ?? [];
  }

  /** The paths of the longest prefix that has all of `wanted` in it. */
  routesTo(wanted: Prefix): readonly RouteSnapshot[] {
    const listings = this.#service?.listings;
    const prefix = listings?.covering(wanted.address, wanted.length);
    if (prefix === undefined || listings === undefined) return [];
    return [...listings.routes(prefix)].filter((route) => route !== undefined);
  }

  /** Whether a session is signed: its secret is there. */
  hasPassword(peer: string): boolean {
    const secret = this.#inForce?.intent.peers.find(({ name }) => name === peer)?.password;
    return secret !== undefined && this.#options.passwordOf?.(secret) !== undefined;
  }

  /** Who connected lately without being a peer, each once, the last one last. */
  get refused(): readonly IpAddress[] {
    return [...this.#refused];
  }

  /** Why there is no speaker although there should be one. */
  get failure(): string | undefined {
    return this.#failure;
  }

  /** Without a NOTIFICATION: peers keep our routes until we are back. */
  async stop(): Promise<void> {
    this.#isStopped = true;
    clearTimeout(this.#retry);
    await this.#turn;
    await this.#service?.stop({ graceful: true });
  }

  #turnSoon(): void {
    this.#turn = this.#turn.then(() => this.#converge()).catch((error: unknown) => this.#fail(error));
  }

  /** Until the speaker that runs is the one that is wanted, which may change while one is opened or closed. */
  async #converge(): Promise<void> {
    while (!this.#isStopped) {
      const intent = this.#wanted;
      const identity = identityOf(intent);
      if (this.#service !== undefined && identity === this.#identity) return;
      await this.#closeCurrent();
      if (intent === undefined) {
        if (this.#wanted !== undefined) continue;
        // Without a speaker nothing more will be learned, so nothing old needs to be kept for it.
        this.#listener?.onInitialSync();
        return;
      }
      const service = await this.#open(intent);
      if (this.#isStopped || identityOf(this.#wanted) !== identity) {
        await service.stop({ graceful: true });
        continue;
      }
      this.#forgetFailure();
      this.#isFirst = false;
      this.#service = service;
      this.#identity = identity;
      this.#inForce = undefined;
      this.#configure(service, this.#wanted ?? intent);
      return;
    }
  }

  async #closeCurrent(): Promise<void> {
    const old = this.#service;
    if (old === undefined) return;
    this.#service = undefined;
    this.#identity = "";
    this.#generation += 1;
    await old.stop({ graceful: false });
    this.#listener?.onForgotten();
  }

  #open(intent: BgpIntent): Promise<BgpService> {
    const { asNumber, routerId, listen } = intent;
    const restarting = this.#isFirst && this.#options.isRestart;
    return this.#options.open({ asNumber, routerId, listen, restarting }, this.#forward());
  }

  /** What a speaker that was replaced still tells is not heard. */
  #forward(): BgpListener {
    const generation = (this.#generation += 1);
    return {
      onBestRoutes: (changes) => {
        if (generation === this.#generation) this.#listener?.onBestRoutes(changes);
      },
      onInitialSync: () => {
        if (generation === this.#generation) this.#listener?.onInitialSync();
      },
      onForgotten: () => {},
      onRefused: (address) => {
        this.#refused.delete(address);
        this.#refused.add(address);
        const [oldest] = this.#refused;
        if (this.#refused.size > maxRefused && oldest !== undefined) this.#refused.delete(oldest);
      },
    };
  }

  #configure(service: BgpService, intent: BgpIntent): void {
    const policies = peerPolicies(intent, (peer, problems) =>
      this.#options.log.error({ peer, problems }, "BGPFilter left out"),
    );
    // Through a name without a policy nothing passes, so what is not wanted any more stays until no peer has its name.
    const names = new Set(policies.map(({ name }) => name));
    const leaving = this.#inForce?.policies.filter(({ name }) => !names.has(name)) ?? [];
    service.setPolicies([...leaving, ...policies]);
    service.setOrigins(intent.origins.map(({ prefix }) => ({ prefix })));
    const transports = peerTransports(intent.peers, (secret) => this.#options.passwordOf?.(secret));
    service.setPeers(peerConfigs(intent, intent.addresses), transports);
    if (leaving.length > 0) service.setPolicies(policies);
    this.#inForce = { intent, policies };
  }

  #fail(error: unknown): void {
    this.#failure = messageOf(error);
    if (this.#isStopped) return;
    const retryMs = this.#retryDelayMs;
    this.#retryDelayMs = Math.min(retryMs * 2, lastRetryMs);
    this.#failedIdentity = identityOf(this.#wanted);
    this.#options.log.error({ err: error, retryMs }, "the BGP speaker cannot start");
    this.#retry = setTimeout(() => {
      this.#retry = undefined;
      this.#turnSoon();
    }, retryMs);
  }

  #forgetFailure(): void {
    clearTimeout(this.#retry);
    this.#retry = undefined;
    this.#failure = undefined;
    this.#retryDelayMs = firstRetryMs;
  }
}

/** What cannot be changed while a speaker runs; empty for no speaker. */
function identityOf(intent: BgpIntent | undefined): string {
  return intent === undefined ? "" : JSON.stringify([intent.routerId, intent.listen], bigintAsText);
}

function bigintAsText(_key: string, value: unknown): unknown {
  return typeof value === "bigint" ? String(value) : value;
}
