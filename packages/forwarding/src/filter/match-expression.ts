import { IpAddress, Prefix } from "@caracal/net";
import { isObject } from "../json-object.ts";
import type { FilterPacket } from "./filter-packet.ts";
import { keyOf, type Ruleset } from "./ruleset.ts";

/** Whether a condition holds; `undefined`: it is about something that is not known here. */
export type Truth = boolean | undefined;

/** What is being looked at, and where the names in a rule lead. */
export interface MatchContext {
  readonly ruleset: Ruleset;
  readonly family: string;
  readonly table: string;
  readonly packet: FilterPacket;
}

/** A field of the packet: a number, a text, an address, some words that all hold, several fields at once. */
type Field = string | number | IpAddress | readonly Field[];
/** A condition on a field that the packet does not have never holds. */
type FieldValue = { readonly kind: "value"; readonly value: Field } | "absent" | "unknown";

/** Names of `meta l4proto` (/etc/protocols). */
const protocolNumbers: Readonly<Record<string, number>> = {
  icmp: 1,
  ipv4: 4,
  ipip: 4,
  ipencap: 4,
  tcp: 6,
  udp: 17,
  ipv6: 41,
  "ipv6-icmp": 58,
  icmpv6: 58,
  sctp: 132,
};

/** One `match` statement: `{ op, left, right }`. */
export function matches(ctx: MatchContext, { op, left, right }: Record<string, unknown>): Truth {
  const field = fieldOf(ctx, left);
  if (field === "unknown") return undefined;
  if (field === "absent") return false;
  switch (op) {
    case "==":
    case "in":
      return isAmong(ctx, field.value, right);
    case "!=":
      return negated(isAmong(ctx, field.value, right));
    case "<":
    case ">":
    case "<=":
    case ">=":
      return isOrdered(op, field.value, right);
    default:
      return undefined;
  }
}

/** The data of a map's element whose key the expression's value is. `undefined`: it cannot be told; "none": no element. */
export function mapped(
  ctx: MatchContext,
  key: unknown,
  data: unknown,
): { readonly data: unknown } | "none" | undefined {
  const field = fieldOf(ctx, key);
  if (field === "unknown") return undefined;
  if (field === "absent") return "none";
  for (const element of elementsOf(ctx, data)) {
    if (!Array.isArray(element)) continue;
    const pair: readonly unknown[] = element;
    const truth = isItem(ctx, field.value, pair[0]);
    if (truth === undefined) return undefined;
    if (truth) return { data: pair[1] };
  }
  return "none";
}

/** A number that an expression over the packet's mark gives. */
export function numberOf(ctx: MatchContext, expression: unknown): number | undefined {
  if (typeof expression === "number") return expression;
  const field = fieldOf(ctx, expression);
  return typeof field === "object" && typeof field.value === "number" ? field.value : undefined;
}

function negated(truth: Truth): Truth {
  return truth === undefined ? undefined : !truth;
}

function fieldOf(ctx: MatchContext, expression: unknown): FieldValue {
  if (!isObject(expression)) return "unknown";
  const [kind, body] = Object.entries(expression)[0] ?? [];
  if (kind === "meta" && isObject(body)) return metaField(ctx.packet, body["key"]);
  if (kind === "payload" && isObject(body)) return headerField(ctx.packet, body);
  if (kind === "ct" && isObject(body)) return connectionField(ctx.packet, body["key"]);
  if (kind === "fib" && isObject(body)) return routeField(ctx.packet, body);
  if (kind === "concat" && Array.isArray(body)) return joined(ctx, body);
  if ((kind === "&" || kind === "|" || kind === "^") && Array.isArray(body)) return combined(ctx, kind, body);
  return "unknown";
}

function metaField(packet: FilterPacket, key: unknown): FieldValue {
  switch (key) {
    case "iif":
    case "iifname":
      return of(packet.inputInterface);
    case "oif":
    case "oifname":
      return of(packet.outputInterface);
    case "mark":
      return of(packet.mark);
    case "l4proto":
      return of(packet.protocol);
    case "nfproto":
      return of(IpAddress.isIpv4(packet.source) ? "ipv4" : "ipv6");
    case "protocol":
      return of(IpAddress.isIpv4(packet.source) ? "ip" : "ip6");
    default:
      return "unknown";
  }
}

function of(value: Field | undefined): FieldValue {
  return value === undefined ? "absent" : { kind: "value", value };
}

function headerField(packet: FilterPacket, { protocol, field }: Record<string, unknown>): FieldValue {
  const isIpv4 = IpAddress.isIpv4(packet.source);
  if (protocol === "ip" || protocol === "ip6") {
    if ((protocol === "ip") !== isIpv4) return "absent";
    if (field === "saddr") return of(packet.source);
    if (field === "daddr") return of(packet.destination);
    return field === "protocol" || field === "nexthdr" ? of(packet.protocol) : "unknown";
  }
  const number = protocol === "th" ? packet.protocol : protocolNumbers[String(protocol)];
  if (number === undefined) return "unknown";
  if (number !== packet.protocol) return "absent";
  if (field === "sport") return of(packet.sourcePort);
  return field === "dport" ? of(packet.destinationPort) : "unknown";
}

