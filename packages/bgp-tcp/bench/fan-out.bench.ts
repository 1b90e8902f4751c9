/**
 * Fan-out: what one external peer announces is reflected to many clients. Otherwise as the transit benchmark; time ends
 * when the last client has the last prefix. `PREFIXES`, `CLIENTS` (a list with commas) and `ROUNDS` change the run.
 */
import { compare } from "./measure.ts";
import { routerAsn } from "./routers.ts";

const prefixCount = Number(process.env["PREFIXES"] ?? 100_000);
const counts = (process.env["CLIENTS"] ?? "10,30").split(",").map(Number);

await compare(
  counts.map((clientCount) => ({
    name: `fan-out of ${prefixCount} prefixes to ${clientCount} clients`,
    prefixCount,
    listeners: Array.from({ length: clientCount }, (_, index) => ({
      name: `client${index}`,
      address: `127.0.1.${index + 1}`,
      asn: routerAsn,
    })),
  })),
);
