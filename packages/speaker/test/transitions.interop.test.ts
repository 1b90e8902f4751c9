/**
 * Aim: the standalone speaker and every peer understand each other where one of them is old, protected, or changes its mind.
 * Method: sessions with four-octet AS numbers off, passwords and TTL security from either end, filters changed on either
 * side while the session stands, and connections from both ends that cross; both sides' beliefs are compared.
 */
import assert from "node:assert/strict";
import {
  type BgpBelief,
  type BgpRefusals,
  type BgpSample,
  bird1,
  bird2,
  eventually,
  type Namespace,
} from "@caracal/testbed";
import { sampleRoutes, withEveryPeer } from "./bgp-cells.ts";
import { BgpNetwork, type SessionPlan } from "./bgp-network.ts";
import { caracal, CaracalPeer } from "./caracal-peer.ts";

const ours = sampleRoutes(4, 1);
const theirs = sampleRoutes(4, 2);
/** RFC 6793 §9. */
const asTrans = 23456;

withEveryPeer("an AS path survives a peer of two octets", { needs: ["two-octet AS"] }, async (t, peer) => {
  const wide = sampleRoutes(4, 3);
  const network = await BgpNetwork.start(t, {
    us: { kind: caracal, asn: 65001, to: { them: {}, wide: {} } },
    them: { kind: peer, asn: 65002, routes: theirs, to: { us: { twoOctetAs: true } } },
    wide: { kind: bird2, asn: 4_200_000_003, routes: wide, to: { us: {} } },
  });
  const relayed = (route: BgpSample, from: string): BgpBelief =>
    network.relayed(network.told(route, from, "us"), "us");
  await network.believes("us", [
    ...theirs.map((one) => network.told(one, "them", "us")),
    ...wide.map((one) => network.told(one, "wide", "us")),
  ]);
  await network.believes(
    "wide",
    theirs.map((one) => relayed(one, "them")),
  );
  const merges = peer.lacks["AS4_PATH merge"] === undefined;
  await network.believes(
    "them",
    wide
      .map((one) => relayed(one, "wide"))
      .map((one) => (merges ? one : { ...one, asPath: one.asPath.replaceAll(/\d{6,}/g, String(asTrans)) })),
  );
});

withEveryPeer(
  // The others still read our AS from a capability that they do not answer.
  "our AS of four octets is AS_TRANS to a peer of two",
  { with: [bird1] },
  async (t, peer) => {
    const network = await BgpNetwork.start(t, {
      us: { kind: caracal, asn: 4_200_000_001, routes: ours, to: { them: {} } },
      them: { kind: peer, asn: 65002, routes: theirs, to: { us: { twoOctetAs: true, asn: asTrans } } },
    });
    await network.believes(
      "us",
      theirs.map((one) => network.told(one, "them", "us")),
    );
    await network.believes(
      "them",
      ours.map((one) => network.told(one, "us", "them")),
    );
  },
);

for (const [caller, over] of [
  ["us", 4],
  ["them", 6],
] as const) {
  const protections: SessionPlan = { over, password: "Wh1skers-and-tufts", ttlSecurityHops: 1 };
  withEveryPeer(`a password and TTL security over IPv${over}, ${caller} calling`, {}, async (t, peer) => {
    const network = await BgpNetwork.start(t, {
      us: { kind: caracal, asn: 65001, to: { them: { ...protections, isPassive: caller === "them" } } },
      them: { kind: peer, asn: 65002, to: { us: { ...protections, isPassive: caller === "us" } } },
    });
    await network.up("us", "them");
  });
}

withEveryPeer("filters change on either side, and the session stays", {}, async (t, peer) => {
  const network = await BgpNetwork.start(t, {
    us: { kind: caracal, asn: 65001, routes: ours, to: { them: {} } },
    them: { kind: peer, asn: 65002, routes: theirs, to: { us: {} } },
  });
  const settled = async (refused: readonly string[]): Promise<void> => {
    const told = (from: "us" | "them", to: "us" | "them"): ReturnType<BgpNetwork["told"]>[] =>
      (from === "us" ? ours : theirs)
        .filter(({ prefix }) => !refused.includes(prefix))
        .map((route) => network.told(route, from, to));
    await network.believes("us", told("them", "us"));
    await network.believes("them", told("us", "them"));
  };
  await settled([]);
  const since = await upSince(network);
  const refused = [ours, theirs].map(([, second]) => second?.prefix ?? "");
  const nothing: BgpRefusals = { import: [], export: [] };
  const [ourPrefix = "", theirPrefix = ""] = refused;
  const refusing = { us: { ...nothing, import: [theirPrefix] }, them: { ...nothing, import: [ourPrefix] } };
  const withholding = {
    us: { ...nothing, export: [ourPrefix] },
    them: { ...nothing, export: [theirPrefix] },
  };
  // Each side refuses what the other tells; then each withholds what it told.
  const withdraws = peer.lacks["withdrawal by filter"] === undefined;
  for (const { us, them } of withdraws ? [refusing, withholding] : [refusing]) {
    await network.router("us").peer.refuse(us);
    await network.router("them").peer.refuse(them);
    await settled(refused);
    await network.router("us").peer.refuse(nothing);
    await network.router("them").peer.refuse(nothing);
    await settled([]);
  }
  assert.equal(await upSince(network), since);
});

withEveryPeer(
  "connections that cross become one session",
  { needs: ["calls from both ends"], tools: ["nft"] },
  async (t, peer) => {
    const network = await BgpNetwork.start(t, {
      us: { kind: caracal, asn: 65001, routes: ours, to: { them: {} } },
      them: { kind: peer, asn: 65002, routes: theirs, to: { us: {} } },
    });
    await network.up("us", "them");
    const { namespace, peer: us } = network.router("us");
    await us.kill();
    const before = await opens(namespace);
    // Connections come about, but nothing is said on them: both ends wait for an OPEN, on both connections.
    await namespace.run(["nft", "-f", "-"], { input: silence });
    await us.revive();
    await eventually(
      async () => {
        const now = await opens(namespace);
        return now.active > before.active && now.passive > before.passive;
      },
      { what: "connections from both ends" },
    );
    await namespace.run(["nft", "delete", "table", "inet", "silence"]);
    await network.up("us", "them");
    await network.believes(
      "us",
      theirs.map((one) => network.told(one, "them", "us")),
    );
    await network.believes(
      "them",
      ours.map((one) => network.told(one, "us", "them")),
    );
  },
);

/** Drops what carries data. */
const silence = `
table inet silence {
  chain input { type filter hook input priority 0; tcp flags & psh == psh drop; }
  chain output { type filter hook output priority 0; tcp flags & psh == psh drop; }
}
`;

async function upSince(network: BgpNetwork): Promise<unknown> {
  const { peer } = network.router("us");
  const shown = peer instanceof CaracalPeer ? await peer.speaker.show("neighbor", "them") : undefined;
  return typeof shown === "object" && shown !== null ? Reflect.get(shown, "since") : undefined;
}

/** Connections that this namespace began and took, by the kernel's count. */
async function opens(namespace: Namespace): Promise<{ readonly active: number; readonly passive: number }> {
  const { stdout } = await namespace.run(["cat", "/proc/net/snmp"]);
  const [names = [], values = []] = stdout
    .split("\n")
    .filter((line) => line.startsWith("Tcp:"))
    .map((line) => line.split(" "));
  const count = (name: string): number => Number(values[names.indexOf(name)]);
  return { active: count("ActiveOpens"), passive: count("PassiveOpens") };
}
