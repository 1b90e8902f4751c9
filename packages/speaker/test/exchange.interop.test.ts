/**
 * Aim: routes and all that is said about them travel both ways between the standalone speaker and every peer, over internal
 * and external sessions, in both families. Method: each side is the source of routes with attributes of many kinds; what the
 * other side's own show command tells is compared attribute by attribute with what was said.
 */
import type { BgpAbility, BgpPeerKind, BgpSample } from "@caracal/testbed";
import { sampleRoutes, withEveryPeer } from "./bgp-cells.ts";
import { BgpNetwork, type SessionPlan } from "./bgp-network.ts";
import { caracal } from "./caracal-peer.ts";
import type { TestContext } from "node:test";

interface Exchange {
  readonly theirAsn: number;
  readonly ours: readonly BgpSample[];
  readonly theirs: readonly BgpSample[];
  readonly session?: SessionPlan;
}

async function exchange(t: TestContext, peer: BgpPeerKind, plan: Exchange): Promise<void> {
  const { theirAsn, ours, theirs, session = {} } = plan;
  const network = await BgpNetwork.start(t, {
    us: { kind: caracal, asn: 65001, routes: ours, to: { them: session } },
    them: { kind: peer, asn: theirAsn, routes: theirs, to: { us: session } },
  });
  await network.believes(
    "us",
    theirs.map((route) => network.told(route, "them", "us")),
  );
  await network.believes(
    "them",
    ours.map((route) => network.told(route, "us", "them")),
  );
}

for (const [title, theirAsn] of [
  ["an internal session", 65001],
  ["an external session", 65002],
  ["an external session with an AS of four octets", 4_200_000_002],
] as const) {
  withEveryPeer(`${title}, both ways`, {}, (t, peer) =>
    exchange(t, peer, { theirAsn, ours: sampleRoutes(4, 1), theirs: sampleRoutes(4, 2) }),
  );
}

for (const [title, theirAsn] of [
  ["an internal", 65001],
  ["an external", 65002],
] as const) {
  withEveryPeer(`IPv6 over ${title} IPv6 session, both ways`, {}, (t, peer) =>
    exchange(t, peer, {
      theirAsn,
      ours: sampleRoutes(6, 1),
      theirs: sampleRoutes(6, 2),
      session: { over: 6 },
    }),
  );
}

for (const over of [4, 6] as const) {
  const needs: readonly BgpAbility[] = [
    "both families on one session",
    // Without an address of their own for it, some tell 0.0.0.0 as an IPv4 next hop.
    ...(over === 6 ? (["own next hop of the other family"] as const) : []),
  ];
  withEveryPeer(`both families on one session over IPv${over}`, { needs }, (t, peer) =>
    exchange(t, peer, {
      theirAsn: 65002,
      ours: [...sampleRoutes(4, 1), ...sampleRoutes(6, 1)],
      theirs: [...sampleRoutes(4, 2), ...sampleRoutes(6, 2)],
      session: { over, families: [4, 6] },
    }),
  );
}

withEveryPeer("IPv4 with IPv6 next hops, both ways", { needs: ["extended next hop"] }, (t, peer) =>
  exchange(t, peer, {
    theirAsn: 65002,
    ours: sampleRoutes(4, 1),
    theirs: sampleRoutes(4, 2),
    session: { over: 6, families: [4], extendedNextHop: true },
  }),
);
