import { IpAddress, Ipv4, Ipv6, Prefix } from "@caracal/net";
import { AsNumber } from "./as-number.ts";
import { compileGoPattern } from "./go-pattern.ts";
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
  /** The form in which a checked text is kept, where it is another. */
  readonly normalise?: (text: string) => string | number;
}

const protocolNames = ["TCP", "UDP", "ICMP", "ICMPv6", "SCTP", "UDPLite"];

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
  // A rule's networks are written with their length, a single address's too.
  network: form(
    (text) => text.includes("/") && isNetwork(text),
    "is not a CIDR",
    "network/length with host bits zero",
  ),
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
  mac: {
    ...form(
      (text) =>
        /^[0-9a-fA-F]{2}(?:(?::[0-9a-fA-F]{2}){5}|(?:-[0-9a-fA-F]{2}){5})$/.test(text) ||
        /^[0-9a-fA-F]{4}(?:\.[0-9a-fA-F]{4}){2}$/.test(text),
      "is not a MAC address",
      "six hexadecimal pairs joined by colons",
    ),
    normalise: (text) => text.replaceAll(/[-.:]/g, "").replaceAll(/..(?!$)/g, "$&:"),
  },
  goDuration: form(
    (text) => parseDurationSeconds(text) !== undefined,
    "is not a duration",
    "a Go duration such as 30s or 1m30s",
  ),
  community: form(
    isCommunity,
    "is not a BGP community",
    "aa:nn with 16-bit parts, or aa:nn:mm with 32-bit parts",
  ),
  durationOrAuto: form(
    (text) => text === "Auto" || parseDurationSeconds(text) !== undefined,
    "is neither a duration nor Auto",
    "Auto, or a Go duration such as 30s or 1m30s",
  ),
  port: portForm(isPort, "is not a port", "1 to 65535, first:last, or a name"),
  // Kubernetes: an IANA service name.
  portName: form(
    (text) => text.length <= 15 && /[a-z]/.test(text) && /^[a-z0-9]+(-[a-z0-9]+)*$/.test(text),
    "is not a port's name",
    "up to 15 of a–z 0–9 -, a letter among them, no hyphen at an end or beside another",
  ),
  portRange: portForm(isPortRange, "is not a port or range of ports", "0 to 65535, or first:last"),
  protocol: {
    check: checkProtocol,
    allowed: `${protocolNames.join(", ")}, or 1 to 255`,
    normalise: (text) => (/^[0-9]+$/.test(text) ? Number(text) : text),
  },
  dscp: {
    check: (text) => (isDscp(text) ? undefined : "is not a DSCP value"),
    allowed: "0 to 63, or a name such as CS0, AF11, EF",
    normalise: (text) => (/^[0-9]+$/.test(text) ? Number(text) : text),
  },
  hostInterface: form(
    (text) => text === "*" || /^[a-zA-Z0-9_.-]{1,15}$/.test(text),
    "is not an interface name",
    "* for all, or up to 15 of a–z A–Z 0–9 _ . -",
  ),
  regularExpression: form(
    (text) => compileGoPattern(text) !== undefined,
    "is not a regular expression",
    "a regular expression such as ^eth[0-9]+$",
  ),
  regionName: form(
    (text) => /^[a-z0-9]([-a-z0-9]{0,44}[a-z0-9])?$/.test(text),
    "is not a region's name",
    "up to 46 of a–z 0–9 - that begin and end with a letter or digit",
  ),
  interfaceFilter: form(
    (text) => /^[a-zA-Z0-9:._+-]{1,15}$/.test(text),
    "is not an interface filter",
    "up to 15 of a–z A–Z 0–9 : . _ -, and + for any ending",
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

function checkProtocol(text: string): string | undefined {
  if (protocolNames.includes(text)) return undefined;
  if (/^[0-9]{1,3}$/.test(text) && Number(text) >= 1 && Number(text) <= 255) return undefined;
  const hint = protocolNames.find((name) => name.toLowerCase() === text.toLowerCase());
  return hint === undefined ? "is not a protocol" : `is not a protocol, did you mean ${hint}?`;
}

function isPort(text: string): boolean {
  if (isPortRange(text)) return !/^0+(?![0-9])/.test(text);
  return /^[a-zA-Z0-9_.-]{1,128}$/.test(text) && !/^[0-9]+$/.test(text);
}

function isPortRange(text: string): boolean {
  const parts = /^([0-9]{1,5})(?::([0-9]{1,5}))?$/.exec(text);
  if (parts === null) return false;
  const first = Number(parts[1]);
  const last = Number(parts[2] ?? parts[1]);
  return first <= last && last <= 65535;
}

/** A single port is kept as a number, however it was written. */
function portForm(accepts: (text: string) => boolean, reason: string, allowed: string): Format {
  return {
    ...form(accepts, reason, allowed),
    normalise: (text) => {
      const parts = /^([0-9]+)(?::([0-9]+))?$/.exec(text);
      if (parts === null) return text;
      const first = Number(parts[1]);
      const last = Number(parts[2] ?? parts[1]);
      return first === last ? first : `${first}:${last}`;
    },
  };
}

/** RFC 2474 class selectors, RFC 2597 assured and RFC 3246 expedited forwarding, RFC 5865, RFC 8622. */
function isDscp(text: string): boolean {
  if (/^[0-9]{1,2}$/.test(text)) return Number(text) <= 63;
  return /^(DF|EF|VA|LE|CS[0-7]|AF[1-4][1-3])$/.test(text);
}

function isNetwork(text: string, family?: 4 | 6): boolean {
  const prefix = Prefix.parse(text);
  return prefix !== undefined && (family === undefined || prefix.family === family);
}

/** RFC 1997: two 16-bit halves; RFC 8092: three 32-bit parts. */
export function isCommunity(text: string): boolean {
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
