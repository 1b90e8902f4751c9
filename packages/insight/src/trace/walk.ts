import type { Prefix } from "@caracal/net";
import { IpAddress, Ipv6 } from "@caracal/net";
import { type Link, Mac } from "@caracal/netlink";
import { findReceiver } from "./find-receiver.ts";
import { lost } from "./losses.ts";
import { innermost, type Packet, withoutMark } from "./packet.ts";
import { type Exit, PlaceRun } from "./place-run.ts";
import type { TraceHop, TraceStep, TraceVerdict, Translation, Walk } from "./trace-result.ts";
import { WalkLedger } from "./walk-ledger.ts";
import {
  type Place,
  type PlaceName,
  placeKey,
  placeText,
  type Port,
  recordedOwner,
  portsWith,
  type World,
} from "./world.ts";

/** Places that a packet may come to; its own limit is 64 routers. */
const maxHops = 64;

/** A packet to be followed. */
export interface WalkRequest {
  readonly from: Place;
  /** Absent: the sender's kernel chooses. */
  readonly source?: IpAddress;
  readonly destination: IpAddress;
  /** Where it should arrive; absent: outside, or nobody knows. */
  readonly expected?: PlaceName;
  /** The pool that the destination is in, although nobody has it: it should not leave the cluster. */
  readonly pool?: string;
  readonly protocol: number;
  readonly sourcePort?: number;
  readonly destinationPort?: number;
  readonly bytes: number;
  readonly dontFragment: boolean;
  /** Which of several equal ways to take, by `placeKey`; the first one otherwise. */
  readonly choices?: ReadonlyMap<string, number>;
  /** What another walk changed, when this is the way back of it. */
  readonly reverse?: readonly Translation[];
}

/** Follows a packet through the kernels' states until it arrives, is lost, or goes where nobody sees it. */
export function followPacket(world: World, request: WalkRequest): Walk {
  return new Walker(world, request).run();
}

type Sent = Extract<Exit, { kind: "sent" }>;

class Walker {
  readonly #world: World;
  readonly #request: WalkRequest;
  readonly #ledger: WalkLedger;
  readonly #hops: TraceHop[] = [];
  readonly #assumptions: string[] = [];
  readonly #wantedPlaces: PlaceName[] = [];
  readonly #seen = new Set<string>();
  #packet: Packet;
  #source: IpAddress | undefined;

