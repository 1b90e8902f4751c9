import { probePacket } from "@caracal/forwarding";
import { findLinkedNamespace, type Namespace, ProbeWatch, Rtnetlink, sendRawPacket } from "@caracal/linux";
import { type IpAddress, messageOf } from "@caracal/net";
import {
  type ProbeOpened,
  type ProbeOpening,
  type ProbePod,
  probeWatchMs,
  readProbeOpening,
  readProbeSending,
} from "@caracal/questions";

/** Watches at once; a person follows one packet at a time. */
const maxWatches = 8;
const maxPods = 8;

interface OpenWatch {
  readonly opening: ProbeOpening;
  readonly watch: ProbeWatch;
  readonly ending: NodeJS.Timeout;
}

/** The node's part in following real packets: it watches for a marked one, and sends it as the node or one of its pods. */
export class TraceProbes implements Disposable {
  readonly #watches = new Map<string, OpenWatch>();

  /** Answers `trace.probe.open`. */
  open(params: unknown): ProbeOpened {
    const opening = readProbeOpening(params);
    if (opening === undefined) throw new Error("the question does not say what to watch for");
    if (this.#watches.size >= maxWatches) throw new Error(`${maxWatches} packets are being followed already`);
    this.#end(opening.id);
    const watch = new ProbeWatch(opening.mark, opening.ports);
    const ending = setTimeout(() => this.#end(opening.id), probeWatchMs);
    ending.unref();
    this.#watches.set(opening.id, { opening, watch, ending });
    const failed = [
      ...attempt("", () => watch.add("")),
      ...opening.pods.slice(0, maxPods).flatMap((pod) =>
        attempt(pod.name, () => {
          using namespace = namespaceOf(pod);
          watch.add(pod.name, namespace);
        }),
      ),
    ];
    return { failed };
  }

  /** Answers `trace.probe.send`: only probes, only from own addresses, only what somebody watches for. */
  send(params: unknown): unknown {
    const sending = readProbeSending(params);
    if (sending === undefined) throw new Error("the question does not say what to send");
    const opened = this.#watches.get(sending.id);
    if (opened === undefined) throw new Error("nobody watches for this packet any more");
    const { mark, ports } = opened.opening;
    const { pod, source, destination, protocol, bytes } = sending;
    using namespace = pod === undefined ? undefined : namespaceOf(pod);
    checkOwn(source, namespace);
    const ends = { source, destination, sourcePort: ports.source, destinationPort: ports.destination };
    sendRawPacket(probePacket({ ...ends, protocol, bytes, mark }), destination, namespace);
    return { sent: true };
  }

  /** Answers `trace.probe.close`: what was seen. */
  close(params: unknown): unknown {
    const id: unknown = typeof params === "object" && params !== null ? Reflect.get(params, "id") : undefined;
    const opened = typeof id === "string" ? this.#watches.get(id) : undefined;
    if (opened === undefined) throw new Error("nobody watches for this packet any more");
    const sightings = opened.watch.sightings();
    this.#end(opened.opening.id);
    return { sightings };
  }

  [Symbol.dispose](): void {
    for (const id of this.#watches.keys()) this.#end(id);
  }

  #end(id: string): void {
    const opened = this.#watches.get(id);
    if (opened === undefined) return;
    clearTimeout(opened.ending);
    opened.watch.close();
    this.#watches.delete(id);
  }
}

function attempt(place: string, work: () => void): ProbeOpened["failed"] {
  try {
    work();
    return [];
  } catch (error) {
    return [{ place, because: messageOf(error) }];
  }
}

function namespaceOf({ interfaceName }: ProbePod): Namespace {
  using tables = Rtnetlink.open();
  const link = tables.link(interfaceName);
  const namespace = link === undefined ? undefined : findLinkedNamespace(tables.socket, link);
  if (namespace === undefined) throw new Error(`the namespace behind ${interfaceName} cannot be found`);
  return namespace;
}

function checkOwn(source: IpAddress, namespace: Namespace | undefined): void {
  using tables = Rtnetlink.open(namespace);
  if (!tables.addresses().some(({ address }) => address === source)) {
    throw new Error("a probe has an address of its sender as its source");
  }
}
