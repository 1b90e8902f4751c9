import type {
  BestRouteChange,
  LocalRoute,
  NamedPolicy,
  PeerInput,
  PeerSnapshot,
  RouteSnapshot,
} from "@caracal/bgp";
import type { PeerTransport } from "@caracal/bgp-tcp";
import type { IpAddress, Prefix } from "@caracal/net";

/** What routing asks of the running speaker, whichever sockets it has. */
export interface BgpService {
  setPeers(peers: readonly PeerInput[], transports: ReadonlyMap<string, PeerTransport>): void;
  setOrigins(routes: readonly LocalRoute[]): void;
  setPolicies(policies: readonly NamedPolicy[]): void;
  /** Next hops may be reached otherwise now. */
  networkChanged(): void;
  peers(): readonly PeerSnapshot[];
  routes(): readonly RouteSnapshot[];
  /** For a look at one prefix: the table may be too large to copy. */
  readonly listings: {
    covering(address: IpAddress, longest?: number): Prefix | undefined;
    routes(prefix?: Prefix): Iterable<RouteSnapshot | undefined>;
  };
  stop(options: { readonly graceful: boolean }): Promise<void>;
}

/** What the speaker tells. */
export interface BgpListener {
  onBestRoutes(changes: readonly BestRouteChange[]): void;
  /** Every peer has said what it has, or has been waited for long enough. */
  onInitialSync(): void;
  /** The speaker was closed for another: what it told does not hold any more. */
  onForgotten(): void;
  /** Somebody connected who is no peer. */
  onRefused?(address: IpAddress): void;
}
