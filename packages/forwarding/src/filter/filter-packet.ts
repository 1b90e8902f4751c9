import type { IpAddress } from "@caracal/net";

/** Where in a packet's way a chain looks at it. */
export type FilterHook = "prerouting" | "input" | "forward" | "output" | "postrouting";

/** What a packet filter sees of a packet. */
export interface FilterPacket {
  readonly source: IpAddress;
  readonly destination: IpAddress;
  readonly protocol: number;
  readonly sourcePort?: number;
  readonly destinationPort?: number;
  readonly mark: number;
  readonly connection: "new" | "established";
  readonly inputInterface?: string;
  readonly outputInterface?: string;
  /** Whether the namespace has the address itself. */
  readonly isLocal: (address: IpAddress) => boolean;
}

/** How an address is changed; without an address the rule takes one of the interface. */
export interface FilterTranslation {
  readonly how: "dnat" | "snat" | "masquerade" | "redirect";
  readonly address?: IpAddress;
  readonly port?: number;
  /** The rule, for people. */
  readonly by: string;
}

/** What all the chains of one hook do to a packet. `uncertain` names rules whose conditions are not understood. */
export type FilterOutcome =
  | {
      readonly kind: "passed";
      readonly mark: number;
      readonly translation?: FilterTranslation;
      readonly uncertain: readonly string[];
    }
  | {
      readonly kind: "dropped";
      readonly how: "drop" | "reject";
      readonly by: string;
      readonly uncertain: readonly string[];
    };
