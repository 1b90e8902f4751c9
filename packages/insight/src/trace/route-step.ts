import { type Lookup, routeText, tableName } from "@caracal/forwarding";
import { IpAddress, Prefix } from "@caracal/net";
import type { NetworkState } from "@caracal/forwarding";
import type { TraceStep } from "./trace-result.ts";
import { linkOf } from "./world.ts";

type Found = Extract<Lookup, { kind: "found" }>;

/** Rules of every kernel: they need no mention. */
const ordinaryPriorities: ReadonlySet<number> = new Set([0, 32_766, 32_767]);
/** Losers that are told of. */
const maxBeaten = 4;

/** The route that was chosen, in the words of `ip route`, and what made it the one. */
export function routeStep(
  state: NetworkState,
  destination: IpAddress,
  { rule, match }: Found,
  isOuter: boolean,
): TraceStep {
  const nameOf = (index: number): string | undefined => linkOf(state, index)?.name;
  const { route, beaten } = match;
  return {
    kind: "route",
    destination: IpAddress.format(destination),
    route: routeText(route, nameOf),
    table: tableName(route.table),
    rulePriority: rule.priority,
    why: `${whyChosen(match, destination)}${ruleWords(rule)}`,
    beaten: beaten.slice(0, maxBeaten).map((one) => routeText(one, nameOf)),
    isOuter,
  };
}

function whyChosen({ route, beaten }: Found["match"], destination: IpAddress): string {
  const { length } = route.destination;
  const [next] = beaten;
  const where = `table ${tableName(route.table)}`;
  if (next === undefined) {
    return length === 0
      ? `the default route: nothing else in ${where} has the address`
      : `the only route in ${where} that has the address`;
  }
  if (next.destination.length === length) {
    return `the lower metric of two /${length} in ${where}: ${route.metric} before ${next.metric}`;
  }
  const loser = next.destination.length === 0 ? "the default route" : Prefix.format(next.destination);
  const what = Prefix.isHost(route.destination) ? `${IpAddress.format(destination)} itself` : `/${length}`;
  return `the longest prefix in ${where}: ${what} before ${loser}`;
}

function ruleWords({ priority, mark, source, inputInterface }: Found["rule"]): string {
  if (ordinaryPriorities.has(priority)) return "";
  const selectors = [
    ...(source === undefined ? [] : [`from ${Prefix.format(source)}`]),
    ...(mark === undefined ? [] : [`fwmark 0x${mark.toString(16)}`]),
    ...(inputInterface === undefined ? [] : [`iif ${inputInterface}`]),
  ];
  return `; rule ${priority}${selectors.length === 0 ? "" : ` (${selectors.join(" ")})`} sends it there`;
}
