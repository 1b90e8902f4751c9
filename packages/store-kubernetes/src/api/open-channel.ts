import { connect as connectTcp, isIP, type Socket } from "node:net";
import { connect as connectTls, getCACertificates, type TLSSocket } from "node:tls";
import { reasonOf } from "./api-failure.ts";
import type { ApiServer, Identity } from "./api-server.ts";
import type { Channel } from "./channel.ts";
import { Http1Channel } from "./http1-channel.ts";
import { Http2Channel } from "./http2-channel.ts";
import { targetOf, tunnel } from "./proxy.ts";
import { untilEvent } from "./socket-event.ts";

/** The kernel probes an idle connection after so long. */
const tcpKeepAliveMs = 30_000;

/** Connects to the server, with HTTP/2 if it speaks that. */
export async function openChannel(server: ApiServer, identity: Identity): Promise<Channel> {
  const url = new URL(server.url);
  if (url.protocol === "http:") return new Http1Channel(url.host, () => connectPlain(url, server));
  const socket = await secure(server, identity, url);
  if (socket.alpnProtocol === "h2") return new Http2Channel(url.origin, socket);
  // The first connection has served its purpose: the channel makes its own when it needs them.
  socket.destroy();
  return new Http1Channel(url.host, () => secure(server, identity, url));
}

async function secure(server: ApiServer, { certificate }: Identity, url: URL): Promise<TLSSocket> {
  const socket = await connectPlain(url, server);
  const ca = server.ca === undefined ? undefined : [server.ca];
  const host = server.serverName ?? targetOf(url).host;
  return overTls(socket, { host, protocols: ["h2", "http/1.1"], ca, certificate }, server);
}

async function connectPlain(url: URL, server: ApiServer): Promise<Socket> {
  if (server.proxyUrl === undefined) return connectTo(url);
  const proxy = new URL(server.proxyUrl);
  try {
    const socket = await connectTo(proxy);
    const inner = proxy.protocol === "https:" ? await secureProxy(socket, proxy, server) : socket;
    await tunnel(inner, proxy, targetOf(url));
    return inner;
  } catch (error) {
    throw new Error(`the proxy ${proxy.host}: ${reasonOf(error)}`, { cause: error });
  }
}

async function connectTo(url: URL): Promise<Socket> {
  const socket = connectTcp(targetOf(url));
  socket.setKeepAlive(true, tcpKeepAliveMs);
  socket.setNoDelay(true);
  await untilEvent(socket, "connect");
  return socket;
}

/** The proxy's certificate is signed by one of the system's authorities, or by the cluster's. */
async function secureProxy(socket: Socket, proxy: URL, server: ApiServer): Promise<TLSSocket> {
  const ca = server.ca === undefined ? undefined : [...getCACertificates("default"), server.ca];
  return overTls(socket, { host: targetOf(proxy).host, protocols: ["http/1.1"], ca }, server);
}

interface TlsPeer {
  /** Whose certificate is expected. */
  readonly host: string;
  /** Offered by ALPN. */
  readonly protocols: string[];
  /** The system's authorities unless told. */
  readonly ca: string[] | undefined;
  /** Ours. */
  readonly certificate?: Identity["certificate"];
}

async function overTls(
  socket: Socket,
  { host, protocols, ca, certificate }: TlsPeer,
  { insecureSkipTlsVerify }: ApiServer,
): Promise<TLSSocket> {
  const secured = connectTls({
    socket,
    host,
    // RFC 6066 §3: an address is no server name.
    ...(isIP(host) === 0 && { servername: host }),
    ALPNProtocols: protocols,
    rejectUnauthorized: insecureSkipTlsVerify !== true,
    ...(ca !== undefined && { ca }),
    ...certificate,
  });
  await untilEvent(secured, "secureConnect");
  return secured;
}
