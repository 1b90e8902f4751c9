import type { Clock } from "@caracal/dataplane";
import type { Lingering } from "@caracal/intent";
import type { IpFamily } from "@caracal/net";
import { type IpPool, poolFamily } from "@caracal/resources";

/** How long a node takes packets by an encapsulation that no pool asks for any more: others may hear of that later. */
export const lingerMs = 60_000;

type Encapsulation = "ipip" | "vxlan4" | "vxlan6";

/** Remembers which encapsulations pools asked for until a moment ago. */
export class EncapsulationMemory {
  readonly #clock: Clock;
  readonly #onChange: () => void;
  #used: ReadonlySet<Encapsulation> = new Set();
  /** Each until when. */
  readonly #former = new Map<Encapsulation, number>();
  #callOff: (() => void) | undefined;

  /** `onChange` hears when something has lingered long enough. */
  constructor(clock: Clock, onChange: () => void) {
    this.#clock = clock;
    this.#onChange = onChange;
  }

  /** The pools as they are now. */
  see(pools: readonly IpPool[]): void {
    const used = new Set(pools.flatMap(encapsulationsOf));
    for (const one of this.#used) {
      if (!used.has(one)) this.#former.set(one, this.#clock.now() + lingerMs);
    }
    for (const one of used) this.#former.delete(one);
    this.#used = used;
    this.#wait();
  }

  get lingering(): Lingering {
    const now = this.#clock.now();
    const has = (one: Encapsulation): boolean => (this.#former.get(one) ?? now) > now;
    const families = ([4, 6] as const).filter((family) => has(`vxlan${family}`));
    return { ipip: has("ipip"), vxlan: new Set<IpFamily>(families) };
  }

  stop(): void {
    this.#callOff?.();
  }

  #wait(): void {
    this.#callOff?.();
    this.#callOff = undefined;
    const until = Math.min(...this.#former.values());
    if (!Number.isFinite(until)) return;
    this.#callOff = this.#clock.after(Math.max(0, until - this.#clock.now()), () => {
      for (const [one, end] of this.#former) if (end <= this.#clock.now()) this.#former.delete(one);
      this.#wait();
      this.#onChange();
    });
  }
}

function encapsulationsOf(pool: IpPool): readonly Encapsulation[] {
  const { ipipMode = "Never", vxlanMode = "Never" } = pool.spec;
  return [
    ...(ipipMode === "Never" ? [] : (["ipip"] as const)),
    ...(vxlanMode === "Never" ? [] : [poolFamily(pool) === 6 ? ("vxlan6" as const) : ("vxlan4" as const)]),
  ];
}
