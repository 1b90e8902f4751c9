import { IpAddress, Prefix, type Prefix4, type Prefix6 } from "@caracal/net";
import type { YamlValue } from "./yaml-value.ts";

/** Readers for the texts of a topology file: each gives the value, or `undefined` for what it does not take. */

export function matching(pattern: RegExp): (text: string) => string | undefined {
  return (text) => (pattern.test(text) ? text : undefined);
}

export function oneOf<T extends string>(choices: readonly T[]): (text: string) => T | undefined {
  return (text) => choices.find((choice) => choice === text);
}

export function readPrefix(text: string): Prefix4 | undefined {
  const prefix = text.includes("/") ? Prefix.parse(text) : undefined;
  return prefix?.family === 4 ? prefix : undefined;
}

export function readPrefix6(text: string): Prefix6 | undefined {
  const prefix = text.includes("/") ? Prefix.parse(text) : undefined;
  return prefix?.family === 6 ? prefix : undefined;
}

/** A prefix of either family. */
export function readAnyPrefix(text: string): Prefix | undefined {
  return readPrefix(text) ?? readPrefix6(text);
}

/** An address of either family, in its canonical text. */
export function readAddress(text: string): string | undefined {
  const address = IpAddress.parse(text);
  return address === undefined ? undefined : IpAddress.format(address);
}

/** An address of the subnet that a host may have, neither the network's own nor the broadcast address; in its canonical text. */
export function readHost(text: string, subnet: Prefix): string | undefined {
  const address = IpAddress.parse(text);
  if (address === undefined || !Prefix.contains(subnet, address)) return undefined;
  const isBroadcast = subnet.family === 4 && address === Prefix.last(subnet);
  return address === subnet.address || isBroadcast ? undefined : IpAddress.format(address);
}

export function readWhole(least: number, most: number): (text: string) => number | undefined {
  return (text) => {
    const value = /^[0-9]+$/.test(text) ? Number(text) : Number.NaN;
    return value >= least && value <= most ? value : undefined;
  };
}

export function readBoolean(text: string): boolean | undefined {
  if (text === "true") return true;
  return text === "false" ? false : undefined;
}

/** A mapping of texts; none when the key is absent. */
export function readTexts(value: YamlValue | undefined): Readonly<Record<string, string>> {
  return Object.fromEntries((value?.entries() ?? []).map(([key, member]) => [key, member.text()]));
}

/** Refuses the first of `values` whose key an earlier one has. */
export function unique(values: readonly YamlValue[], keys: readonly string[]): void {
  for (const [index, key] of keys.entries()) {
    if (keys.indexOf(key) < index) values[index]?.fail(`${key} is there twice`);
  }
}
