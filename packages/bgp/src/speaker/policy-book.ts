import { type Policies, type Policy } from "../export/policy.ts";
import { type LinkOf, type NamedPolicy, compiledOr, refuseAll, seesLinks } from "../policy/named-policy.ts";
import { type PeerConfig } from "./peer-config.ts";
import { type SpeakerFact } from "./speaker-events.ts";

interface Entry {
  readonly text: string;
  readonly source: NamedPolicy;
  readonly policy: Policy;
  /** Its filters cannot be compiled. */
  readonly isUnusable: boolean;
}

/**
 * The policies by name. One that did not change keeps its function, so that no route is looked at again; one that is not
 * there, or cannot be compiled, refuses everything, and that is told once.
 */
export class PolicyBook {
  /** What the host gives as code, and what of it is in use. */
  readonly #host: Policies;
  #code: Policies;
  readonly #linkOf: LinkOf;
  #entries: ReadonlyMap<string, Entry> = new Map();
  /** What was told of, as `peer direction policy`. */
  #told: ReadonlySet<string> = new Set();

  constructor(host: Policies, linkOf: LinkOf) {
    this.#host = host;
    this.#code = new Map(host);
    this.#linkOf = linkOf;
  }

  /** `undefined` for the empty name: everything is accepted. */
  get(name: string): Policy | undefined {
    if (name === "") return undefined;
    return this.#entries.get(name)?.policy ?? this.#code.get(name) ?? refuseAll;
  }

  /** The policies are now these, and what the host gives. Gives the names of those that are others now, or gone. */
  replace(sources: readonly NamedPolicy[]): string[] {
    const next = new Map<string, Entry>();
    for (const source of sources) {
      const text = JSON.stringify(source);
      const known = this.#entries.get(source.name);
      next.set(source.name, known?.text === text ? known : this.#entry(source, text));
    }
    return this.#take(next, new Map(this.#host));
  }

  /** Next hops may be behind other links now. Gives the names of those that look at them. */
  linksChanged(): string[] {
    const isBlind = [...this.#entries.values()].every(({ source }) => !seesLinks(source));
    if (isBlind) return [];
    const next = new Map<string, Entry>();
    for (const [name, entry] of this.#entries) {
      next.set(name, seesLinks(entry.source) ? this.#entry(entry.source, entry.text) : entry);
    }
    return this.#take(next, this.#code);
  }

  /** What peers name in vain, as far as it has not been told. */
  missing(peers: Iterable<PeerConfig>): SpeakerFact[] {
    const told = new Set<string>();
    const facts: SpeakerFact[] = [];
    for (const { name: peer, importPolicy, exportPolicy } of peers) {
      for (const [direction, policy] of [
        ["import", importPolicy],
        ["export", exportPolicy],
      ] as const) {
        const why = this.#fault(policy);
        if (why === undefined) continue;
        const key = `${peer} ${direction} ${why} ${policy}`;
        told.add(key);
        if (!this.#told.has(key)) facts.push({ kind: "policyMissing", peer, direction, policy, why });
      }
    }
    this.#told = told;
    return facts;
  }

  #fault(name: string): "unknown" | "invalid" | undefined {
    const entry = this.#entries.get(name);
    if (entry !== undefined) return entry.isUnusable ? "invalid" : undefined;
    return name === "" || this.#code.has(name) ? undefined : "unknown";
  }

  #entry(source: NamedPolicy, text: string): Entry {
    const policy = compiledOr(source, this.#linkOf);
    return { text, source, policy: policy ?? refuseAll, isUnusable: policy === undefined };
  }

  #take(next: ReadonlyMap<string, Entry>, code: Policies): string[] {
    const all = [this.#entries, next, this.#code, code];
    const names = [...new Set(all.flatMap((policies) => [...policies.keys()]))];
    const before = new Map(names.map((name) => [name, this.get(name)]));
    this.#entries = next;
    this.#code = code;
    return names.filter((name) => this.get(name) !== before.get(name));
  }
}
