import type { BgpIntent, NodeIntent, SecretKey } from "@caracal/intent";
import type { IpFamily, Prefix } from "@caracal/net";

/** What the files depend on besides the intent. */
export interface BirdOptions {
  /**
   * Calico's own BIRD sends routes through IPIP devices by an attribute that no other BIRD has. Without it routes to pools
   * with IPIP are learned and not programmed, but for those that need no tunnel.
   */
  readonly hasTunnels: boolean;
  /** What names of pods' interfaces begin with. */
  readonly interfacePrefixes: readonly string[];
  /** A session's password; undefined where the secret is not there. */
  readonly passwordOf: (secret: SecretKey) => string | undefined;
}

/** Service addresses of a family that the node announces, ranges and single ones. */
export function serviceOrigins(bgp: BgpIntent, family: IpFamily): readonly Prefix[] {
  return bgp.origins.flatMap(({ kind, prefix }) =>
    kind === "service" && prefix.family === family ? [prefix] : [],
  );
}

/** One family's view of a node, as all of its files need it. */
export interface FamilyView {
  readonly family: IpFamily;
  readonly intent: NodeIntent;
  readonly bgp: BgpIntent;
  readonly options: BirdOptions;
}
