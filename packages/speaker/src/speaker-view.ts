import type { Listings, PeerSnapshot, RouteSnapshot, TableSizes } from "@caracal/bgp";
import type { RouteStatus } from "@caracal/dataplane";
import type { IpAddress } from "@caracal/net";
import type { IpFamily } from "@caracal/net";
import type { SpeakerConfiguration } from "./config/read-config.ts";
import type { Difference } from "./difference.ts";

/** What became of a new file. */
export type ReloadOutcome = { readonly kind: "applied"; readonly difference: Difference } | Refusal;

/** Nothing has changed; each reason is a line for a person. */
export interface Refusal {
  readonly kind: "refused";
  readonly reasons: readonly string[];
}

/** A running speaker as its control socket sees it. */
export interface SpeakerView {
  readonly configuration: SpeakerConfiguration;
  readonly startedAtMs: number;
  readonly configuredAtMs: number;
  readonly ports: readonly number[];
  /** Attribute sets and routes held. */
  readonly sizes: { readonly attributeSets: number; readonly routes4: number; readonly routes6: number };
  /** The room that tables have taken. */
  readonly tables: TableSizes | undefined;
  /** Absent: the kernel is left alone. */
  readonly kernelStatus: RouteStatus | undefined;
  readonly peers: () => readonly PeerSnapshot[];
  readonly routes: () => readonly RouteSnapshot[];
  /** What is held and told, route by route; absent while there is no speaker. */
  readonly listings: Listings | undefined;
  /** The link that leads to a next hop; `undefined` where the kernel is left alone. */
  readonly linkOf: (nextHop: IpAddress) => string | undefined;
  readonly reload: () => Promise<ReloadOutcome>;
  /** Ends a neighbour's session and begins it again, with a message to its operator. */
  readonly reset: (name: string, message: string | undefined) => void;
  /** Asks a neighbour for all routes of a family again; false if it cannot. */
  readonly refresh: (name: string, family: IpFamily) => boolean;
  /** Ends the speaker for good: neighbours are told, and the kernel's routes go. */
  readonly leave: (message: string | undefined) => void;
}
