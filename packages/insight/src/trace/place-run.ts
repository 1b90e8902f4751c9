import { type FilterHook, type Lookup, lookUp, type NetworkState } from "@caracal/forwarding";
import { IpAddress, type Prefix } from "@caracal/net";
import { type Link, Mac, NeighbourState, type Route, RouteType } from "@caracal/netlink";
import { runHook } from "./filter-step.ts";
import { doesNotFit, type Loss, lost, noRoute, notForwarding, refused } from "./losses.ts";
import { encapsulated, innermost, type Packet } from "./packet.ts";
import { routeStep } from "./route-step.ts";
import { openTunnel, outerOf } from "./tunnel-input.ts";
import type { TraceStep } from "./trace-result.ts";
import { fromTunnel } from "./tunnel-output.ts";
import type { WalkLedger } from "./walk-ledger.ts";
import { chooseSource, isLoopback, linkOf, needsNoNeighbour, type Place, whyDown } from "./world.ts";

/** How a packet leaves a place, or does not. */
export type Exit =
  | {
      readonly kind: "sent";
      readonly link: Link;
      readonly mtu: number;
      readonly nextHop: IpAddress;
      /** Where the next hop is by the neighbour table, if it says so. */
      readonly mac?: Mac;
      readonly packet: Packet;
      /** The route that it left by. */
      readonly route: Route;
    }
  | { readonly kind: "delivered"; readonly packet: Packet }
  | { readonly kind: "unseen"; readonly text: string; readonly packet: Packet }
  | (Loss & { readonly packet: Packet });

type Found = Extract<Lookup, { kind: "found" }>;

/** Tunnels in tunnels deeper than this are a loop. */
const maxTunnels = 4;

/** What one place does with one packet, from its coming in to its going out, as the kernel does it. */
export class PlaceRun {
  readonly steps: TraceStep[] = [];
  /** The address that the place sends with, once it has chosen one. */
  source: IpAddress | undefined;
  readonly #place: Place;
  readonly #state: NetworkState;
  readonly #ledger: WalkLedger;
  /** The prefix of the route that led here. */
  readonly #via: Prefix | undefined;
  #tunnelCount = 0;

  constructor(place: Place, state: NetworkState, ledger: WalkLedger, via?: Prefix) {
    this.#place = place;
    this.#state = state;
    this.#ledger = ledger;
    this.#via = via;
  }

  /** The place itself sends the packet; without a source it takes one of its own addresses, as the kernel does. */
  originate(draft: Packet, hasSource: boolean): Exit {
    const first = this.#lookUp(draft, undefined, hasSource);
    if (first.kind !== "found") return this.#notFound(first, draft);
    const source = hasSource ? draft.source : this.#sourceFor(first, draft.destination);
    this.source = source;
    const packet = { ...draft, source: source ?? draft.source };
    const own = this.#ledger.revertDestination(this.#place.name, packet, this.steps);
    const output = this.#hook("output", own, { output: this.#linkOfRoute(first)?.name });
    if ("kind" in output) return output;
    if (output.destination === draft.destination) return this.#send(output, first, true);
    const again = this.#lookUp(output, undefined, true);
    return again.kind === "found" ? this.#send(output, again, true) : this.#notFound(again, output);
  }

