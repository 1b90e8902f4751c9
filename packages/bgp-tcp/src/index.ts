/**
 * A BGP speaker on real sockets: `@caracal/bgp` decides, this package connects, listens, writes with bounded queues and
 * wakes it in time. TCP as in RFC 4271 §8 (port 179 or any other).
 *
 * Not here: TCP-MD5, TTL security, kernel routes (the node programs what `onBestRoutes` tells it).
 */
export { BgpListenError, type ListenAddress } from "./bgp-listener.ts";
export { BgpServer, type BgpServerOptions } from "./bgp-server.ts";
export { type Clock, systemClock } from "./clock.ts";
