import type { IpAddress, IpFamily, Prefix } from "@caracal/net";
import type { Mac } from "@caracal/netlink";
import { clusterFacts, type ClusterResources } from "../cluster.ts";
import { type FelixSettings, felixSettingsOf } from "../felix-settings.ts";
import { type IntentProblem, sortProblems } from "../intent-problem.ts";
import { type Lingering, overlayOf } from "./overlay.ts";
import type { RoutedBlock } from "./routed-block.ts";
import { tunnelDevices } from "./tunnel-devices.ts";
import { tunnelProblems } from "./tunnel-problems.ts";
import { tunnelRoutes } from "./tunnel-routes.ts";
import { nodeTunnels } from "./vteps.ts";

/** All that a node's tunnels depend on. */
export interface TunnelInput {
  readonly node: string;
  readonly cluster: ClusterResources;
  /** Every block of the cluster. */
  readonly blocks: readonly RoutedBlock[];
  /** The node's own blocks, as its IPAM knows them: sooner than the cluster's record does. */
  readonly ownBlocks: readonly Prefix[];
  readonly settings: TunnelSettings;
}

export interface TunnelSettings {
  /** SHA-1 of a text's UTF-8, for the MACs of tunnel ends. */
  readonly sha1: (text: string) => Uint8Array;
  /** Something speaks BGP on the node: it programs what BGPConfiguration says, and the blackholes. */
  readonly speaksBgp: boolean;
  /** False where what speaks BGP cannot send packets through `tunl0`: a stock BIRD. */
  readonly bgpHasTunnels?: boolean;
  /** What the daemon's environment says of the agent's settings. */
  readonly environment?: FelixSettings;
  readonly lingering?: Lingering;
}

/** The tunnel end of another node. */
export interface Vtep {
  readonly node: string;
  /** Its tunnel address, the gateway of what is behind it. */
  readonly address: IpAddress;
  readonly mac: Mac;
  /** The node's own address, which the outer packets go to. */
  readonly host: IpAddress;
}

export interface VxlanTunnel {
  readonly kind: "vxlan";
  readonly name: "vxlan.calico" | "vxlan-v6.calico";
  readonly family: IpFamily;
  readonly vni: number;
  readonly port: number;
  /** The node's own address, which the outer packets come from; the device is made over the interface that has it. */
  readonly local: IpAddress;
  readonly mac: Mac;
  /** Where the settings name one; otherwise it follows from the host's interfaces. */
  readonly mtu?: number;
  /** The tunnel address, as soon as the node has one. */
  readonly address?: IpAddress;
  readonly vteps: readonly Vtep[];
  /** Whether the device may leave checksums to the interface below it, where the settings say; otherwise it is tried. */
  readonly checksumOffload?: boolean;
}

export interface IpipTunnel {
  readonly kind: "ipip";
  readonly name: "tunl0";
  readonly family: 4;
  readonly mtu?: number;
  readonly address?: IpAddress;
}

export type Tunnel = VxlanTunnel | IpipTunnel;

/** A route that is programmed because of the resources, not because a peer told it. */
export type TunnelRoute =
  /** `10.244.73.0/24 via 10.244.73.0 dev vxlan.calico onlink` or `… via 30.0.0.23 dev tunl0 proto 80 onlink`. */
  | {
      readonly kind: "tunnel";
      readonly prefix: Prefix;
      readonly device: Tunnel["name"];
      readonly gateway: IpAddress;
    }
  /** `10.244.42.0/24 via 10.0.0.22 dev eth0 proto 80 onlink`. */
  | { readonly kind: "direct"; readonly prefix: Prefix; readonly gateway: IpAddress }
  /** `blackhole 10.244.204.0/24 proto 80`. */
  | { readonly kind: "blackhole"; readonly prefix: Prefix };

/** What tunnels there should be on one node, and what goes through them. Equal input gives equal output. */
export interface TunnelIntent {
  readonly tunnels: readonly Tunnel[];
  /** Ordered by prefix, each prefix once. */
  readonly routes: readonly TunnelRoute[];
  readonly problems: readonly IntentProblem[];
}

/** Computes one node's tunnels and the routes of its pools that no BGP speaker programs. */
export function tunnelIntent(input: TunnelInput): TunnelIntent {
  const cluster = clusterFacts(input.cluster);
  const self = cluster.nodesByName.get(input.node);
  if (self === undefined) return { tunnels: [], routes: [], problems: [] };
  const problems: IntentProblem[] = [];
  const felix = felixSettingsOf(input.cluster.felixConfigurations ?? [], self, input.settings.environment);
  const { speaksBgp, bgpHasTunnels, lingering } = input.settings;
  const overlay = overlayOf({ cluster, self, felix, speaksBgp, bgpHasTunnels, lingering });
  const ends = nodeTunnels(input.cluster, cluster, input.settings.sha1, problems);
  const tunnels = tunnelDevices({ overlay, ends, self, felix, problems });
  const routes = tunnelRoutes({ ...input, overlay, tunnels, cluster, self });
  problems.push(...tunnelProblems({ overlay, ends, self, blocks: input.blocks }));
  return { tunnels, routes, problems: sortProblems(problems) };
}
