import type { FelixSettings, PodRoute } from "@caracal/intent";
import type { IpFamily } from "@caracal/net";

/** A kernel setting below `/proc/sys` as it should be. */
export interface KernelSetting {
  readonly path: string;
  readonly value: number;
}

/** What holds for the whole host: it forwards between pods and the network, unless it is told not to. */
export function hostWideSettings({ ipForwarding, ipv6Support }: FelixSettings): readonly KernelSetting[] {
  if (ipForwarding === "Disabled") return [];
  return [
    { path: "net/ipv4/ip_forward", value: 1 },
    ...(ipv6Support === false ? [] : [{ path: "net/ipv6/conf/all/forwarding", value: 1 }]),
  ];
}

/** An interface that leads to other nodes, or a tunnel's device: what comes in by it is for pods. */
export function forwardingSettings(
  name: string,
  families: ReadonlySet<IpFamily>,
  { ipForwarding, ipv6Support }: FelixSettings,
): readonly KernelSetting[] {
  const forwards = ipForwarding !== "Disabled";
  const has6 = families.has(6) && ipv6Support !== false;
  return [
    ...(forwards && families.has(4) ? [{ path: `net/ipv4/conf/${name}/forwarding`, value: 1 }] : []),
    ...(has6 ? [{ path: `net/ipv6/conf/${name}/disable_ipv6`, value: 0 }] : []),
    ...(forwards && has6 ? [{ path: `net/ipv6/conf/${name}/forwarding`, value: 1 }] : []),
  ];
}

/** The host's end of a pod's interface: it answers for the pod's gateway, forwards, and takes no router's word (facts: CNI, §3.6). */
export function podInterfaceSettings(
  name: string,
  families: ReadonlySet<IpFamily>,
  rpFilter: number,
): readonly KernelSetting[] {
  return [
    ...(families.has(4)
      ? [
          { path: `net/ipv4/conf/${name}/proxy_arp`, value: 1 },
          { path: `net/ipv4/conf/${name}/forwarding`, value: 1 },
          { path: `net/ipv4/conf/${name}/route_localnet`, value: 1 },
          { path: `net/ipv4/conf/${name}/rp_filter`, value: rpFilter },
          { path: `net/ipv4/neigh/${name}/proxy_delay`, value: 0 },
        ]
      : []),
    ...(families.has(6)
      ? [
          // First: without IPv6 the others are of no use.
          { path: `net/ipv6/conf/${name}/disable_ipv6`, value: 0 },
          { path: `net/ipv6/conf/${name}/proxy_ndp`, value: 1 },
          { path: `net/ipv6/conf/${name}/forwarding`, value: 1 },
          { path: `net/ipv6/conf/${name}/accept_ra`, value: 0 },
        ]
      : []),
  ];
}

/**
 * The pods' interfaces with the families that they have addresses of. An endpoint that somebody wrote by hand may name any
 * interface: only names that begin as pods' do count.
 */
export function podInterfaces(
  routes: readonly PodRoute[],
  prefixes: readonly string[],
): ReadonlyMap<string, ReadonlySet<IpFamily>> {
  const interfaces = new Map<string, Set<IpFamily>>();
  for (const { interfaceName, prefix } of routes) {
    if (!prefixes.some((start) => interfaceName.startsWith(start))) continue;
    const families = interfaces.get(interfaceName) ?? new Set();
    interfaces.set(interfaceName, families.add(prefix.family));
  }
  return interfaces;
}
