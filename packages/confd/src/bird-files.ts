import type { BgpIntent, NodeIntent, SecretKey } from "@caracal/intent";
import type { IpFamily } from "@caracal/net";
import { aggregationFile } from "./aggregation-file.ts";
import { ipamFile } from "./ipam-file.ts";
import { mainFile } from "./main-file.ts";

/** The files' names, in the order in which they may be replaced: what is included comes first. */
export const birdFileNames = [
  "bird_aggr.cfg",
  "bird_ipam.cfg",
  "bird.cfg",
  "bird6_aggr.cfg",
  "bird6_ipam.cfg",
  "bird6.cfg",
] as const;

export type BirdFile = (typeof birdFileNames)[number];

/** Texts by file name. */
export type BirdFiles = Readonly<Record<BirdFile, string>>;

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

/** One family's view of a node, as all of its files need it. */
export interface FamilyView {
  readonly family: IpFamily;
  readonly intent: NodeIntent;
  readonly bgp: BgpIntent;
  readonly options: BirdOptions;
}

/** The configuration of both BIRDs, or undefined for a node that speaks no BGP. */
export function birdFiles(intent: NodeIntent, options: BirdOptions): BirdFiles | undefined {
  const { bgp } = intent;
  if (bgp === undefined) return undefined;
  const ipv4: FamilyView = { family: 4, intent, bgp, options };
  const ipv6: FamilyView = { ...ipv4, family: 6 };
  return {
    "bird_aggr.cfg": aggregationFile(ipv4),
    "bird_ipam.cfg": ipamFile(ipv4),
    "bird.cfg": mainFile(ipv4),
    "bird6_aggr.cfg": aggregationFile(ipv6),
    "bird6_ipam.cfg": ipamFile(ipv6),
    "bird6.cfg": mainFile(ipv6),
  };
}
