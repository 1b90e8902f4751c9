/**
 * Aim: routes are reflected (RFC 4456) by us to every peer, and by every peer to us, and several paths to one prefix travel
 * over one session (RFC 7911). Method: BIRD 2 is the source; what arrives behind the reflector is compared attribute by
 * attribute with what was said.
 */
import { bird2 } from "@caracal/testbed";
import { sampleRoutes, withEveryPeer } from "./bgp-cells.ts";
import { BgpNetwork, type SessionPlan } from "./bgp-network.ts";
import { caracal } from "./caracal-peer.ts";

const routes = sampleRoutes(4, 3);
const client: SessionPlan = { reflectorClient: true };

withEveryPeer("we reflect a client's routes to them, and theirs to the client", {}, async (t, peer) => {
  const theirs = sampleRoutes(4, 4);
  const network = await BgpNetwork.start(t, {
    us: { kind: caracal, asn: 65001, to: { source: client, them: client } },
    source: { kind: bird2, asn: 65001, routes, to: { us: {} } },
    them: { kind: peer, asn: 65001, routes: theirs, to: { us: {} } },
  });
  await network.believes(
    "them",
    routes.map((route) => network.reflected(route, { from: "source", by: "us", to: "them" })),
  );
  await network.believes(
    "source",
    theirs.map((route) => network.reflected(route, { from: "them", by: "us", to: "source" })),
  );
});

withEveryPeer("they reflect a client's routes to us, and ours to the client", {}, async (t, peer) => {
  const ours = sampleRoutes(4, 4);
  const network = await BgpNetwork.start(t, {
    us: { kind: caracal, asn: 65001, routes: ours, to: { them: {} } },
    source: { kind: bird2, asn: 65001, routes, to: { them: {} } },
    them: { kind: peer, asn: 65001, to: { us: client, source: client } },
  });
  await network.believes(
    "us",
    routes.map((route) => network.reflected(route, { from: "source", by: "them", to: "us" })),
  );
  await network.believes(
    "source",
    ours.map((route) => network.reflected(route, { from: "us", by: "them", to: "source" })),
  );
});

withEveryPeer(
  "two reflectors of one client: nobody takes a route back",
  { needs: ["reflection to non-clients"] },
  async (t, peer) => {
    const network = await BgpNetwork.start(t, {
      us: { kind: caracal, asn: 65001, to: { source: client, them: {} } },
      source: { kind: bird2, asn: 65001, routes, to: { us: {}, them: {} } },
      them: { kind: peer, asn: 65001, to: { source: client, us: {} } },
    });
    for (const [name, other] of [
      ["us", "them"],
      ["them", "us"],
    ] as const) {
      await network.believes(
        name,
        routes.flatMap((route) => [
          network.told(route, "source", name),
          { ...network.reflected(route, { from: "source", by: other, to: name }), best: false },
        ]),
      );
    }
    await network.believes("source", []);
  },
);

for (const middle of ["us", "them"] as const) {
  const end = middle === "us" ? "them" : "us";
  const title = middle === "us" ? "we tell them" : "they tell us";
  withEveryPeer(`add-path: ${title} both paths to a prefix`, {}, async (t, peer) => {
    const kinds = { us: caracal, them: peer };
    const [route] = routes;
    if (route === undefined) throw new Error("there is a sample");
    const sources = { first: 65011, second: 65012 };
    const network = await BgpNetwork.start(t, {
      first: { kind: bird2, asn: sources.first, routes: [route], to: { [middle]: {} } },
      second: { kind: bird2, asn: sources.second, routes: [route], to: { [middle]: {} } },
      [middle]: {
        kind: kinds[middle],
        asn: 65001,
        to: { first: {}, second: {}, [end]: { addPaths: "send" } },
      },
      [end]: { kind: kinds[end], asn: 65001, to: { [middle]: { addPaths: "receive" } } },
    });
    await network.believes(
      end,
      Object.keys(sources).map((source) => ({ ...network.told(route, source, end), from: middle })),
      { ignoring: ["best"] },
    );
  });
}
