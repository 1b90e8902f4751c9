import type { NodeIntent } from "@caracal/intent";
import { aggregationFile } from "./aggregation-file.ts";
import type { BirdOptions, FamilyView } from "./family-view.ts";
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
