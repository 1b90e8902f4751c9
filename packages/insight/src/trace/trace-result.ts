import type { IpAddress } from "@caracal/net";
import type { PlaceName } from "./world.ts";

/** A packet's walk: every place that it comes to, what happens there, and how it ends. */
export interface Walk {
  readonly hops: readonly TraceHop[];
  readonly verdict: TraceVerdict;
  /** Largest packet that gets through unbroken; absent: the walk has no way out of its first place. */
  readonly pathMtu?: number;
  /** Addresses that were changed on the way, for the way back. */
  readonly translations: readonly Translation[];
  /** Where one of several equal ways was taken. */
  readonly forks: readonly Fork[];
  /** As it was sent; absent: it did not come so far. */
  readonly source?: IpAddress;
  /** The packet as it arrived, or as it was when it was lost: its addresses are those of the way back. */
  readonly last: { readonly source: IpAddress; readonly destination: IpAddress };
  /** What has to be known for the walk to go on, and is not: states asked with these give more. */
  readonly wants: { readonly places: readonly PlaceName[]; readonly addresses: readonly IpAddress[] };
}

/** A place where the hash of a flow decides which of several equal ways a packet takes. */
export interface Fork {
  readonly at: PlaceName;
  /** In the words of `ip route`: `via 10.1.1.2 dev swp2`. */
  readonly ways: readonly string[];
  /** The one that was followed. */
  readonly taken: number;
}

/** What becomes of packets that take another of several equal ways. */
export interface OtherWay {
  readonly at: PlaceName;
  readonly way: string;
  readonly verdict: TraceVerdict;
}

/** What happens at one place. */
export interface TraceHop {
  readonly place: PlaceName;
  /** By which interface the packet comes in; absent where it begins. */
  readonly in?: { readonly device: string };
  readonly steps: readonly TraceStep[];
  /** By which interface it goes out, and the Ethernet header that it gets there. */
  readonly out?: {
    readonly device: string;
    readonly mtu: number;
    readonly sourceMac?: string;
    readonly destinationMac?: string;
  };
}

/** Headers that a tunnel puts around a packet. */
export interface OuterHeaders {
  readonly source: string;
  readonly destination: string;
  /** 4 is IPIP, 17 is UDP, which VXLAN travels in. */
  readonly ipProtocol: number;
  readonly vni?: number;
  readonly port?: number;
  /** Ethernet header inside VXLAN. */
  readonly innerSourceMac?: string;
  readonly innerDestinationMac?: string;
}

export type TunnelKind = "ipip" | "vxlan";

export type TraceStep =
  /** The route that was chosen, and why. */
  | {
      readonly kind: "route";
      readonly destination: string;
      readonly route: string;
      readonly table: string;
      readonly rulePriority: number;
      readonly why: string;
      /** Routes that have the destination too and lost. */
      readonly beaten: readonly string[];
      /** It is the way of the packet with a tunnel's headers around it. */
      readonly isOuter: boolean;
    }
  | {
      readonly kind: "neighbour";
      readonly address: string;
      readonly device: string;
      readonly mac?: string;
      /** As `ip neigh` prints it; `none` where there is no entry yet. */
      readonly state: string;
      readonly note?: string;
    }
  /** Who answers for an address that nobody has. */
  | {
      readonly kind: "proxy";
      readonly address: string;
      readonly device: string;
      readonly mac: string;
      readonly note: string;
    }
  /** Which of a VXLAN device's remote ends has the hardware address. */
  | {
      readonly kind: "forwarding";
      readonly mac: string;
      readonly device: string;
      readonly remote: string;
      readonly isFlood: boolean;
    }
  | {
      readonly kind: "encapsulate";
      readonly tunnel: TunnelKind;
      readonly device: string;
      readonly outer: OuterHeaders;
      readonly overheadBytes: number;
      readonly bytes: number;
    }
  | {
      readonly kind: "decapsulate";
      readonly tunnel: TunnelKind;
      readonly device: string;
      readonly outer: OuterHeaders;
    }
  /** An address or port is changed by a rule, or changed back by connection tracking (`reply`). */
  | {
      readonly kind: "nat";
      readonly how: "dnat" | "snat" | "masquerade" | "redirect" | "reply";
      readonly from: string;
      readonly to: string;
      readonly by: string;
    }
  /** The packet does not fit. */
  | {
      readonly kind: "mtu";
      readonly device: string;
      readonly mtu: number;
      readonly bytes: number;
    }
  /** Something worth knowing that changes nothing. */
  | { readonly kind: "note"; readonly text: string }
  /** Nobody who could be asked sees what happens here. */
  | { readonly kind: "unseen"; readonly text: string }
  | { readonly kind: "deliver"; readonly address: string; readonly device?: string };

export type LossReason =
  | "no-route"
  | "blackhole"
  | "unreachable"
  | "prohibit"
  | "link-down"
  | "link-gone"
  | "neighbour-failed"
  | "neighbour-wrong"
  | "no-answer"
  | "no-forwarding-entry"
  | "not-forwarding"
  | "reverse-path"
  | "mtu"
  | "filtered"
  | "no-tunnel"
  | "wrong-tunnel-mac"
  | "no-pod"
  | "wrong-place"
  | "no-address"
  | "loop";

export type TraceVerdict =
  | {
      readonly kind: "delivered";
      readonly at: PlaceName;
      /** What was taken for granted on the way, since nobody could be asked. */
      readonly assumptions: readonly string[];
    }
  | {
      readonly kind: "lost";
      readonly at: PlaceName;
      readonly reason: LossReason;
      readonly text: string;
      readonly hint?: string;
    }
  /** The packet goes where nobody can be asked; `isExpected` when it was to leave the cluster. */
  | {
      readonly kind: "out-of-sight";
      readonly after: PlaceName;
      readonly text: string;
      readonly isExpected: boolean;
    };

/** The two ends of a connection before and after a place changed them. */
export interface Translation {
  readonly at: PlaceName;
  readonly before: Ends;
  readonly after: Ends;
}

export interface Ends {
  readonly source: IpAddress;
  readonly destination: IpAddress;
  readonly sourcePort?: number;
  readonly destinationPort?: number;
}
