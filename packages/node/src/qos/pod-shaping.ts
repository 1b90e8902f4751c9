import { type Clock, planShaping, type ShapedInterface, type ShapingKernel } from "@caracal/dataplane";
import { messageOf } from "@caracal/net";
import type { WorkloadEndpoint } from "@caracal/resources";
import type { Log } from "../observe/log.ts";
import { shapedInterfaces } from "./shaped-interfaces.ts";

export interface PodShapingOptions {
  readonly kernel: ShapingKernel;
  readonly clock: Clock;
  readonly log: Pick<Log, "warn">;
}

/** Another plugin of the pod's chain may shape a new interface, `bandwidth` does: it goes first. */
const chainMs = 1_000;
/** What someone else changed is put right after so long at most, and what failed is tried again. */
const lookAgainMs = 30_000;
/** Changes of endpoints are gathered for so long. */
const gatherMs = 50;

/** Keeps pods to the bandwidth that their endpoints allow. */
export class PodShaping implements Disposable {
  readonly #options: PodShapingOptions;
  #wanted: readonly ShapedInterface[] = [];
  /** When each interface was first seen; those that were there at the start have no chain to wait for. */
  readonly #seenMs = new Map<number, number>();
  #hasLooked = false;
  /** Whether there is or was anything to look after: nodes without limits never ask the kernel. */
  #isInUse = true;
  #told = new Set<string>();
  #callOff: (() => void) | undefined;

  constructor(options: PodShapingOptions) {
    this.#options = options;
  }

  /** The node's endpoints as they are now. */
  set(endpoints: readonly WorkloadEndpoint[]): void {
    const wanted = shapedInterfaces(endpoints);
    if (wanted.length === 0 && !this.#isInUse) return;
    this.#wanted = wanted;
    this.#lookIn(gatherMs);
  }

  [Symbol.dispose](): void {
    this.#callOff?.();
  }

  #lookIn(delayMs: number): void {
    this.#callOff?.();
    this.#callOff = this.#options.clock.after(delayMs, () => this.#look());
  }

  #look(): void {
    this.#callOff = undefined;
    const failures = new Set<string>();
    let waitMs = lookAgainMs;
    try {
      waitMs = this.#reconcile(failures);
    } catch (error) {
      failures.add(`the bandwidth of pods cannot be looked at: ${messageOf(error)}`);
    }
    for (const failure of failures) if (!this.#told.has(failure)) this.#options.log.warn(failure);
    this.#told = failures;
    this.#isInUse = this.#wanted.length > 0 || failures.size > 0;
    if (this.#isInUse) this.#lookIn(waitMs);
  }

  /** Gives the time until the next look. */
  #reconcile(failures: Set<string>): number {
    const { kernel, clock } = this.#options;
    const state = kernel.readShaping();
    const nowMs = clock.now();
    const present = new Set(state.links.map(({ index }) => index));
    for (const index of this.#seenMs.keys()) if (!present.has(index)) this.#seenMs.delete(index);
    for (const index of present) {
      if (!this.#seenMs.has(index)) this.#seenMs.set(index, this.#hasLooked ? nowMs : nowMs - chainMs);
    }
    this.#hasLooked = true;
    let waitMs = lookAgainMs;
    const seenMs = new Map(state.links.map(({ name, index }) => [name, this.#seenMs.get(index) ?? nowMs]));
    const ready = this.#wanted.filter(({ name }) => {
      const leftMs = (seenMs.get(name) ?? nowMs) + chainMs - nowMs;
      if (leftMs <= 0) return true;
      waitMs = Math.min(waitMs, leftMs);
      return false;
    });
    const { operations, foreign } = planShaping(ready, state);
    for (const name of foreign)
      failures.add(`${name} is shaped by someone else: its pod's limits are left to them`);
    for (const operation of operations) {
      try {
        kernel.applyShaping(operation);
      } catch (error) {
        const name = "interfaceName" in operation ? operation.interfaceName : operation.deviceName;
        failures.add(`the bandwidth of ${name} could not be set: ${messageOf(error)}`);
      }
    }
    return waitMs;
  }
}