function connectionField({ connection }: FilterPacket, key: unknown): FieldValue {
  if (key === "state") return of([connection]);
  return key === "direction" ? of(connection === "new" ? "original" : "reply") : "unknown";
}

/** Only what kind of address it is: local to the namespace or not. */
function routeField(packet: FilterPacket, { result, flags }: Record<string, unknown>): FieldValue {
  const list: readonly unknown[] = Array.isArray(flags) ? flags : [flags];
  if (result !== "type" || list.length !== 1) return "unknown";
  const address = list[0] === "daddr" ? packet.destination : list[0] === "saddr" ? packet.source : undefined;
  if (address === undefined) return "unknown";
  return of(packet.isLocal(address) ? "local" : "unicast");
}

function joined(ctx: MatchContext, parts: readonly unknown[]): FieldValue {
  const fields: Field[] = [];
  for (const part of parts) {
    const field = fieldOf(ctx, part);
    if (typeof field === "string") return field;
    fields.push(field.value);
  }
  return of(fields);
}

function combined(ctx: MatchContext, operator: "&" | "|" | "^", parts: readonly unknown[]): FieldValue {
  let result: number | undefined;
  for (const part of parts) {
    const value = numberOf(ctx, part);
    if (value === undefined) return "unknown";
    if (result === undefined) result = value;
    else if (operator === "&") result = (result & value) >>> 0;
    else result = (operator === "|" ? result | value : result ^ value) >>> 0;
  }
  return of(result);
}

/** Whether the value is, or is in, what stands on a condition's right: a literal, a range, a list, a set by name. */
function isAmong(ctx: MatchContext, value: Field, right: unknown): Truth {
  const items = elementsOf(ctx, right);
  let truth: Truth = false;
  for (const item of items) {
    const one = isItem(ctx, value, item);
    if (one === true) return true;
    if (one === undefined) truth = undefined;
  }
  return truth;
}

function elementsOf({ ruleset, family, table }: MatchContext, right: unknown): readonly unknown[] {
  if (typeof right === "string" && right.startsWith("@")) {
    return ruleset.elements.get(keyOf(family, table, right.slice(1))) ?? [];
  }
  if (Array.isArray(right)) return right;
  if (isObject(right) && Array.isArray(right["set"])) return right["set"];
  return [right];
}

function isItem(ctx: MatchContext, value: Field, item: unknown): Truth {
  // An element with a time limit or a counter is wrapped.
  if (isObject(item) && isObject(item["elem"])) return isItem(ctx, value, item["elem"]["val"]);
  if (isObject(item) && Array.isArray(item["concat"])) return isJoined(ctx, value, item["concat"]);
  if (Array.isArray(value)) return value.some((word) => word === item);
  if (isObject(item) && isObject(item["prefix"])) {
    const { addr, len } = item["prefix"];
    return isAddressIn(value, `${String(addr)}/${String(len)}`);
  }
  if (isObject(item) && Array.isArray(item["range"])) return isInRange(value, item["range"]);
  if (item === "*") return true;
  if (typeof item === "number") return value === item;
  if (typeof item !== "string") return undefined;
  return isText(value, item);
}

function isText(value: Field, item: string): Truth {
  if (typeof value === "string") {
    return item.endsWith("*") ? value.startsWith(item.slice(0, -1)) : value === item;
  }
  if (item.includes(".") || item.includes(":")) return isAddressIn(value, item);
  const number = protocolNumbers[item];
  return number === undefined ? undefined : value === number;
}

function isJoined(ctx: MatchContext, value: Field, parts: readonly unknown[]): Truth {
  if (!Array.isArray(value)) return undefined;
  const fields: readonly Field[] = value;
  let truth: Truth = fields.length === parts.length;
  for (const [index, field] of fields.entries()) {
    const one = isItem(ctx, field, parts[index]);
    if (one === false) return false;
    if (one === undefined) truth = undefined;
  }
  return truth;
}

function isAddress(value: Field): value is IpAddress {
  return typeof value === "number" || typeof value === "bigint";
}

function isAddressIn(value: Field, text: string): Truth {
  const prefix = Prefix.parseInterface(text)?.network;
  return prefix === undefined || !isAddress(value) ? undefined : Prefix.contains(prefix, value);
}

function isInRange(value: Field, range: readonly unknown[]): Truth {
  const [low, high] = range.map((end) => (typeof end === "string" ? IpAddress.parse(end) : end));
  if (typeof low === "number" && typeof high === "number" && typeof value === "number") {
    return value >= low && value <= high;
  }
  if (typeof low === "bigint" && typeof high === "bigint" && typeof value === "bigint") {
    return value >= low && value <= high;
  }
  return undefined;
}

function isOrdered(op: "<" | ">" | "<=" | ">=", value: Field, right: unknown): Truth {
  if (typeof value !== "number" || typeof right !== "number") return undefined;
  if (op === "<") return value < right;
  if (op === ">") return value > right;
  return op === "<=" ? value <= right : value >= right;
}
