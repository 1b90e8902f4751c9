/**
 * Fan-out: what one external peer announces is reflected to many clients; done when the last has the last prefix. In the
 * last scenario, with a table that no socket's buffers hold, one more client has stopped reading: it must delay nobody.
 */
import { announcements } from "./bench-client.ts";
import { type Scenario, compare } from "./compare.ts";
import { isQuick } from "./options.ts";
import { type BenchPeer, routerAsn } from "./routers.ts";

const feeder: BenchPeer = { name: "feeder", address: "127.0.0.1", asn: 65_001 };

function fanOut(prefixCount: number, clientCount: number, hangingCount: number): Scenario {
  const feed = announcements({ count: prefixCount, asn: feeder.asn });
  const clients = Array.from({ length: clientCount + hangingCount }, (_, index) => ({
    name: `client${index}`,
    address: `127.0.1.${index + 1}`,
    asn: routerAsn,
  }));
  return {
    name: `fan-out of ${prefixCount} prefixes to ${clientCount} clients${hangingCount > 0 ? ", and one that hangs" : ""}`,
    peers: [feeder, ...clients],
    prefixCount,
    toldCount: prefixCount * clients.length,
    prepare: async (connect) => {
      const source = await connect(feeder);
      const sinks = await Promise.all(clients.map(connect));
      for (const hanging of sinks.splice(0, hangingCount)) hanging.hang();
      return async () => {
        source.send(feed);
        await Promise.all(sinks.map((sink) => sink.when(() => sink.heard.announced >= prefixCount)));
      };
    },
  };
}

const prefixCount = isQuick ? 20_000 : 100_000;
await compare(fanOut(prefixCount, 10, 0));
await compare(fanOut(prefixCount, 30, 0));
if (!isQuick) await compare(fanOut(1_000_000, 30, 1));
