import type { PeerTransport } from "@caracal/bgp-tcp";
import type { PeerIntent, SecretKey } from "@caracal/intent";

/**
 * How the connections with neighbours are protected, by their names. As with Calico, a secret that is not there makes a
 * session without password, which a neighbour with one does not accept.
 */
export function peerTransports(
  peers: readonly Pick<PeerIntent, "name" | "ttlSecurityHops" | "password">[],
  passwordOf: (secret: SecretKey) => string | undefined,
): ReadonlyMap<string, PeerTransport> {
  const transports = new Map<string, PeerTransport>();
  for (const { name, ttlSecurityHops, password: secret } of peers) {
    const password = secret === undefined ? undefined : passwordOf(secret);
    if (ttlSecurityHops === undefined && password === undefined) continue;
    transports.set(name, {
      ...(ttlSecurityHops === undefined ? {} : { ttlSecurityHops }),
      ...(password === undefined ? {} : { password }),
    });
  }
  return transports;
}
