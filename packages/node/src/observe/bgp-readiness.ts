import type { PeerSnapshot } from "@caracal/bgp";
import { IpAddress } from "@caracal/net";
import type { HealthReport } from "./health.ts";

/** A daemon younger than this is ready only with every session up; later one session is enough (facts: node start-up §6). */
const youngMs = 30_000;

/** Readiness of BGP in Calico's words. No peers at all is ready. */
export function bgpReadiness(
  peers: readonly Pick<PeerSnapshot, "address" | "state">[],
  ageMs: number,
  failure: string | undefined,
): HealthReport {
  if (failure !== undefined) return { live: true, ready: false, detail: `BIRD is not ready: ${failure}` };
  const missing = peers.filter((peer) => peer.state !== "Established");
  const enough = missing.length === 0 || (ageMs >= youngMs && missing.length < peers.length);
  const detail =
    missing.length === 0
      ? `${peers.length} sessions established`
      : `BIRD is not ready: BGP not established with ${missing.map((peer) => IpAddress.format(peer.address)).join(",")}`;
  return { live: true, ready: enough, detail };
}
