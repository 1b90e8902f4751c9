import { IpAddress } from "@caracal/net";
import { CliError } from "../cli-error.ts";

/** RFC 4291 §2.5.5.2: an IPv4 address as IPv6 writes it. */
const mappedPrefix = /^::ffff:(?=\d+\.)/i;

/** The address that a person named; one of IPv4 in IPv6's form is that of IPv4, as Calico has it. */
export function parseAddress(text: string): IpAddress {
  const address = IpAddress.parse(text.replace(mappedPrefix, ""));
  if (address === undefined) {
    throw new CliError(`Error executing command: invalid IP address specified: ${text}`);
  }
  return address;
}
