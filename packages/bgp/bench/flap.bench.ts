/**
 * Flap: a tenth of a table goes and comes back every second for some seconds, a hundredth at a time. Seconds are the
 * median time from a change at the feeder to that change at the sink; CPU is that of the whole run.
 */
import { setTimeout as sleep } from "node:timers/promises";
import { announcements, withdrawals } from "./bench-client.ts";
import { compare } from "./compare.ts";
import { isQuick } from "./options.ts";
import { type BenchPeer } from "./routers.ts";

const prefixCount = 100_000;
const changesPerSecond = 10;
const prefixesPerChange = prefixCount / 10 / changesPerSecond;
const changeCount = (isQuick ? 2 : 10) * changesPerSecond;
/** A prefix that nobody has heard of ends each change, so that its arrival can be told. */
const firstMarker = 2 * prefixCount;
const feeder: BenchPeer = { name: "feeder", address: "127.0.0.1", asn: 65_001 };
const sink: BenchPeer = { name: "sink", address: "127.0.0.3", asn: 65_003 };

const table = announcements({ count: prefixCount, asn: feeder.asn });
const changes = Array.from({ length: changeCount }, (_, index) => {
  const first = (index * prefixesPerChange) % prefixCount;
  const before = (first + prefixCount - prefixesPerChange) % prefixCount;
  return Buffer.concat([
    withdrawals({ first, count: prefixesPerChange }),
    announcements({ first: before, count: prefixesPerChange, asn: feeder.asn, variant: 1 }),
    announcements({ first: firstMarker + index, count: 1, asn: feeder.asn }),
  ]);
});

await compare({
  name: `flap of a tenth of ${prefixCount} prefixes each second, for ${changeCount / changesPerSecond} s`,
  peers: [feeder, sink],
  prefixCount,
  toldCount: prefixCount,
  prepare: async (connect) => {
    const [source, target] = [await connect(feeder), await connect(sink)];
    source.send(table);
    await target.when(() => target.heard.announced >= prefixCount);
    return async () => {
      const lags: number[] = [];
      const start = performance.now();
      for (const [index, bytes] of changes.entries()) {
        const due = start + (index * 1000) / changesPerSecond;
        await sleep(Math.max(0, due - performance.now()));
        const sent = performance.now();
        source.send(bytes);
        await target.when(() => target.heard.highest >= firstMarker + index);
        lags.push((performance.now() - sent) / 1000);
      }
      return lags.toSorted((a, b) => a - b)[lags.length >> 1];
    };
  },
});
