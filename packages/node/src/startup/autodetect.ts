import { IpAddress, Ipv6, Prefix } from "@caracal/net";
import { compileGoPattern } from "@caracal/resources";
import type { HostAddress, HostInterface } from "./host-interface.ts";

/**
 * An autodetection method of `IP_AUTODETECTION_METHOD` (facts: node start-up §3), parsed.
 * Regular expressions match anywhere in the name, as Calico's do.
 */
export type DetectionMethod =
  | { readonly kind: "first-found" }
  | { readonly kind: "interface"; readonly patterns: readonly RegExp[] }
  | { readonly kind: "skip-interface"; readonly patterns: readonly RegExp[] }
  | { readonly kind: "cidr"; readonly networks: readonly Prefix[] }
  | { readonly kind: "can-reach"; readonly target: string }
  | { readonly kind: "kubernetes-internal-ip" };

/** What detection asks of the host. */
export interface DetectionHost {
  /** In kernel order. */
  interfaces(): readonly HostInterface[];
  /** The source address that the kernel would use towards `target`, or undefined when there is no route. */
  sourceTowards(target: string, family: 4 | 6): Promise<IpAddress | undefined>;
}

/** What of the node is known before its own addresses are. */
export interface KnownOfNode {
  /** Kubernetes' InternalIPs of the node. */
  readonly internalAddresses?: readonly IpAddress[];
}

const defaultExclusions = [
  "docker.*",
  "cbr.*",
  "dummy.*",
  "podman.*",
  "virbr.*",
  "lxcbr.*",
  "veth.*",
  "lo$",
  "br-.*",
  "cali.*",
  "tunl.*",
  "flannel.*",
  "kube-ipvs.*",
  "cni.*",
  "vxlan.calico.*",
  "vxlan-v6.calico.*",
  "wireguard.cali.*",
  "wg-v6.cali.*",
  "nodelocaldns.*",
].map((pattern) => new RegExp(`^${pattern}`));

/** Parses a method; a string is the reason why it cannot be. */
export function parseDetectionMethod(text: string): DetectionMethod | string {
  if (text === "first-found" || text === "kubernetes-internal-ip") return { kind: text };
  const [name, rest] = splitOnce(text, "=");
  const items = rest.split(",").filter((item) => item !== "");
  switch (name) {
    case "interface":
    case "skip-interface": {
      const patterns = compilePatterns(items);
      if (typeof patterns === "string") return patterns;
      return items.length === 0 ? `${name}= needs at least one pattern` : { kind: name, patterns };
    }
    case "cidr": {
      const networks = items.map((item) => Prefix.parseInterface(item)?.network ?? item);
      const wrong = networks.find((network) => typeof network === "string");
      if (wrong !== undefined) return `'${String(wrong)}' is not a CIDR`;
      const parsed = networks.filter((network) => typeof network !== "string");
      return parsed.length === 0 ? "cidr= needs at least one CIDR" : { kind: "cidr", networks: parsed };
    }
    case "can-reach":
      return rest === "" ? "can-reach= needs an address or a name" : { kind: "can-reach", target: rest };
    default:
      return `unknown method '${text}': use first-found, interface=REGEX, skip-interface=REGEX, cidr=CIDR, can-reach=HOST or kubernetes-internal-ip`;
  }
}

/** The node's own address of a family with its network, or undefined when no interface qualifies. */
export async function detectAddress(
  method: DetectionMethod,
  family: 4 | 6,
  host: DetectionHost,
  { internalAddresses = [] }: KnownOfNode = {},
): Promise<(HostAddress & { readonly interfaceName: string }) | undefined> {
  const up = host.interfaces().filter((candidate) => candidate.isUp);
  switch (method.kind) {
    case "first-found":
      return firstAddress(up.filter(isNotExcluded), family, () => true);
    case "skip-interface":
      return firstAddress(
        up.filter(
          (item) => isNotExcluded(item) && !method.patterns.some((pattern) => pattern.test(item.name)),
        ),
        family,
        () => true,
      );
    case "interface":
      for (const pattern of method.patterns) {
        const matching = up.filter((item) => pattern.test(item.name));
        const found = firstAddress(matching, family, () => true);
        if (found !== undefined) return found;
      }
      return undefined;
    case "cidr":
      return firstAddress(up.filter(isNotExcluded), family, (address) =>
        method.networks.some((network) => Prefix.contains(network, address)),
      );
    case "kubernetes-internal-ip":
      // Kubernetes names the node's main address of each family first.
      for (const internal of internalAddresses) {
        const found = firstAddress(up, family, (address) => address === internal);
        if (found !== undefined) return found;
      }
      return undefined;
    case "can-reach": {
      const source = await host.sourceTowards(method.target, family);
      return source === undefined ? undefined : firstAddress(up, family, (address) => address === source);
    }
  }
}

/** The interface that holds `address`, with the prefix length it has there. */
export function findLocalAddress(
  interfaces: readonly HostInterface[],
  address: IpAddress,
): (HostAddress & { readonly interfaceName: string }) | undefined {
  return firstAddress(interfaces, IpAddress.family(address), (candidate) => candidate === address);
}

function firstAddress(
  interfaces: readonly HostInterface[],
  family: 4 | 6,
  accepts: (address: IpAddress) => boolean,
): (HostAddress & { readonly interfaceName: string }) | undefined {
  for (const item of interfaces) {
    for (const entry of item.addresses) {
      if (IpAddress.family(entry.address) !== family || !isGlobalUnicast(entry.address)) continue;
      if (accepts(entry.address)) return { ...entry, interfaceName: item.name };
    }
  }
  return undefined;
}

function isNotExcluded(item: HostInterface): boolean {
  return !defaultExclusions.some((pattern) => pattern.test(item.name));
}

/** Neither unspecified, loopback, link-local nor multicast. */
function isGlobalUnicast(address: IpAddress): boolean {
  if (IpAddress.isIpv4(address)) {
    const first = address >>> 24;
    return address !== 0 && first !== 127 && first < 224 && address >>> 16 !== 0xa9fe;
  }
  return address > 1n && !Ipv6.isLinkLocal(address) && address >> 120n !== 0xffn;
}

function compilePatterns(items: readonly string[]): readonly RegExp[] | string {
  const patterns: RegExp[] = [];
  for (const item of items) {
    const pattern = compileGoPattern(item);
    if (pattern === undefined) return `'${item}' is not a regular expression`;
    patterns.push(pattern);
  }
  return patterns;
}

function splitOnce(text: string, separator: string): readonly [string, string] {
  const at = text.indexOf(separator);
  return at < 0 ? [text, ""] : [text.slice(0, at), text.slice(at + 1)];
}
