import { IpAddress, Ipv4 } from "@caracal/net";
import type { NodeFacts } from "./cluster.ts";
import type { IntentProblem } from "./intent-problem.ts";

/** How a node gets its BGP identifier. */
export interface RouterIdSettings {
  /** `CALICO_ROUTER_ID`: absent or empty takes the node's IPv4 address, `hash` its name, else an address. */
  readonly routerId?: string;
  /** SHA-256 of a text's UTF-8, for `hash`. */
  readonly sha256: (text: string) => Uint8Array;
}

/** The node's BGP identifier, or `undefined` with a problem where nothing gives one. */
export function routerIdOf(
  node: NodeFacts,
  settings: RouterIdSettings,
  problems: IntentProblem[],
): Ipv4 | undefined {
  const { routerId = "" } = settings;
  const about = `Node(${node.name})`;
  if (routerId === "hash") return hashedRouterId(settings.sha256(node.name));
  if (routerId !== "") {
    const literal = Ipv4.parse(routerId);
    if (literal === undefined) {
      problems.push({ about, message: `CALICO_ROUTER_ID=${routerId} is neither "hash" nor an IPv4 address` });
    }
    return literal;
  }
  const address = node.addresses.get(4)?.address;
  if (address !== undefined && IpAddress.isIpv4(address)) return address;
  const message =
    "has no IPv4 address to take a router ID from: set CALICO_ROUTER_ID to hash or to an address";
  problems.push({ about, message });
  return undefined;
}

/** The first four bytes of the name's hash; class D and E addresses are moved down, out of multicast. */
function hashedRouterId(digest: Uint8Array): Ipv4 {
  const [first = 0, ...rest] = digest.subarray(0, 4);
  return Ipv4.read(Uint8Array.of(first > 223 ? first - 32 : first, ...rest));
}
