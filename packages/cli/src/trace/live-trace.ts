import { randomBytes, randomUUID } from "node:crypto";
import { setTimeout as delay } from "node:timers/promises";
import { type ProbePorts, probeMarkBytes, probePacket } from "@caracal/forwarding";
import {
  compareLive,
  type LiveResult,
  type LiveSighting,
  type PacketSpec,
  type Place,
  type PlaceName,
  placeKey,
  sourcePort,
  type TraceRequest,
} from "@caracal/insight";
import { ProbeWatch, sendRawPacket } from "@caracal/linux";
import { IpAddress, messageOf } from "@caracal/net";
import {
  type Answer,
  askNodes,
  probeMethods,
  probeOpeningJson,
  type ProbePod,
  probeSendingJson,
  readProbeOpened,
  readSightings,
} from "@caracal/questions";
import type { TracedCluster, TraceSources } from "./trace-cluster.ts";

/** How long the packet is waited for: it may have to ask for hardware addresses on its way. */
const travelMs = 1_200;
const answerWaitMs = 3_000;
/** Where traceroute begins: nobody listens there. */
const unusedPort = 33_434;

/** Sends the packet that was followed on paper, for real, and holds its way against what was expected. */
export async function liveTrace(
  sources: TraceSources,
  traced: TracedCluster,
  request: TraceRequest,
): Promise<LiveResult> {
  const { forward, back } = traced.report;
  const names = new Map<string, PlaceName>();
  const hops = [...forward.hops, ...(back?.hops ?? [])].map(({ place }) => place);
  for (const name of [
    ...hops,
    request.from.place,
    ...(request.to.place === undefined ? [] : [request.to.place]),
  ]) {
    if (name.kind !== "outside") names.set(placeKey(name), name);
  }
  for (const { name } of traced.world.places) if (name.kind === "switch") names.set(placeKey(name), name);
  await using probe = new LiveProbe(sources, traced.world.places, request);
  await probe.watch([...names.values()]);
  const sendFailure = await probe.send(forward.source);
  if (sendFailure === undefined) await delay(travelMs);
  const sightings = await probe.sightings();
  const { unwatched } = probe;
  return compareLive(forward, request.to.place, {
    sightings,
    unwatched,
    ...(sendFailure === undefined ? {} : { sendFailure }),
  });
}

/** One packet in the making: who watches for it, and who sends it. */
class LiveProbe implements AsyncDisposable {
  readonly #sources: TraceSources;
  readonly #places: readonly Place[];
  readonly #request: TraceRequest;
  readonly #id = randomUUID();
  readonly #mark = Uint8Array.from(randomBytes(probeMarkBytes));
  readonly #ports: ProbePorts;
  /** For namespaces of this machine's lab. */
  readonly #direct: ProbeWatch;
  readonly #nodes = new Map<string, readonly ProbePod[]>();
  readonly unwatched: { readonly place: PlaceName; readonly because: string }[] = [];

  constructor(sources: TraceSources, places: readonly Place[], request: TraceRequest) {
    this.#sources = sources;
    this.#places = places;
    this.#request = request;
    this.#ports = { source: sourcePort, destination: request.packet.port ?? unusedPort };
    this.#direct = new ProbeWatch(this.#mark, this.#ports);
  }

