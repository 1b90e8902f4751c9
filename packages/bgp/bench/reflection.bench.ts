/** Reflection: each of many clients announces prefixes and is told those of all others; done when all have all. */
import { announcements } from "./bench-client.ts";
import { compare } from "./compare.ts";
import { isQuick } from "./options.ts";
import { routerAsn } from "./routers.ts";

const clientCount = isQuick ? 100 : 500;
const prefixesPerClient = 100;
const prefixCount = clientCount * prefixesPerClient;
const clients = Array.from({ length: clientCount }, (_, index) => ({
  peer: {
    name: `client${index}`,
    address: `127.0.${1 + Math.floor(index / 250)}.${1 + (index % 250)}`,
    asn: routerAsn,
  },
  feed: announcements({ count: prefixesPerClient, first: index * prefixesPerClient, asn: undefined }),
}));

await compare({
  name: `reflection of ${clientCount} clients with ${prefixesPerClient} prefixes each to all`,
  peers: clients.map(({ peer }) => peer),
  prefixCount,
  toldCount: prefixCount * (clientCount - 1),
  prepare: async (connect) => {
    const joined = await Promise.all(
      clients.map(async ({ peer, feed }) => ({ client: await connect(peer), feed })),
    );
    return async () => {
      for (const { client, feed } of joined) client.send(feed);
      const fromOthers = prefixCount - prefixesPerClient;
      await Promise.all(joined.map(({ client }) => client.when(() => client.heard.announced >= fromOthers)));
    };
  },
});
