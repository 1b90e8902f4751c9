import type { PeerInput } from "@caracal/bgp";
import { defaultTimers } from "@caracal/bgp";
import type { BgpIntent, PeerIntent } from "@caracal/intent";
import type { IpAddress, IpFamily } from "@caracal/net";
import { policyNames } from "./peer-policies.ts";

/** The speaker's neighbours, from what the node's intent says of them. */
export function peerConfigs(
  intent: BgpIntent,
  addresses: ReadonlyMap<IpFamily, IpAddress>,
): readonly PeerInput[] {
  return intent.peers.map((peer) => peerConfigOf(peer, addresses));
}

function peerConfigOf(peer: PeerIntent, addresses: ReadonlyMap<IpFamily, IpAddress>): PeerInput {
  const carriesIpv4 = peer.carriesIpv4 === true;
  // An IPv4 address of ours would be no use as a next hop to who wants IPv6 ones.
  const other = carriesIpv4 ? undefined : addresses.get(peer.family === 4 ? 6 : 4);
  return {
    name: peer.name,
    address: peer.address,
    port: peer.port,
    asn: peer.remoteAsNumber,
    localAsn: peer.localAsNumber,
    passive: peer.isPassive,
    families: carriesIpv4 ? [peer.family, 4] : [peer.family],
    ...(carriesIpv4 ? { extendedNextHop: true } : {}),
    timers: {
      ...defaultTimers,
      // The first attempt comes at once; a peer that is not there yet is tried again within a quarter of a second.
      connectDelayMs: 0,
      holdTimeMs: peer.holdSeconds * 1000,
      keepaliveMs: peer.keepaliveSeconds * 1000,
    },
    restartTimeS: peer.restartSeconds,
    // A node that fell silent is gone when its hold time is over, as with BIRD: what shared its traffic takes over then.
    restartOnNotification: false,
    nextHop: peer.nextHop === "auto" ? "default" : peer.nextHop,
    reflectorClient: peer.reflectorClusterId !== undefined,
    allowLocalAs: peer.allowedLocalAsCount,
    ...policyNames(peer),
    ...(peer.sourceAddress === undefined ? {} : { sourceAddress: peer.sourceAddress }),
    ...(peer.reflectorClusterId === undefined ? {} : { clusterId: peer.reflectorClusterId }),
    ...(other === undefined ? {} : { otherFamilyAddress: other }),
  };
}
