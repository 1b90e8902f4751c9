import { lookup } from "node:dns/promises";
import { Rtnetlink, writeSysctl } from "@caracal/linux";
import { IpAddress, Prefix } from "@caracal/net";
import { Iff } from "@caracal/netlink";
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

  /** Lets the host forward between pods and the network. IPv6 may be switched off: then there is nothing to forward. */
  enableForwarding(): void {
    writeSysctl("net/ipv4/ip_forward", "1");
    try {
      writeSysctl("net/ipv6/conf/all/forwarding", "1");
    } catch {
      // No IPv6 in this kernel.
    }
  }
}

async function resolve(name: string, family: 4 | 6): Promise<IpAddress | undefined> {
  try {
    return IpAddress.parse((await lookup(name, { family })).address);
  } catch {
    return undefined;
  }
}
