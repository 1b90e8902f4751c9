import { Prefix } from "@caracal/net";
import type { IpPool } from "@caracal/resources";

/** What of an interface of the host the pods' MTU depends on. */
export interface HostLink {
  readonly name: string;
  readonly isUp: boolean;
  readonly mtu: number;
}

/** Felix's `mtuIfacePattern`: interfaces that lead to other machines. */
export const defaultMtuPattern = "^((en|wl|ww|sl|ib)[Pcopsvx].*|(eth|wlan|wwan).*)";

/** Felix's, where no interface tells. */
const unknownHostMtu = 1460;

/** What a packet grows by on its way to another node. */
const overhead = { ipip: 20, vxlan4: 50, vxlan6: 70 } as const;

/** The largest packet that every interface which leads to other machines can take. */
export function hostMtu(links: readonly HostLink[], pattern: RegExp): number {
  const mtus = links.filter(({ name, isUp }) => isUp && pattern.test(name)).map(({ mtu }) => mtu);
  return mtus.length === 0 ? unknownHostMtu : Math.min(...mtus);
}

/** The largest packet of a pod: what the host can take, less what the pools' encapsulation adds at most. */
export function podMtu(host: number, pools: readonly IpPool[]): number {
  return host - Math.max(0, ...pools.map(overheadOf));
}

function overheadOf({ spec }: IpPool): number {
  if (spec.disabled === true) return 0;
  if ((spec.vxlanMode ?? "Never") !== "Never")
    return Prefix.parse(spec.cidr)?.family === 6 ? overhead.vxlan6 : overhead.vxlan4;
  return (spec.ipipMode ?? "Never") === "Never" ? 0 : overhead.ipip;
}
