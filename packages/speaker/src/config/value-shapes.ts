import type { LargeCommunity } from "@caracal/bgp";
import { WellKnownCommunity } from "@caracal/bgp";
import { IpAddress, type IpFamily, Ipv4, Prefix, Utf8 } from "@caracal/net";
import { list, scalar, type Shape } from "./shape.ts";

/** Single values of the file, each with the words that say what is expected. */

export const text: Shape<string> = scalar("a text", (value) => (value === "" ? undefined : value));

export const flag: Shape<boolean> = scalar("true or false", (value) =>
  value === "true" ? true : value === "false" ? false : undefined,
);

export const address: Shape<IpAddress> = scalar("an IPv4 or IPv6 address", IpAddress.parse);

/** Who can be at the other end of a connection. */
export const host: Shape<IpAddress> = scalar("the IPv4 or IPv6 address of a host", (value) => {
  const parsed = IpAddress.parse(value);
  if (parsed === undefined) return undefined;
  const isOneHost = IpAddress.isIpv4(parsed)
    ? parsed !== 0 && parsed < 0xe000_0000
    : parsed !== 0n && parsed >> 120n !== 0xffn;
  return isOneHost ? parsed : undefined;
});

/** RFC 2385: as many bytes as the kernel's keys have. */
const maxPasswordBytes = 80;

export const password: Shape<string> = scalar(`a text of at most ${maxPasswordBytes} bytes`, (value) =>
  value !== "" && Utf8.encode(value).length <= maxPasswordBytes ? value : undefined,
);

/** RFC 6286 §2.1: any number but zero. */
export const identifier: Shape<Ipv4> = scalar("an IPv4 address other than 0.0.0.0", (value) => {
  const id = Ipv4.parse(value);
  return id === 0 ? undefined : id;
});

export const prefix: Shape<Prefix> = scalar("a prefix such as 10.1.0.0/16 without host bits", (value) => {
  const parsed = value.includes("/") ? Prefix.parse(value) : undefined;
  return parsed !== undefined && IpAddress.parse(value.replace(/\/.*/, "")) === parsed.address
    ? parsed
    : undefined;
});

/** RFC 5396: also as two halves. RFC 7607: not 0. */
export const asNumber: Shape<number> = scalar("an AS number from 1 to 4294967295", (value) => {
  const [, high, low] = /^(\d{1,5})\.(\d{1,5})$/.exec(value) ?? [];
  if (high === undefined || low === undefined) return wholeNumber(value, 1, 0xffffffff);
  const parts = [wholeNumber(high, 0, 0xffff), wholeNumber(low, 0, 0xffff)];
  const [first, second] = parts;
  if (first === undefined || second === undefined || first + second === 0) return undefined;
  return first * 0x10000 + second;
});

export const port: Shape<number> = whole("a port", 1, 65535);

/** RFC 4271 §4.2: zero, or at least three seconds; the wire has whole seconds. */
export const holdTime: Shape<number> = scalar(
  "0 or whole seconds from 3000 to 65535000 in milliseconds",
  (value) => {
    const milliseconds = wholeNumber(value, 0, 65_535_000);
    if (milliseconds === undefined || milliseconds % 1000 !== 0) return undefined;
    return milliseconds === 0 || milliseconds >= 3000 ? milliseconds : undefined;
  },
);

/** RFC 9687 §3.1. */
export const sendHoldTime: Shape<number> = scalar(
  "0 (never) or milliseconds from 3000 to 65535000",
  (value) => (value === "0" ? 0 : wholeNumber(value, 3000, 65_535_000)),
);

/** RFC 9003 §2: what one octet can count. */
const maxShutdownBytes = 255;

/** `""` is a shutdown without a message. */
export const shutdown: Shape<string | false> = scalar(
  `true, false or a message of at most ${maxShutdownBytes} bytes`,
  (value) => {
    if (value === "false") return false;
    if (value === "true") return "";
    return Utf8.encode(value).length <= maxShutdownBytes ? value : undefined;
  },
);

/** RFC 4724 §3: the restart time has twelve bits. */
export const maxRestartTimeS = 4095;

export const restartTime: Shape<boolean | number> = scalar(
  "true, false, the seconds that routes may be kept, from 1 to 4095, or a mapping",
  (value) => (value === "true" ? true : value === "false" ? false : wholeNumber(value, 1, maxRestartTimeS)),
);

/** RFC 5082: how many hops away the peer may be. */
export const hopCount: Shape<boolean | number> = scalar(
  "true, false or a number of hops from 1 to 254",
  (value) => (value === "true" ? true : value === "false" ? false : wholeNumber(value, 1, 254)),
);

export const family: Shape<IpFamily> = scalar("ipv4 or ipv6", (value) =>
  value === "ipv4" ? 4 : value === "ipv6" ? 6 : undefined,
);

/** A session without one carries nothing. */
export const families: Shape<readonly IpFamily[]> = {
  read: (at) => {
    const read = list(family).read(at);
    if (read === undefined || (read.length > 0 && new Set(read).size === read.length)) return read;
    return at.problem("expected ipv4, ipv6 or both, each once");
  },
};

export const routeTable: Shape<number> = scalar(
  "main or a number of a routing table from 1 to 4294967295",
  (value) => (value === "main" ? 254 : wholeNumber(value, 1, 0xffffffff)),
);

/** The kernel's own numbers, and those that people use by hand, would make others' routes ours to remove. */
export const routeProtocol: Shape<number> = scalar(
  "bird or a number of a route protocol from 5 to 255",
  (value) => (value === "bird" ? 12 : wholeNumber(value, 5, 255)),
);

/** A community of either kind. */
export type Community =
  | { readonly kind: "standard"; readonly value: number }
  | { readonly kind: "large"; readonly value: LargeCommunity };

const namedCommunities: Readonly<Record<string, number>> = {
  "no-export": WellKnownCommunity.noExport,
  "no-advertise": WellKnownCommunity.noAdvertise,
  "no-export-subconfed": WellKnownCommunity.noExportSubconfed,
  "graceful-shutdown": WellKnownCommunity.gracefulShutdown,
  blackhole: WellKnownCommunity.blackhole,
  "no-llgr": WellKnownCommunity.noLlgr,
};

export const community: Shape<Community> = scalar(
  `a community such as 65000:1 or 65000:1:2, or ${Object.keys(namedCommunities).join(", ")}`,
  (value) => {
    const named = Object.hasOwn(namedCommunities, value) ? namedCommunities[value] : undefined;
    if (named !== undefined) return { kind: "standard", value: named };
    const parts = value.split(":");
    const limit = parts.length === 2 ? 0xffff : 0xffffffff;
    const numbers = parts.map((part) => wholeNumber(part, 0, limit));
    const [a, b, c] = numbers;
    if (a === undefined || b === undefined || numbers.includes(undefined)) return undefined;
    if (parts.length === 2) return { kind: "standard", value: a * 0x10000 + b };
    return parts.length === 3 && c !== undefined ? { kind: "large", value: [a, b, c] } : undefined;
  },
);

/** A whole number within bounds, which its message names. */
export function whole(what: string, least: number, most: number): Shape<number> {
  return scalar(`${what} from ${least} to ${most}`, (value) => wholeNumber(value, least, most));
}

/** A whole number within bounds. */
export function wholeNumber(value: string, least: number, most: number): number | undefined {
  const number = /^(0|[1-9]\d{0,15})$/.test(value) ? Number(value) : Number.NaN;
  return number >= least && number <= most ? number : undefined;
}
