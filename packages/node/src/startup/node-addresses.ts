import { IpAddress, Prefix } from "@caracal/net";
import type { Node } from "@caracal/resources";
import type { AddressConfig } from "../config.ts";
import {
  detectAddress,
  type DetectionHost,
  findLocalAddress,
  type KnownOfNode,
  parseDetectionMethod,
} from "./autodetect.ts";

/** The address of one family that the Node resource shall hold, as `address/length`. */
export type AddressOutcome =
  | { readonly kind: "address"; readonly cidr: string; readonly how: string; readonly warning?: string }
  | { readonly kind: "none" }
  | { readonly kind: "failed"; readonly reason: string };

/**
 * Decides the node's address of a family (facts: node start-up §3): a literal, a detected one, or the stored one.
 * IPv6 is never detected unless asked for.
 */
export async function chooseAddress(
  family: 4 | 6,
  config: AddressConfig,
  stored: string | undefined,
  host: DetectionHost,
  known: KnownOfNode = {},
): Promise<AddressOutcome> {
  const variable = family === 4 ? "IP" : "IP6";
  if (config.source === "none") return keep(stored);
  if (config.source !== "" && config.source !== "autodetect")
    return literal(family, variable, config.source, host);
  if (config.source === "" && stored !== undefined) return keepChecked(stored, host);
  if (config.source === "" && family === 6) return { kind: "none" };
  return detect(family, config.method, variable, stored, host, known);
}

/** Another node that claims one of our addresses, as Calico's error line, or undefined. */
export function addressConflict(node: Node, others: readonly Node[]): string | undefined {
  for (const other of others) {
    if (other.metadata.name === node.metadata.name) continue;
    for (const [family, field] of [
      ["IPv4", "ipv4Address"],
      ["IPv6", "ipv6Address"],
    ] as const) {
      const mine = bareAddress(node.spec.bgp?.[field]);
      if (mine !== undefined && mine === bareAddress(other.spec.bgp?.[field])) {
        return `${family} address conflict: node ${other.metadata.name ?? ""} already uses ${IpAddress.format(mine)}; give this node another address with ${family === "IPv4" ? "IP" : "IP6"}, or delete the other node`;
      }
    }
  }
  return undefined;
}

function bareAddress(cidr: string | undefined): IpAddress | undefined {
  return cidr === undefined ? undefined : Prefix.parseInterface(cidr)?.address;
}

function keep(stored: string | undefined): AddressOutcome {
  return stored === undefined ? { kind: "none" } : { kind: "address", cidr: stored, how: "stored" };
}

function keepChecked(stored: string, host: DetectionHost): AddressOutcome {
  const address = bareAddress(stored);
  const isLocal = address !== undefined && findLocalAddress(host.interfaces(), address) !== undefined;
  if (isLocal) return { kind: "address", cidr: stored, how: "stored" };
  return {
    kind: "address",
    cidr: stored,
    how: "stored",
    warning: `${stored} is not on any interface of this host`,
  };
}

function literal(family: 4 | 6, variable: string, text: string, host: DetectionHost): AddressOutcome {
  const parsed = Prefix.parseInterface(text);
  if (parsed === undefined || parsed.network.family !== family) {
    return {
      kind: "failed",
      reason: `${variable}='${text}' is not an IPv${family} address, 'autodetect' or 'none'`,
    };
  }
  if (text.includes("/")) return { kind: "address", cidr: text, how: "configured" };
  const local = findLocalAddress(host.interfaces(), parsed.address);
  const length = local?.network.length ?? parsed.network.length;
  return { kind: "address", cidr: `${IpAddress.format(parsed.address)}/${length}`, how: "configured" };
}

async function detect(
  family: 4 | 6,
  methodText: string,
  variable: string,
  stored: string | undefined,
  host: DetectionHost,
  known: KnownOfNode,
): Promise<AddressOutcome> {
  const method = parseDetectionMethod(methodText);
  if (typeof method === "string")
    return { kind: "failed", reason: `${variable}_AUTODETECTION_METHOD: ${method}` };
  const found = await detectAddress(method, family, host, known);
  if (found !== undefined) {
    const cidr = `${IpAddress.format(found.address)}/${found.network.length}`;
    return { kind: "address", cidr, how: `${methodText} on ${found.interfaceName}` };
  }
  if (stored !== undefined) {
    return {
      kind: "address",
      cidr: stored,
      how: "stored",
      warning: `${methodText} finds no IPv${family} address`,
    };
  }
  return {
    kind: "failed",
    reason: `no IPv${family} address found by ${variable}_AUTODETECTION_METHOD=${methodText}; set ${variable} to the node's address`,
  };
}
