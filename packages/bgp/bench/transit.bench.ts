/**
 * Transit: an external peer announces prefixes (0.06 attribute sets for each), the router under test decodes, selects
 * and announces them to another external peer. Each router in a process of its own on one core, with the same feeder
 * and the same sink, in turns; time is from the first byte fed to the last prefix out, CPU is the router's own.
 */
import { announcements } from "./bench-client.ts";
import { compare } from "./compare.ts";
import { isQuick } from "./options.ts";
import { type BenchPeer } from "./routers.ts";

async function transit(prefixCount: number, family: 4 | 6): Promise<void> {
  const feeder: BenchPeer = { name: "feeder", address: "127.0.0.1", asn: 65_001, family };
  const sink: BenchPeer = { name: "sink", address: "127.0.0.3", asn: 65_003, family };
  const feed = announcements({ count: prefixCount, asn: feeder.asn, family });
  await compare({
    name: `transit of ${prefixCount} ${family === 4 ? "" : "IPv6 "}prefixes`,
    peers: [feeder, sink],
    prefixCount,
    toldCount: prefixCount,
    prepare: async (connect) => {
      const [source, target] = [await connect(feeder), await connect(sink)];
      return () => {
        source.send(feed);
        return target.when(() => target.heard.announced >= prefixCount);
      };
    },
  });
}

for (const prefixCount of isQuick ? [100_000] : [100_000, 500_000, 1_000_000]) await transit(prefixCount, 4);
await transit(isQuick ? 100_000 : 500_000, 6);
