/**
 * Aim: ten thousand prefixes with attributes of every kind, also such as nobody knows, pass through us unharmed. Method: a
 * script says them to us in bytes of its own making; what we believe is compared with what it said, and what the peer
 * believes with what we do.
 */
import type { BgpBelief } from "@caracal/testbed";
import { withEveryPeer } from "./bgp-cells.ts";
import { BgpNetwork } from "./bgp-network.ts";
import { caracal } from "./caracal-peer.ts";
import { tableFeeder } from "./table-feeder.ts";
import { feederTable } from "./feeder-table.ts";

const prefixCount = 10_000;

withEveryPeer("10,000 mixed prefixes arrive as we believe them", {}, async (t, peer) => {
  const size = { count: prefixCount, isLong: peer.lacks["long attributes in full"] === undefined };
  const network = await BgpNetwork.start(t, {
    us: { kind: caracal, asn: 65001, to: { feeder: {}, them: {} } },
    them: { kind: peer, asn: 65002, to: { us: {} } },
    feeder: { kind: tableFeeder(size), asn: 65099, to: { us: {} } },
  });
  const fed = feederTable(size).map((route): BgpBelief => ({
    ...route.belief,
    from: "feeder",
    nextHop: network.router("feeder").address,
  }));
  await network.believes("us", fed, { intervalMs: 500 });
  const relayed = fed.map((belief) => network.relayed(belief, "us"));
  const ignoring = peer.lacks["unknown attributes"] === undefined ? [] : (["unknown"] as const);
  await network.believes("them", relayed, { ignoring, intervalMs: 500 });
});
