import { test, type TestContext } from "node:test";
import {
  bird1,
  bird2,
  type BgpAbility,
  type BgpPeerKind,
  type BgpSample,
  frr,
  gobgp,
  requireTool,
} from "@caracal/testbed";
import { caracal } from "./caracal-peer.ts";

/** Everybody that we are tried with. */
export const peers: readonly BgpPeerKind[] = [bird2, bird1, frr, gobgp];

/** What a cell needs beside the peer. */
interface CellOptions {
  readonly needs?: readonly BgpAbility[];
  readonly tools?: readonly string[];
  /** Only with these. */
  readonly with?: readonly BgpPeerKind[];
}

/** The same test with every peer; one that lacks what it needs is skipped with the reason. */
export function withEveryPeer(
  title: string,
  options: CellOptions,
  body: (t: TestContext, peer: BgpPeerKind) => Promise<void>,
): void {
  for (const peer of options.with ?? peers) {
    const lack = options.needs?.map((ability) => peer.lacks[ability]).find((why) => why !== undefined);
    test(
      `${peer.name}: ${title}`,
      { skip: caracal.skip || peer.skip || requireTool(...(options.tools ?? [])) || (lack ?? false) },
      (t) => body(t, peer),
    );
  }
}

/** Routes that say all that every router can say, one thing more in each. */
export function sampleRoutes(family: 4 | 6, index: number): readonly BgpSample[] {
  const prefix = (part: number): string =>
    family === 4 ? `10.${100 + index}.${part}.0/24` : `fd${10 + index}:${part}::/48`;
  return [
    { prefix: prefix(1) },
    { prefix: prefix(2), med: 70, localPref: 170, communities: ["65010:1", "65010:2"] },
    { prefix: prefix(3), asPath: [65100, 4_200_000_100], largeCommunities: ["4200000100:1:2"] },
    { prefix: prefix(4), extendedCommunities: ["rt:65010:7"], communities: ["64999:100"] },
  ];
}
