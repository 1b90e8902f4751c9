import type { FelixSettings } from "./felix-settings.ts";
import type { IntentProblem } from "./intent-problem.ts";

/** Settings that ask for what there is not: who relies on one must know. */
export function unsupportedSettings(felix: FelixSettings): readonly IntentProblem[] {
  const asked: readonly (readonly [name: string, isAsked: boolean, message: string])[] = [
    [
      "wireguardEnabled",
      felix.wireguardEnabled === true,
      "is not done: packets between nodes are not encrypted",
    ],
    [
      "wireguardEnabledV6",
      felix.wireguardEnabledV6 === true,
      "is not done: packets between nodes are not encrypted",
    ],
    ["bpfEnabled", felix.bpfEnabled === true, "is not done: the kernel's own forwarding carries packets"],
    [
      "routeSyncDisabled",
      felix.routeSyncDisabled === true,
      "is not done: routes are programmed all the same",
    ],
    [
      "nftablesMode",
      felix.nftablesMode === "Disabled",
      "Disabled is not done: NAT and the protection of tunnels are in nftables, which a host with iptables takes beside its own",
    ],
  ];
  return asked.flatMap(([name, isAsked, message]) =>
    isAsked ? [{ about: `FelixConfiguration ${name}`, message }] : [],
  );
}
