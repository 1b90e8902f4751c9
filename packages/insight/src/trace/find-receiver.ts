import { IpAddress } from "@caracal/net";
import { type Link, Mac } from "@caracal/netlink";
import { type Place, placeText, type Port, portsWith, recordedOwner, type World } from "./world.ts";

/** Who gets a frame that goes out by an interface. */
export type Receiver =
  | { readonly kind: "found"; readonly port: Port; readonly note?: string }
  /** A place that is known of, but whose kernel could not be asked. */
  | { readonly kind: "unknown"; readonly place: Place }
  /** Nobody that is known of. */
  | { readonly kind: "unseen" }
  | {
      readonly kind: "nobody";
      readonly reason: "neighbour-wrong" | "no-pod";
      readonly text: string;
      readonly hint: string;
    };

export interface Frame {
  readonly from: Place;
  readonly link: Link;
  readonly nextHop: IpAddress;
  /** Where the sender's neighbour entry says that the next hop is. */
  readonly mac: Mac | undefined;
}

/** Cables to pods are followed by their ends; otherwise the hardware address says who takes the frame, or the address. */
export function findReceiver(world: World, frame: Frame): Receiver {
  return alongCable(world, frame) ?? onSegment(world, frame);
}

function alongCable(world: World, { from, link }: Frame): Receiver | undefined {
  if (from.name.kind === "pod") {
    const host = world.places.find(({ name }) => name.kind === "node" && name.name === from.name.node);
    if (host === undefined || from.hostInterface === undefined) return undefined;
    if (host.state === undefined) return { kind: "unknown", place: host };
    const far = host.state.links.find(({ name }) => name === from.hostInterface);
    return far === undefined ? undefined : { kind: "found", port: { place: host, link: far } };
  }
  const pod = world.places.find(
    ({ name, hostInterface }) =>
      name.kind === "pod" && name.node === from.name.name && hostInterface === link.name,
  );
  if (pod === undefined) return undefined;
  if (pod.state === undefined) return { kind: "unknown", place: pod };
  const far = pod.state.links.find(
    ({ index, linkedIndex }) => index === link.linkedIndex && linkedIndex === link.index,
  );
  return far === undefined
    ? { kind: "unknown", place: pod }
    : { kind: "found", port: { place: pod, link: far } };
}

function onSegment(world: World, { from, link, nextHop, mac }: Frame): Receiver {
  const others = (port: Port): boolean => port.place !== from && port.place.name.kind !== "pod";
  const owners = portsWith(world, nextHop).filter(others);
  if (mac === undefined) {
    const [owner] = owners;
    if (owner !== undefined) return { kind: "found", port: owner };
    return unseenOrUnknown(world, nextHop, from);
  }
  const takers = world.places
    .flatMap((place) => (place.state?.links ?? []).map((one): Port => ({ place, link: one })))
    .filter((port) => others(port) && port.link.mac === mac);
  const taker = takers.find(({ place }) => owners.some((owner) => owner.place === place)) ?? takers[0];
  if (taker === undefined) {
    const [owner] = owners;
    if (owner?.link.mac === undefined) return unseenOrUnknown(world, nextHop, from);
    const text = `the neighbour entry for ${IpAddress.format(nextHop)} on ${link.name} says ${Mac.format(mac)}, but ${placeText(owner.place.name)} has it at ${Mac.format(owner.link.mac)}`;
    return {
      kind: "nobody",
      reason: "neighbour-wrong",
      text,
      hint: `delete the entry: ip neigh del ${IpAddress.format(nextHop)} dev ${link.name}`,
    };
  }
  if (owners.some(({ place }) => place === taker.place)) return { kind: "found", port: taker };
  const note = `${placeText(taker.place.name)} takes the frame, although ${IpAddress.format(nextHop)} is not its address`;
  return { kind: "found", port: taker, note };
}

function unseenOrUnknown(world: World, nextHop: IpAddress, from: Place): Receiver {
  const owner = recordedOwner(world, nextHop);
  if (owner !== undefined && owner !== from && owner.state === undefined && owner.name.kind !== "pod") {
    return { kind: "unknown", place: owner };
  }
  return { kind: "unseen" };
}
