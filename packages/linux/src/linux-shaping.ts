import {
  type ShapingKernel,
  type ShapingOperation,
  type ShapingState,
  shapingHandle,
} from "@caracal/dataplane";
import type { TokenBucket } from "@caracal/netlink";
import { KernelError } from "./kernel-error.ts";
import type { Rtnetlink } from "./rtnetlink.ts";

/** Traffic control of one network namespace, over netlink. */
export class LinuxShaping implements ShapingKernel {
  readonly #kernel: Rtnetlink;

  constructor(kernel: Rtnetlink) {
    this.#kernel = kernel;
  }

  readShaping(): ShapingState {
    const links = this.#kernel.links();
    const qdiscs = this.#kernel.qdiscs();
    const redirects = qdiscs
      .filter(({ place }) => place === "ingress")
      .flatMap(({ interfaceIndex }) => this.#redirects(interfaceIndex));
    return { links, qdiscs, redirects };
  }

  applyShaping(operation: ShapingOperation): void {
    switch (operation.kind) {
      case "shape":
        this.#shape(this.#index(operation.interfaceName), operation.bucket);
        return;
      case "unshape":
        this.#kernel.deleteQdisc({
          interfaceIndex: this.#index(operation.interfaceName),
          place: "root",
          handle: shapingHandle,
        });
        return;
      case "receive-through":
        this.#receiveThrough(operation.interfaceName, operation.deviceName, operation.bucket);
        return;
      case "receive-plainly":
        this.#dropIngress(this.#index(operation.interfaceName));
        return;
      case "remove-device":
        this.#kernel.deleteLink(operation.deviceName);
    }
  }

  #shape(interfaceIndex: number, bucket: TokenBucket): void {
    this.#kernel.setQdisc({ interfaceIndex, place: "root", handle: shapingHandle }, bucket);
  }

  /** The device shapes before anything is handed to it. */
  #receiveThrough(interfaceName: string, deviceName: string, bucket: TokenBucket): void {
    const interfaceIndex = this.#index(interfaceName);
    if (this.#kernel.link(deviceName) === undefined) {
      this.#kernel.addLink({ name: deviceName, details: { kind: "ifb" } });
    }
    const device = this.#index(deviceName);
    this.#shape(device, bucket);
    this.#kernel.setLink(device, { up: true });
    if (this.#redirects(interfaceIndex).some(({ toInterfaceIndex }) => toInterfaceIndex === device)) return;
    this.#dropIngress(interfaceIndex);
    this.#kernel.setQdisc({ interfaceIndex, place: "ingress", handle: 0 });
    this.#kernel.addRedirect({ interfaceIndex, toInterfaceIndex: device });
  }

  #dropIngress(interfaceIndex: number): void {
    this.#kernel.deleteQdisc({ interfaceIndex, place: "ingress", handle: 0 });
  }

  /** An interface that has gone meanwhile has none. */
  #redirects(interfaceIndex: number): ReturnType<Rtnetlink["redirects"]> {
    try {
      return this.#kernel.redirects(interfaceIndex);
    } catch (error) {
      if (error instanceof KernelError && (error.errno === "ENODEV" || error.errno === "EINVAL")) return [];
      throw error;
    }
  }

  #index(name: string): number {
    const link = this.#kernel.link(name);
    if (link === undefined) throw new KernelError("shaping", "ENODEV", `no interface ${name}`);
    return link.index;
  }
}
