import { dynamicPeerName, explainFilter, type LinkOf, type PeerInput, type PolicyRoute } from "@caracal/bgp";
import type { SpeakerConfiguration } from "../config/read-config.ts";
import { linkOfRoute, readPolicyName } from "../policy-book.ts";

/** Which rule of a neighbour's filter refuses a route: `filter in, rule 2 (bogons)`; `undefined` where none does. */
export function filterReason(
  configuration: SpeakerConfiguration,
  neighbor: string,
  direction: "import" | "export",
  route: PolicyRoute,
  linkOf: LinkOf,
): string | undefined {
  const settings = settingsOf(configuration, neighbor);
  const policy = readPolicyName(
    (direction === "import" ? settings?.importPolicy : settings?.exportPolicy) ?? "",
  );
  const filter = policy === undefined ? undefined : configuration.filters.get(policy.filter);
  if (policy === undefined || filter === undefined) return undefined;
  const session = { direction, peerType: policy.peerType, linkOf: linkOfRoute(linkOf) };
  const { verdict, rule, trace } = explainFilter(filter, route, session);
  if (verdict !== "reject") return undefined;
  if (rule === undefined) return `filter ${policy.filter}, otherwise`;
  const title = trace.at(-1)?.name;
  return `filter ${policy.filter}, rule ${rule + 1}${title === undefined ? "" : ` (${title})`}`;
}

/** Of one that is configured, or of the range that it came from, after which it is named. */
function settingsOf(
  { peers, ranges }: SpeakerConfiguration,
  neighbor: string,
): Pick<PeerInput, "importPolicy" | "exportPolicy"> | undefined {
  const peer = peers.find(({ name }) => name === neighbor);
  return peer ?? ranges.find(({ name }) => neighbor.startsWith(dynamicPeerName(name)))?.template;
}
