import { lookup } from "node:dns/promises";
import { readSysctl, Rtnetlink, writeSysctl } from "@caracal/linux";
import { IpAddress, Prefix } from "@caracal/net";
import { Iff, RouteProtocol } from "@caracal/netlink";
import type { DetectionHost } from "./autodetect.ts";
import type { HostInterface } from "./host-interface.ts";

/** The network namespace that the daemon runs in. */
export class LocalHost implements DetectionHost {
  interfaces(): readonly HostInterface[] {
    using kernel = Rtnetlink.open();
    const addresses = kernel.addresses();
    return kernel.links().map((link) => ({
      name: link.name,
      isUp: (link.flags & Iff.IFF_UP) !== 0,
      addresses: addresses
        .filter((entry) => entry.interfaceIndex === link.index)
        .map((entry) => ({
          address: entry.address,
          network: Prefix.of(entry.address, entry.prefixLength),
        })),
    }));
  }

  async sourceTowards(target: string, family: 4 | 6): Promise<IpAddress | undefined> {
    const destination = IpAddress.parse(target) ?? (await resolve(target, family));
    if (destination === undefined || IpAddress.family(destination) !== family) return undefined;
    using kernel = Rtnetlink.open();
    const route = kernel.routeTo(destination);
    if (route === undefined) return undefined;
    if (route.preferredSource !== undefined) return route.preferredSource;
    // Without a preferred source the kernel takes the interface's first address of the family.
    const interfaceIndex = route.nextHops[0]?.interfaceIndex;
    return kernel
      .addresses(interfaceIndex)
      .find((entry) => IpAddress.family(entry.address) === family && entry.interfaceIndex === interfaceIndex)
      ?.address;
  }

  /**
   * Lets the host forward between pods and the network. IPv6 may be switched off: then there is nothing to forward. Gives the
   * interfaces that are told to go on taking their default route from router advertisements, which a host that forwards drops.
   */
  enableForwarding(): readonly string[] {
    writeSysctl("net/ipv4/ip_forward", "1");
    try {
      const isForwarding = readSysctl("net/ipv6/conf/all/forwarding") === "1";
      const kept = isForwarding ? [] : keepAdvertisedRoutes();
      writeSysctl("net/ipv6/conf/all/forwarding", "1");
      return kept;
    } catch {
      // No IPv6 in this kernel.
      return [];
    }
  }
}

/** `accept_ra` 1 holds for hosts alone, 2 for routers too (linux/Documentation/networking/ip-sysctl, accept_ra). */
function keepAdvertisedRoutes(): readonly string[] {
  using kernel = Rtnetlink.open();
  const names = new Map(kernel.links().map(({ index, name }) => [index, name]));
  const advertised = kernel
    .routes({ family: 6, protocol: RouteProtocol.RTPROT_RA })
    .filter(({ destination }) => destination.length === 0)
    .flatMap(({ nextHops }) => nextHops.flatMap(({ interfaceIndex = 0 }) => names.get(interfaceIndex) ?? []));
  return [...new Set(advertised)].filter((name) => {
    const path = `net/ipv6/conf/${name}/accept_ra`;
    if (readSysctl(path) !== "1") return false;
    writeSysctl(path, 2);
    return true;
  });
}

async function resolve(name: string, family: 4 | 6): Promise<IpAddress | undefined> {
  try {
    return IpAddress.parse((await lookup(name, { family })).address);
  } catch {
    return undefined;
  }
}
