/**
 * Join: many internal peers come up at once, each with a few prefixes; done when an external peer that was there before
 * has all of them. Time includes that of the bench's own connections, which is the same for each router.
 */
import { announcements } from "./bench-client.ts";
import { compare } from "./compare.ts";
import { type BenchPeer, routerAsn } from "./routers.ts";

const peerCount = 100;
const prefixesPerPeer = 10;
const prefixCount = peerCount * prefixesPerPeer;
const sink: BenchPeer = { name: "sink", address: "127.0.0.3", asn: 65_003 };
const joining = Array.from({ length: peerCount }, (_, index) => ({
  peer: { name: `peer${index}`, address: `127.0.1.${index + 1}`, asn: routerAsn },
  feed: announcements({ count: prefixesPerPeer, first: index * prefixesPerPeer, asn: undefined }),
}));

await compare({
  name: `join of ${peerCount} peers with ${prefixesPerPeer} prefixes each`,
  peers: [sink, ...joining.map(({ peer }) => peer)],
  prefixCount,
  toldCount: prefixCount * (peerCount + 1),
  prepare: async (connect) => {
    const target = await connect(sink);
    return async () => {
      const all = joining.map(async ({ peer, feed }) => {
        const client = await connect(peer);
        client.send(feed);
      });
      await Promise.all([...all, target.when(() => target.heard.announced >= prefixCount)]);
    };
  },
});