  constructor(world: World, request: WalkRequest) {
    this.#world = world;
    this.#request = request;
    const {
      reverse = [],
      source,
      destination,
      protocol,
      sourcePort,
      destinationPort,
      bytes,
      dontFragment,
    } = request;
    this.#ledger = new WalkLedger(world, reverse, request.choices ?? new Map());
    this.#packet = {
      source: source ?? destination,
      destination,
      protocol,
      ...(sourcePort === undefined ? {} : { sourcePort }),
      ...(destinationPort === undefined ? {} : { destinationPort }),
      bytes,
      dontFragment,
      mark: 0,
      connection: request.reverse === undefined ? "new" : "established",
    };
  }

  run(): Walk {
    const verdict = this.#walk();
    const { pathMtu, forks, translations, wantedAddresses } = this.#ledger;
    const { source, destination } = innermost(this.#packet);
    return {
      hops: this.#hops,
      verdict,
      ...(pathMtu === undefined ? {} : { pathMtu }),
      translations,
      forks,
      ...(this.#source === undefined ? {} : { source: this.#source }),
      last: { source, destination },
      wants: { places: this.#wantedPlaces, addresses: wantedAddresses },
    };
  }

  #walk(): TraceVerdict {
    let { place, link } = this.#start();
    let via: Prefix | undefined;
    for (let count = 0; count < maxHops; count += 1) {
      const { state } = place;
      if (state === undefined) return this.#unknown(place, link);
      if (this.#isLoop(place, link)) break;
      const run = new PlaceRun(place, state, this.#ledger, via);
      const exit = link === undefined ? this.#begin(run, place) : run.receive(link, this.#packet);
      this.#packet = exit.packet;
      if (link === undefined) this.#source = run.source;
      const draft = {
        place: place.name,
        ...(link === undefined ? {} : { in: { device: link.name } }),
        steps: run.steps,
      };
      if (exit.kind !== "sent") return this.#end(place, draft, exit);
      const next = this.#next(place, draft, exit);
      if ("kind" in next) return next;
      via = exit.route.destination;
      this.#packet = withoutMark(exit.packet);
      ({ place, link } = next);
    }
    const text = `it comes to ${place.name.name} again and again: the routes lead in a circle`;
    return {
      at: place.name,
      ...lost("loop", text, "compare the routes of the places above for this address"),
    };
  }

  /** A pod that nobody can look into still has one way out: its cable to its node. */
  #start(): { place: Place; link: Link | undefined } {
    const { from, source } = this.#request;
    const { name, hostInterface } = from;
    const host = this.#world.places.find(
      (place) => place.name.kind === "node" && place.name.name === name.node,
    );
    const link = host?.state?.links.find((one) => one.name === hostInterface);
    if (from.state !== undefined || source === undefined || host === undefined || link === undefined) {
      return { place: from, link: undefined };
    }
    this.#wantedPlaces.push(name);
    const because = from.unknownBecause ?? "it was not asked yet";
    const text = `${placeText(name)} cannot be looked into: ${because}`;
    this.#hops.push({ place: name, steps: [{ kind: "unseen", text }] });
    this.#assumptions.push(`${placeText(name)} sends by its cable to ${host.name.name}`);
    this.#source = source;
    return { place: host, link };
  }

  #begin(run: PlaceRun, place: Place): Exit {
    const { source } = this.#request;
    const packet = this.#packet;
    const isThere = source === undefined || place.state?.addresses.some(({ address }) => address === source);
    if (isThere !== false) return run.originate(packet, source !== undefined);
    const text = `${placeText(place.name)} does not have ${IpAddress.format(source ?? packet.source)}, which the records give it`;
    return {
      ...lost("no-address", text, "compare: ip address, and calicoctl get workloadendpoint -o wide"),
      packet,
    };
  }

  #end(place: Place, draft: TraceHop, exit: Exclude<Exit, Sent>): TraceVerdict {
    if (exit.kind === "unseen") {
      this.#hops.push({ ...draft, steps: [...draft.steps, { kind: "unseen", text: exit.text }] });
      return { kind: "out-of-sight", after: place.name, text: exit.text, isExpected: false };
    }
    this.#hops.push(draft);
    if (exit.kind === "lost") {
      const { reason, text, hint } = exit;
      return { kind: "lost", at: place.name, reason, text, ...(hint === undefined ? {} : { hint }) };
    }
    const { expected } = this.#request;
    if (expected === undefined || placeKey(expected) === placeKey(place.name)) {
      return { kind: "delivered", at: place.name, assumptions: this.#assumptions };
    }
    const address = IpAddress.format(exit.packet.destination);
    const text = `${placeText(place.name)} takes it: it has ${address} itself, though ${placeText(expected)} should`;
    return { at: place.name, ...lost("wrong-place", text, `take ${address} from one of the two`) };
  }

  /** Who gets what was sent; a verdict if that is nobody. */
  #next(
    place: Place,
    draft: TraceHop,
    exit: Sent,
  ): { readonly place: Place; readonly link: Link } | TraceVerdict {
    const { link, mtu, nextHop, mac, packet } = exit;
    const receiver = findReceiver(this.#world, { from: place, link, nextHop, mac });
    const steps: TraceStep[] = [...draft.steps];
    const port = receiver.kind === "found" ? receiver.port : undefined;
    const destinationMac = mac ?? port?.link.mac;
    const hop: TraceHop = {
      ...draft,
      steps,
      out: {
        device: link.name,
        mtu,
        ...(link.mac === undefined ? {} : { sourceMac: Mac.format(link.mac) }),
        ...(destinationMac === undefined ? {} : { destinationMac: Mac.format(destinationMac) }),
      },
    };
    this.#hops.push(hop);
    switch (receiver.kind) {
      case "found": {
        const refusal = this.#checkTaker(steps, exit, receiver.port);
        if (refusal !== undefined) return { at: place.name, ...refusal };
        if (receiver.note !== undefined) steps.push({ kind: "note", text: receiver.note });
        return receiver.port;
      }
      case "nobody":
        return { at: place.name, ...lost(receiver.reason, receiver.text, receiver.hint) };
      case "unknown":
        return this.#unknown(receiver.place, link);
      case "unseen":
        return this.#unseen(place, exit, packet);
    }
  }

  /** Whether who is there takes frames to the next hop's address: it has it, answers for it, or is known not to. */
  #checkTaker(
    steps: TraceStep[],
    { nextHop, mac, link }: Sent,
    { place, link: far }: Port,
  ): ReturnType<typeof lost> | undefined {
    const { state } = place;
    const address = IpAddress.format(nextHop);
    if (mac !== undefined && far.mac !== undefined && mac !== far.mac) {
      const text = `the neighbour entry for ${address} on ${link.name} says ${Mac.format(mac)}, but ${far.name} of ${place.name.name} is ${Mac.format(far.mac)}: the frame is not taken`;
      return lost("neighbour-wrong", text, `delete the entry: ip neigh del ${address} dev ${link.name}`);
    }
    if (state === undefined) return undefined;
    if (state.addresses.some((one) => one.address === nextHop)) {
      if (IpAddress.isIpv6(nextHop) && Ipv6.isLinkLocal(nextHop)) {
        steps.push({
          kind: "note",
          text: `${address} is the own address of ${far.name} of ${place.name.name}`,
        });
      }
      return undefined;
    }
    const isIpv4 = IpAddress.isIpv4(nextHop);
    const setting = isIpv4 ? `ipv4/conf/${far.name}/proxy_arp` : `ipv6/conf/${far.name}/proxy_ndp`;
    const asks = isIpv4 ? "ARP" : "neighbour discovery";
    if (state.settings[setting] === "1") {
      const note = `nobody has ${address}: ${far.name} of ${place.name.name} answers ${asks} for it with its own address (proxy_${isIpv4 ? "arp" : "ndp"} is on), which is all that a gateway is needed for`;
      steps.push({
        kind: "proxy",
        address,
        device: far.name,
        mac: far.mac === undefined ? "" : Mac.format(far.mac),
        note,
      });
      return undefined;
    }
    if (mac !== undefined) return undefined;
    if (place.name.kind === "pod") {
      return lost(
        "no-pod",
        `${placeText(place.name)} is behind ${link.name}, but does not have ${address}: nobody answers ${asks}`,
        `the route is stale: caracal explain route ${address}`,
      );
    }
    const text = `nobody answers ${asks} for ${address} on ${link.name}: ${far.name} of ${place.name.name} does not have it, and ${setting.split("/").at(-1)} is off`;
    return lost(
      "no-answer",
      text,
      `sysctl -w net.${setting.replaceAll("/", ".")}=1; the daemon sets it when it makes the interface`,
    );
  }

  /** A place that could not be asked is the end, unless it is the pod that the packet is for and its cable leads there. */
  #unknown(place: Place, link: Link | undefined): TraceVerdict {
    this.#wantedPlaces.push(place.name);
    const because = place.unknownBecause ?? "it was not asked yet";
    const text = `${placeText(place.name)} cannot be looked into: ${because}`;
    const { expected } = this.#request;
    const isGoal = expected !== undefined && placeKey(expected) === placeKey(place.name);
    if (place.name.kind === "pod" && isGoal && link !== undefined) {
      this.#hops.push({ place: place.name, steps: [{ kind: "unseen", text }] });
      const assumption = `${placeText(place.name)} was not looked into; the packet was put on its cable`;
      return { kind: "delivered", at: place.name, assumptions: [...this.#assumptions, assumption] };
    }
    this.#hops.push({ place: place.name, steps: [{ kind: "unseen", text }] });
    return { kind: "out-of-sight", after: place.name, text, isExpected: false };
  }

  /** Routers that are not asked: what goes to a node's own address is taken to arrive there, as their sessions do. */
  #unseen(
    place: Place,
    { link, nextHop, route }: Sent,
    packet: Packet,
  ): { readonly place: Place; readonly link: Link } | TraceVerdict {
    const address = IpAddress.format(nextHop);
    const isDirect = nextHop === packet.destination;
    if (isDirect && link.kind === "veth" && isHostRoute(route.destination)) {
      const text = `the route to ${address} leads to ${link.name}, which is no known pod's`;
      return {
        at: place.name,
        ...lost(
          "no-pod",
          text,
          `the route is stale, or the pod's record is gone: caracal explain route ${address}`,
        ),
      };
    }
    const [port] = isDirect
      ? []
      : portsWith(this.#world, packet.destination).filter((one) => one.place !== place);
    const what = isDirect ? `${address} on ${link.name}` : `gateway ${address} on ${link.name}`;
    const { expected, pool } = this.#request;
    const stray =
      pool === undefined
        ? ""
        : `; ${IpAddress.format(packet.destination)} is in IPPool(${pool}), but no pod or node has it`;
    const text = `beyond our sight: ${what}${stray}`;
    const outside: PlaceName = { kind: "outside", name: what };
    this.#hops.push({ place: outside, steps: [{ kind: "unseen", text }] });
    // Whoever should have the address may not have been asked yet.
    const owner = isDirect ? undefined : recordedOwner(this.#world, packet.destination);
    if (port === undefined && owner !== undefined && owner.state === undefined && owner.name.kind !== "pod") {
      return this.#unknown(owner, undefined);
    }
    if (port === undefined) {
      return {
        kind: "out-of-sight",
        after: place.name,
        text,
        isExpected: expected === undefined && pool === undefined,
      };
    }
    const goal = `${IpAddress.format(packet.destination)} of ${port.place.name.name}`;
    this.#assumptions.push(`${what} knows the way to ${goal}`);
    return port;
  }

  #isLoop(place: Place, link: Link | undefined): boolean {
    const { source, destination, payload } = this.#packet;
    const key = [placeKey(place.name), link?.name, source, destination, payload?.packet.destination].join(
      " ",
    );
    if (this.#seen.has(key)) return true;
    this.#seen.add(key);
    return false;
  }
}

function isHostRoute({ family, length }: Prefix): boolean {
  return length === (family === 4 ? 32 : 128);
}
