import { type IpAddress, Prefix } from "@caracal/net";
import type { Forwarding, ForwardingTable, KernelRoute } from "./forwarding.ts";

/** Where packets go, by the kernels' tables alone. */
export type Trace =
  | { readonly kind: "delivered"; readonly at: string; readonly path: readonly string[] }
  | { readonly kind: "lost"; readonly at: string; readonly why: string; readonly path: readonly string[] };

const MAX_HOPS = 32;
/** What the host's end of a pod's cable is called. */
const POD_INTERFACE = /^cali/;

/** Follows a pod's address from a node, hop by hop, to the node that has the pod, or to where packets end. */
export function tracePath(forwarding: Forwarding, from: string, destination: IpAddress): Trace {
  const path: string[] = [];
  let at = from;
  const lost = (why: string): Trace => ({ kind: "lost", at, why, path });
  for (let hopCount = 0; hopCount < MAX_HOPS; hopCount += 1) {
    path.push(at);
    const route = longestMatch(forwarding.get(at), destination);
    if (route === undefined) return lost("no route");
    if (route.kind !== "unicast") return lost(route.kind);
    const [hop] = route.hops;
    if (hop === undefined) return lost("a route that leads nowhere");
    if (hop.gateway === undefined) {
      return POD_INTERFACE.test(hop.interface)
        ? { kind: "delivered", at, path }
        : lost(`no pod on ${hop.interface}`);
    }
    const next = ownerOf(forwarding, hop.gateway);
    if (next === undefined) return lost(`${hop.gateway} is no node and no switch`);
    at = next;
  }
  return lost("a loop");
}

/** The trace in one line. */
export function describeTrace(trace: Trace): string {
  const path = trace.path.join(" → ");
  return trace.kind === "delivered" ? path : `${path}: ${trace.why}`;
}

function longestMatch(table: ForwardingTable | undefined, address: IpAddress): KernelRoute | undefined {
  let best: KernelRoute | undefined;
  for (const route of table?.routes ?? []) {
    if (!Prefix.contains(route.destination, address)) continue;
    const [length, bestLength] = [route.destination.length, best?.destination.length ?? -1];
    if (length > bestLength || (length === bestLength && route.metric < (best?.metric ?? 0))) best = route;
  }
  return best;
}

function ownerOf(forwarding: Forwarding, address: string): string | undefined {
  for (const [place, table] of forwarding) {
    if (table.addresses.includes(address)) return place;
  }
  return undefined;
}
