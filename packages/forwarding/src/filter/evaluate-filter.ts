import { IpAddress } from "@caracal/net";
import { isObject } from "../json-object.ts";
import type { PacketFilter } from "../network-state.ts";
import type { FilterHook, FilterOutcome, FilterPacket, FilterTranslation } from "./filter-packet.ts";
import { mapped, type MatchContext, matches, numberOf, type Truth } from "./match-expression.ts";
import { type Chain, keyOf, readRuleset, type Rule, type Ruleset } from "./ruleset.ts";

/** Chains that call chains deeper than this; the kernel refuses more than 16. */
const maxDepth = 16;
/** Rules that are not understood, named at most. */
const maxUncertain = 5;

/** Statements that change neither the packet nor its way. */
const harmless: ReadonlySet<string> = new Set([
  "counter",
  "log",
  "notrack",
  "comment",
  "last",
  "limit",
  "quota",
]);

/** What one chain, or a rule of it, decided. */
type Verdict =
  | { readonly kind: "accept" }
  | { readonly kind: "drop"; readonly how: "drop" | "reject"; readonly by: string }
  | { readonly kind: "return" }
  | { readonly kind: "next" };

const next: Verdict = { kind: "next" };

/** What the chains of a hook do to a packet, in the order of their priorities. A filter that is not known does nothing. */
export function evaluateFilter(filter: PacketFilter, hook: FilterHook, packet: FilterPacket): FilterOutcome {
  if (filter.kind === "unknown") return { kind: "passed", mark: packet.mark, uncertain: [] };
  const ruleset = readRuleset(filter.objects);
  const families = IpAddress.isIpv4(packet.source) ? ["ip", "inet"] : ["ip6", "inet"];
  const chains = [...ruleset.chains.values()]
    .filter((chain) => chain.hook === hook && families.includes(chain.family))
    .toSorted((a, b) => a.priority - b.priority);
  const run = new FilterRun(ruleset, packet);
  for (const chain of chains) {
    // Only a connection's first packet comes to chains that translate; the rest follows what was decided then.
    if (chain.type === "nat" && (run.translation !== undefined || packet.connection !== "new")) continue;
    const verdict = run.chain(chain, 0);
    const uncertain = run.uncertain;
    if (verdict.kind === "drop") return { kind: "dropped", how: verdict.how, by: verdict.by, uncertain };
    if (verdict.kind !== "accept" && chain.policy === "drop") {
      return { kind: "dropped", how: "drop", by: `the policy of ${chainText(chain)}`, uncertain };
    }
  }
  const { translation, uncertain } = run;
  return {
    kind: "passed",
    mark: run.packet.mark,
    ...(translation === undefined ? {} : { translation }),
    uncertain,
  };
}

function chainText({ family, table, name }: Chain): string {
  return `chain ${name} of table ${family} ${table}`;
}

function ruleText(chain: Chain, { handle, comment }: Rule): string {
  const words = comment === undefined ? "" : ` "${comment}"`;
  return `rule${words} (handle ${handle}) in ${chainText(chain)}`;
}

/** One packet's way through the chains of a hook. */
class FilterRun {
  readonly #ruleset: Ruleset;
  readonly #uncertain: string[] = [];
  packet: FilterPacket;
  translation: FilterTranslation | undefined;

  constructor(ruleset: Ruleset, packet: FilterPacket) {
    this.#ruleset = ruleset;
    this.packet = packet;
  }

  get uncertain(): readonly string[] {
    const more = this.#uncertain.length - maxUncertain;
    return more <= 0 ? this.#uncertain : [...this.#uncertain.slice(0, maxUncertain), `${more} more rules`];
  }

  chain(chain: Chain, depth: number): Verdict {
    for (const rule of chain.rules) {
      const verdict = this.#rule(chain, rule, depth);
      if (verdict.kind !== "next") return verdict;
    }
    return next;
  }

  #rule(chain: Chain, rule: Rule, depth: number): Verdict {
    let truth: Truth = true;
    for (const expression of rule.expressions) {
      const { family, table } = chain;
      const ctx: MatchContext = { ruleset: this.#ruleset, family, table, packet: this.packet };
      const [kind = "", body] = Object.entries(expression)[0] ?? [];
      if (kind === "match" && isObject(body)) {
        const one = matches(ctx, body);
        if (one === false) return next;
        if (one === undefined) truth = undefined;
        continue;
      }
      if (harmless.has(kind)) continue;
      if (truth === undefined) return this.#isUncertain(chain, rule);
      const verdict = this.#statement({ ctx, chain, rule, depth }, kind, body);
      if (verdict.kind !== "next") return verdict;
    }
    return next;
  }