  async watch(names: readonly PlaceName[]): Promise<void> {
    const nodes = new Set(names.flatMap(({ kind, name, node }) => (kind === "node" ? [name] : (node ?? []))));
    await Promise.all([...nodes].map((node) => this.#watchNode(node, names)));
    for (const name of names) if (name.kind === "switch") this.#watchDirectly(name, "it runs no daemon");
  }

  /** Why it could not be sent, or nothing. */
  async send(source: IpAddress | undefined): Promise<string | undefined> {
    const { from, to, family, packet } = this.#request;
    const destination = to.addresses.find((one) => IpAddress.family(one) === family);
    if (source === undefined || destination === undefined) return "its sender has no address to send from";
    const { place } = from;
    const node = place.kind === "pod" ? place.node : place.name;
    const pods = node === undefined ? undefined : this.#nodes.get(node);
    const { protocol, bytes } = packet;
    if (node === undefined || pods === undefined) {
      return this.#sendDirectly(place, { source, destination, protocol, bytes });
    }
    const pod = pods.find(({ name }) => place.kind === "pod" && name === place.name);
    if (place.kind === "pod" && pod === undefined) return `${place.name} is not known to its node`;
    const ends = { id: this.#id, source, destination, protocol, bytes };
    const params = probeSendingJson({ ...ends, ...(pod === undefined ? {} : { pod }) });
    const answer = await this.#ask(node, probeMethods.send, params);
    return answer?.kind === "result" ? undefined : failureOf(answer);
  }

  async sightings(): Promise<readonly LiveSighting[]> {
    const found: LiveSighting[] = [];
    const place = (key: string): PlaceName | undefined =>
      this.#places.find(({ name }) => placeKey(name) === key)?.name;
    for (const { place: key, ...seen } of this.#direct.sightings()) {
      const name = place(key);
      if (name !== undefined) found.push({ ...seen, place: name });
    }
    const nodes = [...this.#nodes.keys()];
    this.#nodes.clear();
    await Promise.all(
      nodes.map(async (node) => {
        const answer = await this.#ask(node, probeMethods.close, { id: this.#id });
        const sightings = answer?.kind === "result" ? readSightings(answer.result) : undefined;
        if (sightings === undefined) {
          this.unwatched.push({ place: { kind: "node", name: node }, because: failureOf(answer) });
        }
        for (const { place: pod, ...seen } of sightings ?? []) {
          const name: PlaceName =
            pod === "" ? { kind: "node", name: node } : { kind: "pod", name: pod, node };
          found.push({ ...seen, place: name });
        }
      }),
    );
    return found;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#direct.close();
    // Whoever was asked to watch and not yet asked what it saw; its own clock would end it too.
    const nodes = [...this.#nodes.keys()];
    await Promise.all(nodes.map((node) => this.#ask(node, probeMethods.close, { id: this.#id })));
  }

  async #watchNode(node: string, names: readonly PlaceName[]): Promise<void> {
    const own: PlaceName = { kind: "node", name: node };
    const pods = names.filter((name) => name.kind === "pod" && name.node === node);
    const known = pods.flatMap(({ name }): readonly ProbePod[] => {
      const key = placeKey({ kind: "pod", name });
      const { hostInterface } = this.#places.find((place) => placeKey(place.name) === key) ?? {};
      return hostInterface === undefined ? [] : [{ name, interfaceName: hostInterface }];
    });
    const params = probeOpeningJson({ id: this.#id, mark: this.#mark, ports: this.#ports, pods: known });
    const answer = await this.#ask(node, probeMethods.open, params);
    const opened = answer?.kind === "result" ? readProbeOpened(answer.result) : undefined;
    if (opened === undefined) {
      for (const name of [own, ...pods]) this.#watchDirectly(name, failureOf(answer));
      return;
    }
    this.#nodes.set(node, known);
    for (const { place, because } of opened.failed) {
      const name: PlaceName = place === "" ? own : { kind: "pod", name: place, node };
      this.#watchDirectly(name, because);
    }
  }

  /** Where a lab of this machine has the namespace; else it is said that nobody watches there. */
  #watchDirectly(name: PlaceName, otherwise: string): void {
    const namespace = this.#sources.lab?.namespaceOf(name);
    if (namespace === undefined) {
      this.unwatched.push({ place: name, because: otherwise });
      return;
    }
    try {
      this.#direct.add(placeKey(name), namespace);
    } catch (error) {
      this.unwatched.push({ place: name, because: messageOf(error) });
    }
  }

  #sendDirectly(
    place: PlaceName,
    ends: { readonly source: IpAddress; readonly destination: IpAddress } & PacketSpec,
  ): string | undefined {
    const namespace = this.#sources.lab?.namespaceOf(place);
    if (namespace === undefined) return "the sender's daemon does not answer";
    const { source, destination, protocol, bytes } = ends;
    const ports = { sourcePort: this.#ports.source, destinationPort: this.#ports.destination };
    try {
      const packet = probePacket({ source, destination, protocol, bytes, mark: this.#mark, ...ports });
      sendRawPacket(packet, destination, namespace);
      return undefined;
    } catch (error) {
      return messageOf(error);
    }
  }

  async #ask(node: string, method: string, params: unknown): Promise<Answer | undefined> {
    const { store } = this.#sources;
    return (await askNodes(store, { method, params, nodes: [node], waitMs: answerWaitMs })).get(node);
  }
}

function failureOf(answer: Answer | undefined): string {
  if (answer === undefined) return `its daemon did not answer within ${answerWaitMs / 1000} s`;
  if (answer.kind === "result") return "its daemon answered what is not understood";
  return answer.code === "unknown-method" ? "its daemon is older than this question" : answer.message;
}
