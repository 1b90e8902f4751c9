import { IpAddress } from "@caracal/net";
import type { TraceEnd } from "./find-end.ts";
import { IpProtocol } from "./packet.ts";
import type { OtherWay, Walk } from "./trace-result.ts";
import { followPacket, type WalkRequest } from "./walk.ts";
import { findPlace, type PlaceName, placeKey, type World } from "./world.ts";

/** What kind of packet is followed. */
export interface PacketSpec {
  readonly protocol: "icmp" | "tcp" | "udp";
  /** Of TCP and UDP. */
  readonly port?: number;
  /** From its IP header on. */
  readonly bytes: number;
}

export interface TraceRequest {
  readonly from: TraceEnd & { readonly place: PlaceName };
  readonly to: TraceEnd;
  readonly family: 4 | 6;
  readonly packet: PacketSpec;
}

/** A packet's way there, and that of the answer. */
export interface TraceReport {
  readonly forward: Walk;
  /** Absent: nobody who is known of would answer. */
  readonly back?: Walk;
  /** The answer comes by the same places. */
  readonly isSymmetric?: boolean;
  /** For packets of other flows, where the hash decides between equal ways. */
  readonly otherWays: readonly OtherWay[];
  /** What has to be known before this is the whole answer. */
  readonly wants: Walk["wants"];
}

/** The port that an answer is for; which one does not matter to anybody, but rules may look at it. */
export const sourcePort = 40_001;

/** More ways than this are not followed. */
const maxOtherWays = 16;

/** Follows a packet and its answer through what is known of the world. */
export function traceReport(
  world: World,
  { from, to, family, packet }: TraceRequest,
): TraceReport | undefined {
  const start = findPlace(world, from.place);
  const destination = to.addresses.find((one) => IpAddress.family(one) === family);
  if (start === undefined || destination === undefined) return undefined;
  const source = from.isWholePlace
    ? undefined
    : from.addresses.find((one) => IpAddress.family(one) === family);
  const fixed = { protocol: protocolNumber(packet, family), bytes: packet.bytes, dontFragment: true };
  const ports = packet.protocol === "icmp" ? undefined : { near: sourcePort, far: packet.port ?? 0 };
  const sent: WalkRequest = {
    ...fixed,
    from: start,
    destination,
    ...(source === undefined ? {} : { source }),
    ...(to.place === undefined ? {} : { expected: to.place }),
    ...(to.pool === undefined ? {} : { pool: to.pool }),
    ...(ports === undefined ? {} : { sourcePort: ports.near, destinationPort: ports.far }),
  };
  const forward = followPacket(world, sent);
  const others = followOthers(world, sent, forward);
  const otherWays = others.map(({ other }) => other);
  const back = followBack(world, { from, to, forward, fixed, ports, destination });
  const wants = {
    places: [forward, ...others, ...(back === undefined ? [] : [back])].flatMap((walk) => walk.wants.places),
    addresses: [forward, ...others, ...(back === undefined ? [] : [back])].flatMap(
      (walk) => walk.wants.addresses,
    ),
  };
  if (back === undefined) return { forward, otherWays, wants };
  const isSymmetric =
    forward.verdict.kind === "delivered" &&
    back.verdict.kind === "delivered" &&
    pathOf(forward).join() === pathOf(back).toReversed().join();
  return { forward, otherWays, back, isSymmetric, wants };
}

/** One walk for each way that was not taken, where the others are as they were. */
function followOthers(
  world: World,
  sent: WalkRequest,
  { forks }: Walk,
): readonly { readonly other: OtherWay; readonly wants: Walk["wants"] }[] {
  return forks
    .flatMap(({ at, ways, taken }) =>
      ways.flatMap((way, index) => (index === taken ? [] : [{ at, way, index }])),
    )
    .slice(0, maxOtherWays)
    .map(({ at, way, index }) => {
      const { verdict, wants } = followPacket(world, { ...sent, choices: new Map([[placeKey(at), index]]) });
      return { other: { at, way, verdict }, wants };
    });
}

interface BackRequest {
  readonly from: TraceRequest["from"];
  readonly to: TraceEnd;
  readonly forward: Walk;
  readonly fixed: { readonly protocol: number; readonly bytes: number; readonly dontFragment: boolean };
  readonly ports: { readonly near: number; readonly far: number } | undefined;
  readonly destination: IpAddress;
}

/** From where the packet arrived, or should have, to whom it seems to come from. */
function followBack(
  world: World,
  { from, to, forward, fixed, ports, destination }: BackRequest,
): Walk | undefined {
  const { verdict, last, translations } = forward;
  const isThere = verdict.kind === "delivered";
  const at = isThere ? verdict.at : to.place;
  const start = at === undefined ? undefined : findPlace(world, at);
  if (start === undefined) return undefined;
  // A packet that was lost had its addresses changed on the way at most: its answer is from the end as it is.
  const source = isThere ? last.destination : destination;
  // A sender that came not even to choose its source would choose its first.
  const family = IpAddress.family(destination);
  const own = from.addresses.find((one) => IpAddress.family(one) === family);
  const answered = forward.source === undefined ? own : last.source;
  if (answered === undefined) return undefined;
  return followPacket(world, {
    ...fixed,
    from: start,
    source,
    destination: answered,
    expected: from.place,
    ...(ports === undefined ? {} : { sourcePort: ports.far, destinationPort: ports.near }),
    reverse: isThere ? translations : [],
  });
}

/** Routers that are not seen go by the gateways' names, of which each side has its own. */
function pathOf({ hops }: Walk): readonly string[] {
  return hops.flatMap(({ place }) => (place.kind === "outside" ? [] : [placeKey(place)]));
}

function protocolNumber({ protocol }: PacketSpec, family: 4 | 6): number {
  if (protocol === "icmp") return family === 4 ? IpProtocol.icmp : IpProtocol.icmpv6;
  return IpProtocol[protocol];
}
