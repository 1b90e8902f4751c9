/** Fan-out: what one external peer announces is reflected to many clients; done when the last has the last prefix. */
import { announcements } from "./bench-client.ts";
import { compare } from "./compare.ts";
import { isQuick } from "./options.ts";
import { type BenchPeer, routerAsn } from "./routers.ts";

const feeder: BenchPeer = { name: "feeder", address: "127.0.0.1", asn: 65_001 };
const prefixCount = isQuick ? 20_000 : 100_000;
const feed = announcements({ count: prefixCount, asn: feeder.asn });

for (const clientCount of [10, 30]) {
  const clients = Array.from({ length: clientCount }, (_, index) => ({
    name: `client${index}`,
    address: `127.0.1.${index + 1}`,
    asn: routerAsn,
  }));
  await compare({
    name: `fan-out of ${prefixCount} prefixes to ${clientCount} clients`,
    peers: [feeder, ...clients],
    prefixCount,
    toldCount: prefixCount * clientCount,
    prepare: async (connect) => {
      const source = await connect(feeder);
      const sinks = await Promise.all(clients.map(connect));
      return async () => {
        source.send(feed);
        await Promise.all(sinks.map((sink) => sink.when(() => sink.heard.announced >= prefixCount)));
      };
    },
  });
}
