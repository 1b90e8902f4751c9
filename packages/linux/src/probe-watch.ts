import { type ProbePorts, readFrame, type SeenFrame } from "@caracal/forwarding";
import type { NamespaceTarget } from "./namespace.ts";
import { PacketCapture } from "./packet-capture.ts";

/** More sightings than this of one probe are a loop. */
const maxSightings = 500;

/** A probe, an answer to it, or an error about it, as it went through an interface. */
export interface ProbeSighting {
  /** Where, as the watch was told. */
  readonly place: string;
  readonly device: string;
  readonly direction: "in" | "out";
  readonly frame: SeenFrame;
}

/** Captures of one probe in several namespaces. */
export class ProbeWatch implements Disposable {
  readonly #mark: Uint8Array;
  readonly #ports: ProbePorts;
  readonly #captures: { readonly place: string; readonly capture: PacketCapture }[] = [];

  constructor(mark: Uint8Array, ports: ProbePorts) {
    this.#mark = mark;
    this.#ports = ports;
  }

  /** Begins to watch a namespace, by default the thread's own. Throws `KernelError`. */
  add(place: string, namespace?: NamespaceTarget): void {
    this.#captures.push({ place, capture: PacketCapture.open(this.#mark, namespace) });
  }

  /** Everything that was seen since the last call. */
  sightings(): readonly ProbeSighting[] {
    const found = this.#captures.flatMap(({ place, capture }) =>
      capture.drain().flatMap(({ device, direction, hardwareType, bytes }): readonly ProbeSighting[] => {
        const frame = readFrame(bytes, hardwareType, this.#ports);
        return frame === undefined ? [] : [{ place, device, direction, frame }];
      }),
    );
    return found.slice(0, maxSightings);
  }

  close(): void {
    for (const { capture } of this.#captures.splice(0)) capture.close();
  }

  [Symbol.dispose](): void {
    this.close();
  }
}
