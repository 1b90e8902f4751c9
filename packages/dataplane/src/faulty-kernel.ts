import type { InterfaceAddress, Link, Neighbour, NeighbourTable, Route } from "@caracal/netlink";
import type { Kernel, KernelNotice, RouteOperation, RouteOutcome } from "./kernel.ts";

/** What a fault may hit. */
export type KernelStep = "dumpRoutes" | "dumpLinks" | "apply" | RouteOperation["kind"];

/**
 * A kernel with faults, for tests: it passes everything on to another, except for the steps that its list makes fail.
 * A failing dump or apply is rejected; a failing operation is not carried out and its outcome says so.
 */
export class FaultyKernel implements Kernel {
  readonly #kernel: Kernel;
  readonly #fails: (step: KernelStep, route?: Route) => boolean;

  constructor(kernel: Kernel, fails: (step: KernelStep, route?: Route) => boolean) {
    this.#kernel = kernel;
    this.#fails = fails;
  }

  async dumpRoutes(): Promise<readonly Route[]> {
    if (this.#fails("dumpRoutes")) throw new Error("injected: the dump was torn");
    return await this.#kernel.dumpRoutes();
  }

  async dumpLinks(): Promise<readonly Link[]> {
    if (this.#fails("dumpLinks")) throw new Error("injected: the dump was torn");
    return await this.#kernel.dumpLinks();
  }

  dumpAddresses(): Promise<readonly InterfaceAddress[]> {
    return this.#kernel.dumpAddresses();
  }

  dumpNeighbours(table?: NeighbourTable, interfaceIndex?: number): Promise<readonly Neighbour[]> {
    return this.#kernel.dumpNeighbours(table, interfaceIndex);
  }

  async applyRoutes(operations: readonly RouteOperation[]): Promise<readonly RouteOutcome[]> {
    const hit = operations.map(({ kind, route }) => this.#fails(kind, route));
    const outcomes = await this.#kernel.applyRoutes(operations.filter((_, index) => hit[index] !== true));
    // The worst place: the work is done, and the answer is lost.
    if (this.#fails("apply")) throw new Error("injected: the answers were lost");
    let next = 0;
    return hit.map((isHit) => {
      const outcome = isHit ? undefined : outcomes[next++];
      return outcome ?? { kind: "failed", errno: "ENOMEM", detail: "injected" };
    });
  }

  subscribe(listener: (notice: KernelNotice) => void): () => void {
    return this.#kernel.subscribe(listener);
  }
}
