import { IpAddress, type IpFamily, Ipv4, Ipv6, Prefix } from "@caracal/net";
import { type Route, RouteTable, RouteType, type Rule, RuleAction } from "@caracal/netlink";
import type { NetworkState } from "./network-state.ts";

/** What of a packet decides which route it takes. */
export interface Flow {
  readonly destination: IpAddress;
  readonly source?: IpAddress;
  /** Absent: the namespace itself sends the packet. */
  readonly inputInterface?: string;
  readonly mark?: number;
  /** Number of the transport protocol. */
  readonly ipProtocol?: number;
}

/** What one routing rule had to say. */
export interface RuleVerdict {
  readonly rule: Rule;
  /** The best match of the rule's table; absent: none, or the rule is not for this packet. */
  readonly match?: TableMatch;
  /** The rule looks at what is not known here, and was taken not to match. */
  readonly isUncertain?: true;
}

/** The route that one table gives. */
export interface TableMatch {
  readonly route: Route;
  /** The other routes that have the destination too, the nearest competitor first. */
  readonly beaten: readonly Route[];
}

/** Where a packet goes by the routing rules and tables. */
export type Lookup =
  /** Also for local addresses: the route's type says so. */
  | {
      readonly kind: "found";
      readonly rule: Rule;
      readonly match: TableMatch;
      readonly asked: readonly RuleVerdict[];
    }
  /** A rule or a route says that the packet ends here. */
  | {
      readonly kind: "refused";
      readonly how: "blackhole" | "unreachable" | "prohibit";
      readonly rule: Rule;
      readonly match?: TableMatch;
      readonly asked: readonly RuleVerdict[];
    }
  | { readonly kind: "none"; readonly asked: readonly RuleVerdict[] };

/** The kernel's own rules, where a state has none: a kernel that was built without policy routing dumps none. */
const usualRules: readonly { readonly priority: number; readonly table: number }[] = [
  { priority: 0, table: RouteTable.RT_TABLE_LOCAL },
  { priority: 32_766, table: RouteTable.RT_TABLE_MAIN },
  { priority: 32_767, table: RouteTable.RT_TABLE_DEFAULT },
];

/** Rules that jump are followed forwards only, as the kernel does, so the walk over them ends. */
export function lookUp(state: NetworkState, flow: Flow): Lookup {
  const family = IpAddress.family(flow.destination);
  const rules = rulesOf(state, family);
  const asked: RuleVerdict[] = [];
  for (let at = 0; at < rules.length; at += 1) {
    const rule = rules[at];
    if (rule === undefined) break;
    if (rule.hasOtherSelectors === true) {
      asked.push({ rule, isUncertain: true });
      continue;
    }
    if (!isFor(rule, flow)) continue;
    const { action, gotoPriority } = rule;
    if (action === RuleAction.FR_ACT_GOTO && gotoPriority !== undefined) {
      const target = rules.findIndex(({ priority }, index) => index > at && priority >= gotoPriority);
      if (target < 0) break;
      at = target - 1;
      continue;
    }
    const refusal = refusalOf(action);
    if (refusal !== undefined) return { kind: "refused", how: refusal, rule, asked };
    if (action !== RuleAction.FR_ACT_TO_TBL) continue;
    const match = bestMatch(state, rule.table, flow.destination);
    asked.push({ rule, ...(match === undefined ? {} : { match }) });
    if (match === undefined || isSuppressed(rule, match.route)) continue;
    const { type } = match.route;
    if (type === RouteType.RTN_THROW) continue;
    const how = refusalOf(type);
    return how === undefined
      ? { kind: "found", rule, match, asked }
      : { kind: "refused", how, rule, match, asked };
  }
  return { kind: "none", asked };
}

/** A routing table's name, as `ip route` prints it. */
export function tableName(table: number): string {
  if (table === RouteTable.RT_TABLE_MAIN) return "main";
  if (table === RouteTable.RT_TABLE_LOCAL) return "local";
  return table === RouteTable.RT_TABLE_DEFAULT ? "default" : String(table);
}

function rulesOf({ rules }: NetworkState, family: IpFamily): readonly Rule[] {
  const found = rules.filter((rule) => rule.family === family);
  if (found.length > 0) return found.toSorted((a, b) => a.priority - b.priority);
  const action = RuleAction.FR_ACT_TO_TBL;
  return usualRules.map((rule) => ({ ...rule, family, action, invert: false, protocol: 0 }));
}

function isFor(rule: Rule, flow: Flow): boolean {
  const { source, destination, mark, markMask = 0xffff_ffff, inputInterface, outputInterface } = rule;
  // Before a source is chosen it is the address of zeros.
  const from = flow.source ?? zeroOf(rule.family);
  // A packet that the namespace itself sends comes in by the loopback interface, as rules see it.
  const isMatch =
    (destination === undefined || Prefix.contains(destination, flow.destination)) &&
    (source === undefined || Prefix.contains(source, from)) &&
    (mark === undefined || ((mark ^ (flow.mark ?? 0)) & markMask) === 0) &&
    (inputInterface === undefined || inputInterface === (flow.inputInterface ?? "lo")) &&
    (rule.ipProtocol === undefined || rule.ipProtocol === flow.ipProtocol) &&
    // Only a socket bound to an interface has one before the lookup.
    outputInterface === undefined;
  return isMatch !== rule.invert;
}

function zeroOf(family: IpFamily): IpAddress {
  return family === 4 ? Ipv4.of(0) : Ipv6.of(0n);
}

/** Actions of rules and types of routes that end a packet have the same numbers. */
function refusalOf(code: number): "blackhole" | "unreachable" | "prohibit" | undefined {
  if (code === RouteType.RTN_BLACKHOLE) return "blackhole";
  if (code === RouteType.RTN_UNREACHABLE) return "unreachable";
  return code === RouteType.RTN_PROHIBIT ? "prohibit" : undefined;
}

function isSuppressed({ suppressPrefixLength }: Rule, { destination }: Route): boolean {
  return suppressPrefixLength !== undefined && destination.length <= suppressPrefixLength;
}

/** The longest prefix, and among those of one length the lowest metric. */
function bestMatch(state: NetworkState, table: number, destination: IpAddress): TableMatch | undefined {
  const matches = state.routes
    .filter((route) => route.table === table && Prefix.contains(route.destination, destination))
    .toSorted((a, b) => b.destination.length - a.destination.length || a.metric - b.metric);
  const [route, ...beaten] = matches;
  return route === undefined ? undefined : { route, beaten };
}
