/**
 * Transit: an external peer announces prefixes (0.06 attribute sets for each), the router under test decodes, selects
 * and announces them to another external peer. BIRD 2 and we take turns on loopback, each in a process of its own on
 * one core, with the same feeder and the same sink; time is from the first byte fed to the last prefix out, CPU is the
 * router's own. `PREFIXES` (a list with commas) and `ROUNDS` change the run.
 */
import { compare } from "./measure.ts";

const counts = (process.env["PREFIXES"] ?? "100000,500000,1000000").split(",").map(Number);

await compare(
  counts.map((prefixCount) => ({
    name: `transit of ${prefixCount} prefixes`,
    prefixCount,
    listeners: [{ name: "sink", address: "127.0.0.3", asn: 65_003 }],
  })),
);
