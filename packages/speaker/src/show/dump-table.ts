import { encodeTableDump, type RouteSnapshot } from "@caracal/bgp";
import type { SpeakerView } from "../speaker-view.ts";

/**
 * The table as an MRT file (RFC 6396), in pieces of base64 with a pause after each. The peers are those of the beginning;
 * routes are read as they are when it is their turn.
 */
export function* dumpTable(speaker: SpeakerView): Generator<string | undefined, void, undefined> {
  const { routerId, asn } = speaker.configuration;
  const peers = speaker.peers();
  const routes = routesOf(speaker, new Set(peers.map(({ name }) => name)));
  const takenAtS = Math.floor(Date.now() / 1000);
  for (const piece of encodeTableDump({ routerId, asn, takenAtS, peers, routes })) {
    yield Buffer.from(piece).toString("base64");
    yield undefined;
  }
}

/** A neighbour that came in the meantime has no number in the dump. */
function* routesOf(
  { listings }: SpeakerView,
  neighbors: ReadonlySet<string>,
): Generator<RouteSnapshot, void, undefined> {
  for (const route of listings?.routes() ?? []) {
    if (route !== undefined && (route.source.kind === "local" || neighbors.has(route.source.name)))
      yield route;
  }
}