  /** The packet comes in by an interface. */
  receive(link: Link, arriving: Packet): Exit {
    const reverted = this.#ledger.revertDestination(this.#place.name, arriving, this.steps);
    const packet = this.#hook("prerouting", reverted, { input: link.name });
    if ("kind" in packet) return packet;
    const strange = this.#checkReversePath(link, packet);
    if (strange !== undefined) return { ...strange, packet };
    const found = this.#lookUp(packet, link.name, true);
    if (found.kind !== "found") return this.#notFound(found, packet);
    if (isForOneself(found.match.route)) return this.#deliver(link, packet);
    const setting = IpAddress.isIpv4(packet.destination)
      ? `ipv4/conf/${link.name}/forwarding`
      : "ipv6/conf/all/forwarding";
    if (this.#state.settings[setting] === "0") {
      return { ...notForwarding(this.#place.name, packet.destination, setting), packet };
    }
    const output = this.#linkOfRoute(found)?.name;
    const forwarded = this.#hook("forward", packet, { input: link.name, output });
    if ("kind" in forwarded) return forwarded;
    return this.#send(forwarded, found, false);
  }

  #deliver(link: Link, arrived: Packet): Exit {
    const reverted = this.#ledger.revertSource(this.#place.name, arrived, this.steps);
    const packet = this.#hook("input", reverted, { input: link.name });
    if ("kind" in packet) return packet;
    const { payload } = packet;
    if (payload === undefined) {
      this.steps.push({ kind: "deliver", address: IpAddress.format(packet.destination), device: link.name });
      return { kind: "delivered", packet };
    }
    const opened = openTunnel(this.#state, this.#place.name, packet, payload);
    if ("reason" in opened) return { ...opened, packet };
    const { tunnel } = payload;
    this.steps.push({ kind: "decapsulate", tunnel, device: opened.name, outer: outerOf(packet, payload) });
    return this.receive(opened, payload.packet);
  }

  /** Out by the route, into a tunnel if its interface is one. */
  #send(packet: Packet, found: Found, isOwn: boolean): Exit {
    const { route } = found.match;
    this.steps.push(routeStep(this.#state, packet.destination, found, packet.payload !== undefined));
    if (isForOneself(route)) {
      // Whatever interface has the address, a packet for oneself goes by the loopback.
      const loopback = this.#state.links.find(isLoopback);
      return loopback === undefined ? { kind: "delivered", packet } : this.#deliver(loopback, packet);
    }
    const hop = this.#chooseHop(route);
    const link = linkOf(this.#state, hop?.interfaceIndex);
    if (hop === undefined || link === undefined) {
      return {
        ...lost("link-gone", `the route's interface does not exist on ${this.#place.name.name}`),
        packet,
      };
    }
    const down = whyDown(link);
    if (down !== undefined) return { ...this.#linkDown(link, down), packet };
    const mtu = Math.min(route.mtu ?? link.mtu, link.mtu);
    const tooLarge = this.#checkSize(packet, link, mtu, isOwn);
    if (tooLarge !== undefined) return { ...tooLarge, packet };
    const nextHop = hop.gateway ?? packet.destination;
    const source = chooseSource(this.#state, link, nextHop);
    const translated = this.#hook("postrouting", packet, { output: link.name }, source);
    if ("kind" in translated) return translated;
    const leaving = this.#ledger.revertSource(this.#place.name, translated, this.steps);
    const tunnel = fromTunnel(this.#state, link, hop.gateway, leaving);
    if (tunnel !== undefined) return this.#tunnel(tunnel, leaving);
    const mac = this.#resolve(link, nextHop);
    if (typeof mac === "object") return { ...mac, packet: leaving };
    return {
      kind: "sent",
      link,
      mtu,
      nextHop,
      packet: leaving,
      route,
      ...(mac === undefined ? {} : { mac }),
    };
  }

  /** With its outer headers the packet is a new one, that the place itself sends. */
  #tunnel(tunnel: NonNullable<ReturnType<typeof fromTunnel>>, packet: Packet): Exit {
    this.steps.push(...tunnel.steps);
    if (tunnel.kind !== "into") return { ...tunnel, packet };
    this.#tunnelCount += 1;
    if (this.#tunnelCount > maxTunnels) {
      return { ...lost("loop", `the tunnels of ${this.#place.name.name} lead into each other`), packet };
    }
    const { payload, device, port, remote, local } = tunnel;
    const draft = encapsulated(payload, { source: local ?? remote, destination: remote }, port);
    const found = this.#lookUp(draft, undefined, local !== undefined);
    if (found.kind !== "found") return this.#notFound(found, draft);
    const outer = { ...draft, source: local ?? this.#sourceFor(found, remote) ?? draft.source };
    this.steps.push({
      kind: "encapsulate",
      tunnel: payload.tunnel,
      device,
      outer: outerOf(outer, payload),
      overheadBytes: outer.bytes - packet.bytes,
      bytes: outer.bytes,
    });
    const output = this.#hook("output", outer, { output: this.#linkOfRoute(found)?.name });
    return "kind" in output ? output : this.#send(output, found, false);
  }

  /** `undefined`: not known yet, the kernel will ask. */
  #resolve(link: Link, nextHop: IpAddress): Mac | undefined | Loss {
    if (needsNoNeighbour(link)) return undefined;
    const entry = this.#state.neighbours.find(
      (one) => one.interfaceIndex === link.index && one.address === nextHop,
    );
    const address = IpAddress.format(nextHop);
    const isFailed = entry !== undefined && (entry.state & NeighbourState.NUD_FAILED) !== 0;
    const state = entry === undefined ? "none" : stateText(entry.state);
    const note =
      entry === undefined || (entry.mac === undefined && !isFailed)
        ? `no entry yet: the kernel asks by ${IpAddress.isIpv4(nextHop) ? "ARP" : "neighbour discovery"}`
        : undefined;
    this.steps.push({
      kind: "neighbour",
      address,
      device: link.name,
      ...(entry?.mac === undefined ? {} : { mac: Mac.format(entry.mac) }),
      state,
      ...(note === undefined ? {} : { note }),
    });
    if (!isFailed) return entry?.mac;
    return lost(
      "neighbour-failed",
      `nobody answers for ${address} on ${link.name} (neighbour entry FAILED)`,
      `check that ${address} is up and in the same network as ${link.name}`,
    );
  }

  #lookUp(packet: Packet, inputInterface: string | undefined, hasSource: boolean): Lookup {
    this.#ledger.need(packet.destination);
    const { destination, source, mark, protocol } = packet;
    const lookup = lookUp(this.#state, {
      destination,
      mark,
      ipProtocol: protocol,
      ...(hasSource ? { source } : {}),
      ...(inputInterface === undefined ? {} : { inputInterface }),
    });
    for (const { rule, isUncertain } of lookup.asked) {
      if (isUncertain !== true) continue;
      this.steps.push({
        kind: "note",
        text: `routing rule ${rule.priority} looks at more than is known here; taken not to match`,
      });
    }
    return lookup;
  }

  #notFound(lookup: Exclude<Lookup, Found>, packet: Packet): Exit {
    const { name } = this.#place;
    if (lookup.kind === "none") return { ...noRoute(name, packet.destination, this.#via), packet };
    return { ...refused(lookup.how, name, packet.destination, lookup.match?.route.destination), packet };
  }

  /** RFC 3704: packets are only taken from where answers would go. */
  #checkReversePath(link: Link, { source, destination, mark }: Packet): Loss | undefined {
    if (!IpAddress.isIpv4(source)) return undefined;
    const { settings } = this.#state;
    const [all = 0, own = 0] = ["all", link.name].map((name) =>
      Number(settings[`ipv4/conf/${name}/rp_filter`] ?? 0),
    );
    const mode = Math.max(all, own);
    if (mode === 0) return undefined;
    this.#ledger.need(source);
    const back = lookUp(this.#state, { destination: source, source: destination, mark });
    const hops = back.kind === "found" ? back.match.route.nextHops : [];
    const isBack = hops.some(({ interfaceIndex }) => interfaceIndex === link.index);
    if (mode === 2 ? hops.length > 0 : isBack) return undefined;
    const [hop] = hops;
    const way =
      hop === undefined
        ? "there is no way back to it"
        : `the way back to it is ${linkOf(this.#state, hop.interfaceIndex)?.name ?? "another interface"}`;
    return lost(
      "reverse-path",
      `${link.name} takes no packet from ${IpAddress.format(source)}: ${way} (rp_filter ${mode})`,
      `give ${this.#place.name.name} a route to ${IpAddress.format(source)} by ${link.name}, or loosen net.ipv4.conf.${link.name}.rp_filter`,
    );
  }

  #checkSize(packet: Packet, link: Link, mtu: number, isOwn: boolean): Loss | undefined {
    const { bytes } = packet;
    this.#ledger.noteMtu(mtu - (bytes - innermost(packet).bytes));
    if (bytes <= mtu) return undefined;
    this.steps.push({ kind: "mtu", device: link.name, mtu, bytes });
    if (packet.dontFragment) return doesNotFit(this.#place.name, link.name, mtu, bytes, isOwn);
    this.steps.push({ kind: "note", text: `it is sent in fragments of ${mtu} bytes` });
    return undefined;
  }

  /** Of several ways only those whose interfaces are up count, as for the kernel. */
  #chooseHop({ nextHops }: Route): Route["nextHops"][number] | undefined {
    const usable = nextHops.filter(({ interfaceIndex }) => {
      const link = linkOf(this.#state, interfaceIndex);
      return link !== undefined && whyDown(link) === undefined;
    });
    if (usable.length < 2) return usable[0] ?? nextHops[0];
    const ways = usable.map(({ gateway, interfaceIndex }) => {
      const device = linkOf(this.#state, interfaceIndex)?.name ?? "";
      return `${gateway === undefined ? "" : `via ${IpAddress.format(gateway)} `}dev ${device}`;
    });
    const taken = this.#ledger.chooseWay(this.#place.name, ways);
    const text = `one of ${ways.length} equal ways, by the hash of the flow; followed ${ways[taken] ?? ""}`;
    this.steps.push({ kind: "note", text });
    return usable[taken];
  }

  #linkOfRoute({ match }: Found): Link | undefined {
    return linkOf(this.#state, match.route.nextHops[0]?.interfaceIndex);
  }

  #sourceFor(found: Found, destination: IpAddress): IpAddress | undefined {
    const { route } = found.match;
    if (isForOneself(route)) return destination;
    const link = this.#linkOfRoute(found);
    const target = route.nextHops[0]?.gateway ?? destination;
    return (
      route.preferredSource ?? (link === undefined ? undefined : chooseSource(this.#state, link, target))
    );
  }

  #linkDown(link: Link, why: string): Loss {
    const { name } = this.#place.name;
    return lost(
      "link-down",
      `${link.name} of ${name} ${why}`,
      `ip link set ${link.name} up, and look at its other end`,
    );
  }

  #hook(
    hook: FilterHook,
    packet: Packet,
    devices: { readonly input?: string; readonly output?: string | undefined },
    masqueradeAs?: IpAddress,
  ): Packet | Exit {
    const { input, output } = devices;
    const result = runHook(this.#state, hook, packet, {
      ...(input === undefined ? {} : { inputInterface: input }),
      ...(output === undefined ? {} : { outputInterface: output }),
      masqueradeAs,
    });
    this.steps.push(...result.steps);
    if (result.kind === "lost") return { ...result.loss, packet };
    this.#ledger.noteTranslation(this.#place.name, packet, result.packet);
    return result.packet;
  }
}

/** The place itself takes the packet: it has the address, alone or with others. */
function isForOneself({ type }: Route): boolean {
  return type === RouteType.RTN_LOCAL || type === RouteType.RTN_BROADCAST || type === RouteType.RTN_ANYCAST;
}

function stateText(bits: number): string {
  const names = Object.entries(NeighbourState).filter(([, bit]) => (bits & bit) !== 0);
  return names.map(([name]) => name.replace("NUD_", "")).join(",") || "NONE";
}
