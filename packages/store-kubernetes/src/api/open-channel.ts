import { connect as connectTcp, isIP, type Socket } from "node:net";
import { connect as connectTls, type TLSSocket } from "node:tls";
import type { ApiServer, Identity } from "./api-server.ts";
import type { Channel } from "./channel.ts";
import { Http1Channel } from "./http1-channel.ts";
import { Http2Channel } from "./http2-channel.ts";

/** A connection that is not made by then is given up. */
const connectTimeoutMs = 10_000;
/** The kernel probes an idle connection after so long. */
const tcpKeepAliveMs = 30_000;
/** An answer of a proxy longer than this is none. */
const maxProxyHeadBytes = 16_384;

/** Connects to the server, with HTTP/2 if it speaks that. */
export async function openChannel(server: ApiServer, identity: Identity): Promise<Channel> {
  const url = new URL(server.url);
  if (url.protocol === "http:") return new Http1Channel(url.host, () => connectPlain(url, server.proxyUrl));
  const socket = await secure(server, identity, url);
  if (socket.alpnProtocol === "h2") return new Http2Channel(url.origin, socket);
  // The first connection has served its purpose: the channel makes its own when it needs them.
  socket.destroy();
  return new Http1Channel(url.host, () => secure(server, identity, url));
}

async function secure(server: ApiServer, { certificate }: Identity, url: URL): Promise<TLSSocket> {
  const host = bareHost(url);
  const name = server.serverName ?? host;
  const inner = await connectPlain(url, server.proxyUrl);
  const socket = connectTls({
    socket: inner,
    host: name,
    // RFC 6066 §3: an address is no server name.
    ...(isIP(name) === 0 ? { servername: name } : {}),
    ALPNProtocols: ["h2", "http/1.1"],
    rejectUnauthorized: server.insecureSkipTlsVerify !== true,
    ...(server.ca === undefined ? {} : { ca: server.ca }),
    ...certificate,
  });
  await untilEvent(socket, "secureConnect");
  return socket;
}

async function connectPlain(url: URL, proxyUrl: string | undefined): Promise<Socket> {
  const proxy = proxyUrl === undefined ? undefined : new URL(proxyUrl);
  const target = proxy ?? url;
  const socket = connectTcp({ host: bareHost(target), port: portOf(target) });
  socket.setKeepAlive(true, tcpKeepAliveMs);
  socket.setNoDelay(true);
  await untilEvent(socket, "connect");
  if (proxy !== undefined) await tunnel(socket, `${url.hostname}:${portOf(url)}`, proxy);
  return socket;
}

/** RFC 9110 §9.3.6: asks the proxy for a tunnel to the server. */
async function tunnel(socket: Socket, authority: string, proxy: URL): Promise<void> {
  const login = `${decodeURIComponent(proxy.username)}:${decodeURIComponent(proxy.password)}`;
  const authorization =
    proxy.username === "" ? "" : `Proxy-Authorization: Basic ${Buffer.from(login).toString("base64")}\r\n`;
  socket.write(`CONNECT ${authority} HTTP/1.1\r\nHost: ${authority}\r\n${authorization}\r\n`);
  let head = "";
  while (!head.includes("\r\n\r\n")) {
    await untilEvent(socket, "readable");
    // Byte by byte, since what follows the head is the server's.
    for (let chunk: unknown = socket.read(1); chunk instanceof Buffer; chunk = socket.read(1)) {
      head += chunk.toString("latin1");
      if (head.endsWith("\r\n\r\n") || head.length > maxProxyHeadBytes) break;
    }
    if (head.length > maxProxyHeadBytes) throw new Error(`the proxy ${proxy.host} does not answer as one`);
  }
  const [, status = "?"] = /^HTTP\/1\.[01] (\d{3})/.exec(head) ?? [];
  if (!status.startsWith("2")) {
    socket.destroy();
    throw new Error(`the proxy ${proxy.host} refuses to connect (${status})`);
  }
}

/** Waits for the event; the socket's failure, its end or too long a wait is thrown. */
async function untilEvent(socket: Socket, event: "connect" | "secureConnect" | "readable"): Promise<void> {
  await new Promise<void>((resolve, reject) => {
    const timeout = setTimeout(() => {
      const error = Object.assign(new Error("connect ETIMEDOUT"), { code: "ETIMEDOUT" });
      finish(() => reject(error));
      socket.destroy();
    }, connectTimeoutMs);
    const succeed = (): void => finish(resolve);
    const fail = (error: Error): void => finish(() => reject(error));
    const end = (): void => fail(Object.assign(new Error("connection closed"), { code: "ECONNRESET" }));
    function finish(settle: () => void): void {
      clearTimeout(timeout);
      socket.off(event, succeed);
      socket.off("close", end);
      settle();
    }
    socket.once(event, succeed);
    socket.once("error", fail);
    socket.once("close", end);
  });
}

/** Without the brackets of an IPv6 address. */
function bareHost(url: URL): string {
  return url.hostname.replace(/^\[(.*)\]$/, "$1");
}

function portOf(url: URL): number {
  if (url.port !== "") return Number(url.port);
  return url.protocol === "http:" ? 80 : 443;
}
