import { explainFilter, type PolicyRoute } from "@caracal/bgp";
import type { SpeakerConfiguration } from "../config/read-config.ts";
import { filterOfPolicy } from "../policy-book.ts";

/** Which rule of a neighbour's filter refuses a route: `filter in, rule 2 (bogons)`; `undefined` where none does. */
export function filterReason(
  { peers, filters, asn }: SpeakerConfiguration,
  neighbor: string,
  direction: "import" | "export",
  route: PolicyRoute,
): string | undefined {
  const peer = peers.find(({ name }) => name === neighbor);
  const policy = direction === "import" ? peer?.importPolicy : peer?.exportPolicy;
  const name = policy === undefined ? undefined : filterOfPolicy(policy);
  const filter = name === undefined ? undefined : filters.get(name);
  if (peer === undefined || filter === undefined) return undefined;
  const peerType = peer.asn === (peer.localAsn ?? asn) ? "iBGP" : "eBGP";
  const { verdict, rule, trace } = explainFilter(filter, route, { direction, peerType });
  if (verdict !== "reject") return undefined;
  if (rule === undefined) return `filter ${name}, otherwise`;
  const title = trace.at(-1)?.name;
  return `filter ${name}, rule ${rule + 1}${title === undefined ? "" : ` (${title})`}`;
}
