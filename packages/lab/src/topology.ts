import type { Resource } from "@caracal/resources";
import type { LabChecks } from "./checks/lab-checks.ts";

/** What a lab is made of, as its file says; `topologies/README.md` explains the keys. */
export interface Topology {
  readonly name: string;
  readonly description: string;
  readonly pool: PoolSpec;
  /** The pool of the other family, in a cluster of both. */
  readonly pool6?: PoolSpec;
  /** For every node daemon. */
  readonly environment: Environment;
  /** Every layer-2 network: plain ones, racks, and the links between switches. */
  readonly networks: readonly NetworkSpec[];
  readonly switches: readonly SwitchSpec[];
  readonly nodes: readonly NodeSpec[];
  /** Calico resources that are there before the first node daemon starts. */
  readonly resources: readonly ResourceSpec[];
  /** What must be seen once the lab is up. */
  readonly checks: LabChecks;
  /** The file itself: a lab keeps a copy. */
  readonly source: TopologySource;
}

/** Where a topology was read. */
export interface TopologySource {
  /** For messages. */
  readonly file: string;
  readonly text: string;
}

export type Environment = Readonly<Record<string, string>>;

/** A pool that the first node makes. */
export interface PoolSpec {
  readonly cidr: string;
  readonly blockSize: number;
  readonly ipip: Encapsulation;
  readonly vxlan: Encapsulation;
  readonly natOutgoing: boolean;
}

export type Encapsulation = "Never" | "CrossSubnet" | "Always";

/** One layer-2 network. */
export interface NetworkSpec {
  readonly name: string;
  /** IPv4, or IPv6 in a network without IPv4. */
  readonly subnet: string;
  /** The nodes' default route. */
  readonly gateway?: string;
  /** IPv6 beside IPv4. */
  readonly subnet6?: string;
  readonly gateway6?: string;
  /** A rack is a network whose gateway is a switch; a link joins two switches. */
  readonly kind: "lan" | "rack" | "link";
}

/** A router: a namespace of its own that speaks BGP. */
export interface SwitchSpec {
  readonly name: string;
  readonly daemon: SwitchDaemon;
  readonly asNumber: number;
  /** How it peers with the nodes of its racks: inside its own AS, each in the node's, or not at all. */
  readonly servers: "none" | "internal" | "external";
  /** In the file's order: racks first, then links. */
  readonly interfaces: readonly SwitchInterface[];
  readonly neighbors: readonly SwitchNeighbor[];
}

/** What speaks BGP on a switch: our speaker, BIRD 2 or FRR. */
export type SwitchDaemon = (typeof SWITCH_DAEMONS)[number];

export const SWITCH_DAEMONS = ["caracal", "bird", "frr"] as const;

/** Where a switch is plugged in. */
export interface SwitchInterface {
  /** `swp1`, `swp2`… */
  readonly name: string;
  readonly network: string;
  readonly address: string;
  readonly address6?: string;
  readonly isRack: boolean;
}

/** A BGP session that a switch is configured for; with a neighbour of both families there is one for each. */
export interface SwitchNeighbor {
  /** The switch or node at the other end. */
  readonly name: string;
  readonly address: string;
  readonly asNumber: number;
  /** The switch's own address in the network that both are in. */
  readonly localAddress: string;
  /** A node rather than a switch: inside one AS it is a client of the switch as route reflector. */
  readonly isNode: boolean;
}

export interface NodeSpec {
  readonly name: string;
  readonly network: string;
  /** On `eth0`, without a length. */
  readonly address: string;
  /** In the network's `subnet6`, if it has one. */
  readonly address6?: string;
  readonly asNumber: number;
  readonly backend: Backend;
  readonly environment: Environment;
  readonly pods: readonly PodSpec[];
}

/** What routes on a node, as `CALICO_NETWORKING_BACKEND` names it. */
export type Backend = (typeof BACKENDS)[number];

export const BACKENDS = ["caracal", "bird", "vxlan", "none"] as const;

export interface PodSpec {
  readonly name: string;
  readonly namespace: string;
  readonly annotations: Readonly<Record<string, string>>;
}

/** A resource as the file has it. */
export interface ResourceSpec {
  readonly kind: string;
  readonly name: string;
  readonly value: Resource;
}

/** Also a part of namespace names and of socket paths, which may have 107 bytes; so are node names. */
export const LAB_NAME: RegExp = /^[a-z0-9]([a-z0-9-]{0,18}[a-z0-9])?$/;
export const NODE_NAME: RegExp = /^[a-z0-9]([a-z0-9.-]{0,38}[a-z0-9])?$/;
export const POD_NAME: RegExp = /^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/;
/** An interface name of the kernel's. */
export const NETWORK_NAME: RegExp = /^[a-z0-9][a-z0-9-]{0,14}$/;
/** The namespace of the bridges is called so; nodes, switches and pods share its name space. */
export const BRIDGES_NAME = "switch";

export const LAB_NAME_RULE = "a lab's name: up to 20 of a-z, 0-9 and '-'";
export const NODE_NAME_RULE = "a node's name: up to 40 of a-z, 0-9, '-' and '.'";
export const POD_NAME_RULE = "a pod's name: up to 63 of a-z, 0-9 and '-'";
export const NETWORK_NAME_RULE = "a name: up to 15 of a-z, 0-9 and '-'";
