import { IpAddress, type IpFamily, Prefix } from "@caracal/net";
import {
  type InterfaceAddress,
  type Link,
  Mac,
  type Neighbour,
  type Route,
  type Rule,
} from "@caracal/netlink";
import { isObject } from "./json-object.ts";
import type { NetworkState, PacketFilter } from "./network-state.ts";

/** Members that hold addresses or hardware addresses; what looks like a prefix is one. */
const addressMembers: ReadonlySet<string> = new Set([
  "address",
  "broadcast",
  "gateway",
  "group",
  "local",
  "peer",
  "preferredSource",
  "remote",
]);
const prefixMembers: ReadonlySet<string> = new Set(["destination", "source"]);

/** The state as JSON: addresses, prefixes and hardware addresses as text, the rest as it is. */
export function networkStateJson(state: NetworkState): unknown {
  return toJson("", state);
}

/** The state from its JSON form. `undefined`: it has not that shape; single objects that are not understood are left out. */
export function readNetworkState(json: unknown): NetworkState | undefined {
  if (!isObject(json)) return undefined;
  const { settings, filter } = json;
  if (!isObject(settings)) return undefined;
  const list = <T>(name: string, is: (value: unknown) => value is T): readonly T[] => {
    const items: unknown = json[name];
    return Array.isArray(items) ? items.map((item: unknown) => fromJson("", item)).filter(is) : [];
  };
  return {
    links: list("links", isLink),
    addresses: list("addresses", isInterfaceAddress),
    rules: list("rules", isRule),
    routes: list("routes", isRoute),
    neighbours: list("neighbours", isNeighbour),
    forwarding: list("forwarding", isNeighbour),
    settings: Object.fromEntries(
      Object.entries(settings).flatMap(([path, value]) => (typeof value === "string" ? [[path, value]] : [])),
    ),
    filter: readFilter(filter),
  };
}

function readFilter(json: unknown): PacketFilter {
  if (isObject(json) && Array.isArray(json["objects"])) return { kind: "known", objects: json["objects"] };
  const because = isObject(json) ? json["because"] : undefined;
  return { kind: "unknown", because: typeof because === "string" ? because : "it was not told" };
}

function toJson(name: string, value: unknown): unknown {
  if (typeof value === "bigint") return formatAddress(value);
  if (typeof value === "number") {
    if (name === "mac") return formatMac(value);
    return addressMembers.has(name) ? formatAddress(value) : value;
  }
  // The packet filter is JSON already, with members of the same names.
  if (name === "objects") return value;
  if (Array.isArray(value)) return value.map((item: unknown) => toJson("", item));
  if (!isObject(value)) return value;
  if (isPrefix(value)) return Prefix.format(value);
  return Object.fromEntries(Object.entries(value).map(([member, item]) => [member, toJson(member, item)]));
}

function formatMac(value: number): string | undefined {
  const mac = Mac.fromBytes(
    Uint8Array.from({ length: 6 }, (_, at) => Math.floor(value / 256 ** (5 - at)) % 256),
  );
  return mac === undefined ? undefined : Mac.format(mac);
}

function formatAddress(value: number | bigint): string | undefined {
  const length = typeof value === "number" ? 4 : 16;
  const bytes = Uint8Array.from({ length }, (_, at) =>
    Number((BigInt(value) >> BigInt(8 * (length - 1 - at))) & 255n),
  );
  const address = IpAddress.fromBytes(bytes);
  return address === undefined ? undefined : IpAddress.format(address);
}

function fromJson(name: string, value: unknown): unknown {
  if (typeof value === "string") {
    if (name === "mac") return Mac.parse(value);
    if (prefixMembers.has(name)) return Prefix.parse(value);
    return addressMembers.has(name) ? IpAddress.parse(value) : value;
  }
  if (Array.isArray(value)) return value.map((item: unknown) => fromJson("", item));
  if (!isObject(value)) return value;
  const members = Object.entries(value).map(([member, item]) => [member, fromJson(member, item)] as const);
  return Object.fromEntries(members.filter(([, item]) => item !== undefined));
}

function isPrefix(value: unknown): value is Prefix {
  if (!isObject(value) || typeof value["length"] !== "number" || value["length"] < 0) return false;
  const { family, address, length } = value;
  if (family === 4) return typeof address === "number" && length <= 32;
  return family === 6 && typeof address === "bigint" && length <= 128;
}

function isFamily(value: unknown): value is IpFamily {
  return value === 4 || value === 6;
}

function hasNumbers(value: unknown, ...names: readonly string[]): value is Record<string, unknown> {
  return isObject(value) && names.every((name) => typeof value[name] === "number");
}

function isAddress(value: unknown): value is IpAddress {
  return typeof value === "number" || typeof value === "bigint";
}

function isLink(value: unknown): value is Link {
  return hasNumbers(value, "index", "flags", "operState", "mtu") && typeof value["name"] === "string";
}

function isInterfaceAddress(value: unknown): value is InterfaceAddress {
  return hasNumbers(value, "interfaceIndex", "prefixLength", "scope", "flags") && isAddress(value["address"]);
}

function isRule(value: unknown): value is Rule {
  return (
    hasNumbers(value, "priority", "table", "action", "protocol") &&
    isFamily(value["family"]) &&
    typeof value["invert"] === "boolean"
  );
}

function isRoute(value: unknown): value is Route {
  return (
    hasNumbers(value, "type", "protocol", "scope", "table", "metric") &&
    isPrefix(value["destination"]) &&
    Array.isArray(value["nextHops"]) &&
    value["nextHops"].every(isObject)
  );
}

function isNeighbour(value: unknown): value is Neighbour {
  return hasNumbers(value, "family", "interfaceIndex", "state", "flags");
}
