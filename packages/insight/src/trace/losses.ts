import type { IpAddress, Prefix } from "@caracal/net";
import { IpAddress as Address, Prefix as Network } from "@caracal/net";
import type { LossReason } from "./trace-result.ts";
import { type PlaceName, placeText } from "./world.ts";

/** Why a packet goes no further, in words, with what to do about it. */
export interface Loss {
  readonly kind: "lost";
  readonly reason: LossReason;
  readonly text: string;
  readonly hint?: string;
}

export function lost(reason: LossReason, text: string, hint?: string): Loss {
  return { kind: "lost", reason, text, ...(hint === undefined ? {} : { hint }) };
}

/** `via` is the prefix of the route that led here, which says more than the address alone. */
export function noRoute(at: PlaceName, destination: IpAddress, via: Prefix | undefined): Loss {
  const target =
    via === undefined || via.length === 0 || Network.isHost(via)
      ? Address.format(destination)
      : `${Network.format(via)} (${Address.format(destination)})`;
  const text = `no route on ${at.name} for ${target}`;
  if (at.kind === "node") {
    const hint = `ask why it lacks one: caracal explain route ${Address.format(destination)} --node ${at.name}`;
    return lost("no-route", text, hint);
  }
  // A route to a block led to the switch: what it lacks are routes to pods.
  if (at.kind !== "switch" || via === undefined || via.length === 0) return lost("no-route", text);
  return lost(
    "no-route",
    `${text}: the nodes told each other of pods, but nobody told ${at.name}`,
    "let nodes peer with their switch (a BGPPeer with the switch as peerIP), or set ipipMode or vxlanMode of the pool to CrossSubnet",
  );
}

export function refused(
  how: "blackhole" | "unreachable" | "prohibit",
  at: PlaceName,
  destination: IpAddress,
  via: Prefix | undefined,
): Loss {
  const address = Address.format(destination);
  if (via === undefined)
    return lost(how, `a routing rule on ${at.name} says ${how} for ${address}`, "look at: ip rule");
  const prefix = Network.format(via);
  if (how === "blackhole" && at.kind === "node" && via.length > 0) {
    return lost(
      how,
      `${prefix} is a block of ${at.name}, but no pod here has ${address}: the block's blackhole route takes it`,
      `ask whose it is: calicoctl ipam show --ip=${address}`,
    );
  }
  return lost(
    how,
    `the route ${how} ${prefix} on ${at.name} takes packets to ${address}`,
    "look at: ip route",
  );
}

export function doesNotFit(at: PlaceName, device: string, mtu: number, bytes: number, isOwn: boolean): Loss {
  const answer = isOwn
    ? "the sender itself is refused it (message too long)"
    : `${at.name} answers "fragmentation needed, MTU ${mtu}"`;
  return lost(
    "mtu",
    `a packet of ${bytes} bytes that may not be fragmented does not fit the ${mtu} of ${device}: ${answer}`,
    "lower the pods' MTU (FelixConfiguration mtu settings, CNI mtu), or raise that of the network",
  );
}

export function notForwarding(at: PlaceName, destination: IpAddress, setting: string): Loss {
  const address = Address.format(destination);
  return at.kind === "pod"
    ? lost(
        "no-address",
        `${placeText(at)} does not have ${address}, and forwards nothing`,
        `the route that led here is stale: caracal explain route ${address}`,
      )
    : lost(
        "not-forwarding",
        `${at.name} does not forward: net/${setting} is 0`,
        `sysctl -w net.${setting.replaceAll("/", ".")}=1`,
      );
}
