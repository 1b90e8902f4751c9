import { compileGoPattern } from "@caracal/resources";

/** What of an interface of the host the pods' MTU depends on. */
export interface HostLink {
  readonly name: string;
  readonly isUp: boolean;
  readonly mtu: number;
}

/** Felix's `mtuIfacePattern`: interfaces that lead to other machines. */
export const defaultMtuPattern = "^((en|wl|ww|sl|ib)[Pcopsvx].*|(eth|wlan|wwan).*)";

/** Felix's, where no interface tells. */
export const unknownHostMtu = 1460;

/** The largest packet that every interface which leads to other machines can take; `undefined` while none does. */
export function hostMtu(links: readonly HostLink[], pattern: RegExp): number | undefined {
  const mtus = links.filter(({ name, isUp }) => isUp && pattern.test(name)).map(({ mtu }) => mtu);
  return mtus.length === 0 ? undefined : Math.min(...mtus);
}

/** The pattern of `mtuIfacePattern`, or undefined for what is no regular expression. */
export function compileMtuPattern(text: string | undefined): RegExp | undefined {
  return compileGoPattern(text === undefined || text === "" ? defaultMtuPattern : text);
}
