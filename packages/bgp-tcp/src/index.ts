/**
 * A BGP speaker on real sockets: `@caracal/bgp` decides, this package connects, listens, writes with bounded queues and
 * wakes it in time.
 *
 * Standards: TCP as in RFC 4271 §8 (port 179 or any other), TCP-MD5 signatures (RFC 2385; also by prefix), GTSM (RFC 5082), BMP's
 * connections (RFC 7854 §3.2).
 * Not here: kernel routes (the node programs what `onBestRoutes` tells it).
 */
export { BgpListenError, type ListenAddress } from "./bgp-listener.ts";
export { BgpServer, type BgpServerOptions } from "./bgp-server.ts";
export { type BmpOptions } from "./bmp-export.ts";
export { type BmpStationAddress, type BmpStationFact } from "./bmp-station.ts";
export { type PeerTransport, PeerTransportError, type SocketOptions } from "./peer-transport.ts";
export { type Clock, systemClock } from "./clock.ts";
