import { createHash } from "node:crypto";
import { IpAddress, Prefix } from "@caracal/net";

/** A name in today's form: lower case, `/` and runs with a dot as one dot, any other character as a dash. */
export function nodeName(name: string): string {
  return name
    .toLowerCase()
    .replaceAll("/", ".")
    .replaceAll(/[^-.a-z0-9]+/g, "-")
    .replaceAll(/[.-]*\.[.-]*/g, ".")
    .replaceAll(/^[.-]+|[.-]+$/g, "");
}

/** As `nodeName`; where that changed the name, the end tells names apart that have become the same. */
export function resourceName(name: string): string {
  return qualified(name, nodeName(name));
}

/** As `resourceName`, and without dots: those stand between a tier and a name. */
export function policyName(name: string): string {
  return qualified(name, nodeName(name).replaceAll(".", "-"));
}

/** Namespaces' profiles begin otherwise than they did. */
export function profileName(name: string): string {
  return resourceName(name.replace(/^k8s_ns\./, "kns."));
}

function qualified(before: string, after: string): string {
  if (before === after) return after;
  return `${after}-${createHash("sha1").update(before).digest("hex").slice(0, 8)}`;
}

/** `10-0-0-1`, or all eight groups of an IPv6 address; `undefined` for what is no address. */
export function addressName(text: string): string | undefined {
  const address = IpAddress.parse(text);
  if (address === undefined) return undefined;
  if (IpAddress.family(address) === 4) return IpAddress.format(address).replaceAll(".", "-");
  const digits = BigInt(address).toString(16).padStart(32, "0");
  return (digits.match(/.{4}/g) ?? []).join("-");
}

/** `10-0-0-0-16`. */
export function rangeName(text: string): string | undefined {
  const range = Prefix.parseInterface(text)?.network;
  const name = range === undefined ? undefined : addressName(IpAddress.format(range.address));
  return range === undefined || name === undefined ? undefined : `${name}-${range.length}`;
}