  #isUncertain(chain: Chain, rule: Rule): Verdict {
    this.#uncertain.push(ruleText(chain, rule));
    return next;
  }

  #statement(at: StatementPlace, kind: string, body: unknown): Verdict {
    const { chain, rule } = at;
    switch (kind) {
      case "accept":
        return { kind: "accept" };
      case "drop":
      case "reject":
        return { kind: "drop", how: kind, by: ruleText(chain, rule) };
      case "return":
        return { kind: "return" };
      case "continue":
        return next;
      case "jump":
      case "goto":
        return this.#call(at, kind, isObject(body) ? body["target"] : undefined);
      case "vmap":
        return isObject(body) ? this.#verdictMap(at, body) : this.#isUncertain(chain, rule);
      case "mangle":
        return isObject(body) ? this.#mangle(at, body) : this.#isUncertain(chain, rule);
      case "masquerade":
      case "redirect":
      case "snat":
      case "dnat":
        return this.#translate(at, kind, isObject(body) ? body : {});
      default:
        return this.#isUncertain(chain, rule);
    }
  }

  #call({ chain, rule, depth }: StatementPlace, how: "jump" | "goto", target: unknown): Verdict {
    const called = this.#ruleset.chains.get(keyOf(chain.family, chain.table, String(target)));
    if (called === undefined || depth >= maxDepth) return this.#isUncertain(chain, rule);
    const verdict = this.chain(called, depth + 1);
    if (verdict.kind === "accept" || verdict.kind === "drop") return verdict;
    // What was gone to does not come back: the chain that called goes on no more.
    return how === "goto" ? { kind: "return" } : next;
  }

  #verdictMap(at: StatementPlace, { key, data }: Record<string, unknown>): Verdict {
    const found = mapped(at.ctx, key, data);
    if (found === "none") return next;
    if (found === undefined || !isObject(found.data)) return this.#isUncertain(at.chain, at.rule);
    const [kind = "", body] = Object.entries(found.data)[0] ?? [];
    return this.#statement(at, kind, body);
  }

  #mangle({ ctx, chain, rule }: StatementPlace, { key, value }: Record<string, unknown>): Verdict {
    const isMark = isObject(key) && isObject(key["meta"]) && key["meta"]["key"] === "mark";
    if (!isMark) return next;
    const mark = numberOf(ctx, value);
    if (mark === undefined) return this.#isUncertain(chain, rule);
    this.packet = { ...this.packet, mark };
    return next;
  }

  #translate(
    { ctx, chain, rule }: StatementPlace,
    how: FilterTranslation["how"],
    body: Record<string, unknown>,
  ): Verdict {
    const address = addressOf(ctx, body["addr"]);
    // A map without an element for the packet ends the rule.
    if (address === "none") return next;
    const port = body["port"];
    if ((how === "snat" || how === "dnat") && address === undefined && port === undefined) {
      return this.#isUncertain(chain, rule);
    }
    this.translation = {
      how,
      ...(address === undefined ? {} : { address }),
      ...(typeof port === "number" ? { port } : {}),
      by: ruleText(chain, rule),
    };
    const isSource = how === "snat" || how === "masquerade";
    if (address !== undefined) {
      this.packet = { ...this.packet, ...(isSource ? { source: address } : { destination: address }) };
    }
    return { kind: "accept" };
  }
}

interface StatementPlace {
  readonly ctx: MatchContext;
  readonly chain: Chain;
  readonly rule: Rule;
  readonly depth: number;
}

/** A literal address, or the one that a map gives; a range gives any of many, and so none here. */
function addressOf(ctx: MatchContext, expression: unknown): IpAddress | "none" | undefined {
  if (typeof expression === "string") return IpAddress.parse(expression);
  if (!isObject(expression) || !isObject(expression["map"])) return undefined;
  const { key, data } = expression["map"];
  const found = mapped(ctx, key, data);
  if (found === "none") return "none";
  return typeof found === "object" && typeof found.data === "string"
    ? IpAddress.parse(found.data)
    : undefined;
}
