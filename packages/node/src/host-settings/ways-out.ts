import type { Tunnel } from "@caracal/intent";
import type { Rtnetlink } from "@caracal/linux";
import type { IpAddress, IpFamily } from "@caracal/net";

/** The interfaces by which a node reaches others' pods, with the families they carry: its tunnels' devices, and those of its own addresses. */
export function waysOut(
  tunnels: readonly Tunnel[],
  own: ReadonlyMap<IpFamily, IpAddress>,
  tables: Pick<Rtnetlink, "addresses" | "link">,
): ReadonlyMap<string, ReadonlySet<IpFamily>> {
  const ways = new Map<string, Set<IpFamily>>();
  const add = (name: string, family: IpFamily): void =>
    void ways.set(name, (ways.get(name) ?? new Set<IpFamily>()).add(family));
  for (const { name, family } of tunnels) add(name, family);
  const present = own.size === 0 ? [] : tables.addresses();
  for (const [family, address] of own) {
    const index = present.find((one) => one.address === address)?.interfaceIndex;
    const name = index === undefined ? undefined : tables.link(index)?.name;
    if (name !== undefined) add(name, family);
  }
  return ways;
}
