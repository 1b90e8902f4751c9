import { Mac } from "@caracal/netlink";

/** IEEE 802 §8.2: the first octet's lowest bit marks a group of stations. */
const groupBit = 2 ** 40;

/** A MAC that an interface can have, in the kernel's form; the kernel refuses others too, but later, and does not say why. */
export function parsePodMac(text: string): string | undefined {
  const mac = parseMac(text);
  if (mac === undefined || mac === Mac.parse("00:00:00:00:00:00") || isGroup(mac)) return undefined;
  return Mac.format(mac);
}

function isGroup(mac: Mac): boolean {
  return Math.floor(mac / groupBit) % 2 === 1;
}

/** In any form that Go reads, which is Calico's: pairs with colons or dashes, groups of four digits with dots. */
function parseMac(text: string): Mac | undefined {
  const isDashed = /^[^:.]*$/.test(text);
  const isDotted = /^[0-9a-f]{4}(\.[0-9a-f]{4}){2}$/i.test(text);
  if (isDotted) return Mac.parse(text.replaceAll(".", "").replaceAll(/..(?!$)/g, "$&:"));
  return Mac.parse(isDashed ? text.replaceAll("-", ":") : text);
}
