import { IpAddress, Ipv4, Ipv6, Prefix } from "@caracal/net";
import { AsNumber } from "./as-number.ts";
import { parsePeerAddress } from "./peer-address.ts";
import { parseSelector } from "./selector/parse.ts";

/** A named text form that schemas refer to through `format`. */
export interface Format {
  /** Why the text is refused, or `undefined`. */
  readonly check: (text: string) => string | undefined;
  /** What would be accepted. */
  readonly allowed: string;
  /** For number fields that also take text. */
  readonly toNumber?: (text: string) => number | undefined;
}

/** Every format used in the schemas. */
export const formats: Readonly<Record<string, Format>> = {
  asNumber: {
    check: (text) => (AsNumber.parse(text) === undefined ? "is not an AS number" : undefined),
    allowed: "0 to 4294967295, or high.low with 16-bit halves",
    toNumber: AsNumber.parse,
  },
  ip: form((text) => IpAddress.parse(text) !== undefined, "is not an IP address", "an IPv4 or IPv6 address"),
  ipv4: form((text) => Ipv4.parse(text) !== undefined, "is not an IPv4 address", "an IPv4 address"),
  ipv6: form((text) => Ipv6.parse(text) !== undefined, "is not an IPv6 address", "an IPv6 address"),
  ipOrCidr: form(
    (text) => Prefix.parseInterface(text) !== undefined,
    "is not an IP address or CIDR",
    "an address, or address/length",
  ),
  ipv4OrCidr: form(
    (text) => Prefix.parseInterface(text)?.network.family === 4,
    "is not an IPv4 address or CIDR",
    "an IPv4 address, or address/length",
  ),
  ipv6OrCidr: form(
    (text) => Prefix.parseInterface(text)?.network.family === 6,
    "is not an IPv6 address or CIDR",
    "an IPv6 address, or address/length",
  ),
  cidr: form((text) => isNetwork(text), "is not a CIDR", "network/length with host bits zero"),
  cidrv4: form((text) => isNetwork(text, 4), "is not an IPv4 CIDR", "network/length with host bits zero"),
  cidrv6: form((text) => isNetwork(text, 6), "is not an IPv6 CIDR", "network/length with host bits zero"),
  peerIP: form(
    (text) => parsePeerAddress(text) !== undefined,
    "is not a peer address",
    "IP, IPv4:port or [IPv6]:port",
  ),
  selector: {
    check: (text) => {
      const parsed = parseSelector(text);
      return parsed.kind === "ok" ? undefined : `invalid selector: ${parsed.error.message}`;
    },
    allowed: "a label selector such as all(), has(x) or a == 'b'",
  },
  interfaceName: pattern(/^[a-zA-Z0-9_.-]{1,15}$/, "is not an interface name"),
  interfacePattern: pattern(/^[a-zA-Z0-9_.*-]{1,15}$/, "is not an interface name or pattern"),
  ignoredInterface: form(
    (text) => /^[a-zA-Z0-9_.*-]{1,15}$/.test(text) && text !== "*",
    "is not an interface name or pattern",
    "up to 15 of a–z A–Z 0–9 _ . - *, but not * alone",
  ),
  mac: form(
    (text) => /^[0-9a-fA-F]{2}(:[0-9a-fA-F]{2}){5}$/.test(text),
    "is not a MAC address",
    "six hexadecimal pairs joined by colons",
  ),
  duration: form(
    (text) => parseDurationSeconds(text) !== undefined,
    "is not a duration",
    "a Go duration such as 30s or 1m30s",
  ),
  community: form(
    isCommunity,
    "is not a BGP community",
    "aa:nn with 16-bit parts, or aa:nn:mm with 32-bit parts",
  ),
  logLevel: form(
    (text) => /^(trace|debug|info|warning|error|fatal)$/i.test(text),
    "is not a log level",
    "Trace, Debug, Info, Warning, Error, Fatal",
  ),
  timestamp: pattern(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)$/, "is not an RFC 3339 time"),
};

/** Seconds of a Go duration text (`1m30s`, `500ms`, `0`), or `undefined`. */
export function parseDurationSeconds(text: string): number | undefined {
  if (text === "0") return 0;
  if (!/^([0-9]+(\.[0-9]*)?(ns|us|µs|ms|s|m|h))+$/.test(text)) return undefined;
  const units: Readonly<Record<string, number>> = {
    ns: 1e-9,
    us: 1e-6,
    µs: 1e-6,
    ms: 1e-3,
    s: 1,
    m: 60,
    h: 3600,
  };
  let seconds = 0;
  for (const [, count, , unit] of text.matchAll(/([0-9]+(\.[0-9]*)?)(ns|us|µs|ms|s|m|h)/g)) {
    seconds += Number(count) * (units[unit ?? ""] ?? 0);
  }
  return seconds;
}

function isNetwork(text: string, family?: 4 | 6): boolean {
  const prefix = Prefix.parse(text);
  return prefix !== undefined && (family === undefined || prefix.family === family);
}

/** RFC 1997: two 16-bit halves; RFC 8092: three 32-bit parts. */
function isCommunity(text: string): boolean {
  const parts = text.split(":");
  if (!parts.every((part) => /^[0-9]{1,10}$/.test(part))) return false;
  if (parts.length === 2) return parts.every((part) => Number(part) <= 0xffff);
  return parts.length === 3 && parts.every((part) => Number(part) <= 0xffffffff);
}

function form(accepts: (text: string) => boolean, reason: string, allowed: string): Format {
  return { check: (text) => (accepts(text) ? undefined : reason), allowed };
}

function pattern(expression: RegExp, reason: string): Format {
  return form((text) => expression.test(text), reason, expression.source);
}
