import { isIPv4, type Socket } from "node:net";
import { Ipv6 } from "@caracal/net";
import { untilEvent } from "./socket-event.ts";

/** An answer of a proxy longer than this is none. */
const maxProxyHeadBytes = 16_384;

/** What to reach through a proxy. An IPv6 address is without brackets. */
export interface Target {
  readonly host: string;
  readonly port: number;
}

const usualPorts: Readonly<Record<string, number>> = { "http:": 80, "socks5:": 1080, "socks5h:": 1080 };

/** Where a URL leads, by its scheme's port unless it names one. */
export function targetOf(url: URL): Target {
  const host = url.hostname.replace(/^\[(.*)\]$/, "$1");
  return { host, port: url.port === "" ? (usualPorts[url.protocol] ?? 443) : Number(url.port) };
}

/** Whether a proxy of that URL is one that can be gone through. */
export function isProxyUrl(text: string): boolean {
  return URL.canParse(text) && /^(?:https?|socks5h?):$/.test(new URL(text).protocol);
}

/** Has the proxy at the other end of a connection connect to the target: what follows on it is the target's. */
export async function tunnel(socket: Socket, proxy: URL, target: Target): Promise<void> {
  try {
    if (proxy.protocol.startsWith("socks5")) await askSocks(socket, proxy, target);
    else await askHttp(socket, proxy, target);
  } catch (error) {
    socket.destroy();
    throw error;
  }
}

/** RFC 9110 §9.3.6: CONNECT. */
async function askHttp(socket: Socket, proxy: URL, { host, port }: Target): Promise<void> {
  const authority = `${host.includes(":") ? `[${host}]` : host}:${port}`;
  const { name, password } = loginOf(proxy);
  const login = Buffer.from(`${name}:${password}`).toString("base64");
  const authorization = name === "" ? "" : `Proxy-Authorization: Basic ${login}\r\n`;
  socket.write(`CONNECT ${authority} HTTP/1.1\r\nHost: ${authority}\r\n${authorization}\r\n`);
  let head = "";
  // Byte by byte, since what follows the head is the server's.
  while (!head.endsWith("\r\n\r\n")) {
    head += (await readBytes(socket, 1)).toString("latin1");
    if (head.length > maxProxyHeadBytes) throw new Error("it does not answer as a proxy");
  }
  const [, status = "?"] = /^HTTP\/1\.[01] (\d{3})/.exec(head) ?? [];
  if (!status.startsWith("2")) throw new Error(`it refuses to connect (${status})`);
}

const socksVersion = 5;
const SocksMethod = { none: 0, password: 2 } as const;
const SocksAddress = { ipv4: 1, name: 3, ipv6: 4 } as const;

/** RFC 1928 §6. */
const socksFailures: Readonly<Record<number, string>> = {
  1: "it failed",
  2: "its rules forbid it",
  3: "the network is unreachable",
  4: "the host is unreachable",
  5: "the connection was refused",
};

/** RFC 1928: the proxy looks names up. */
async function askSocks(socket: Socket, proxy: URL, { host, port }: Target): Promise<void> {
  const { name, password } = loginOf(proxy);
  const offered = name === "" ? [SocksMethod.none] : [SocksMethod.none, SocksMethod.password];
  socket.write(Buffer.from([socksVersion, offered.length, ...offered]));
  const [version, method] = await readBytes(socket, 2);
  if (version !== socksVersion) throw new Error("it does not speak SOCKS 5");
  if (method === SocksMethod.password && name !== "") {
    await socksLogin(socket, Buffer.from(name), Buffer.from(password));
  } else if (method !== SocksMethod.none) {
    throw new Error("it wants another login");
  }
  const connect = 1;
  socket.write(
    Buffer.concat([
      Buffer.from([socksVersion, connect, 0]),
      socksAddress(host),
      Buffer.from([port >> 8, port & 0xff]),
    ]),
  );
  // RFC 1928 §6: | VER | REP | RSV | ATYP | BND.ADDR | BND.PORT |
  const [, reply = 0, , kind] = await readBytes(socket, 4);
  if (reply !== 0) {
    throw new Error(`it does not connect: ${socksFailures[reply] ?? `code ${reply}`}`);
  }
  const nameLength = kind === SocksAddress.name ? ((await readBytes(socket, 1))[0] ?? 0) : undefined;
  await readBytes(socket, (nameLength ?? (kind === SocksAddress.ipv6 ? 16 : 4)) + 2);
}

/** RFC 1929. */
async function socksLogin(socket: Socket, name: Buffer, password: Buffer): Promise<void> {
  socket.write(
    Buffer.concat([Buffer.from([1, name.length]), name, Buffer.from([password.length]), password]),
  );
  const [, status] = await readBytes(socket, 2);
  if (status !== 0) throw new Error("it refuses the login");
}

function socksAddress(host: string): Buffer {
  if (isIPv4(host)) return Buffer.from([SocksAddress.ipv4, ...host.split(".").map(Number)]);
  const address = Ipv6.parse(host);
  if (address !== undefined) return Buffer.from([SocksAddress.ipv6, ...Ipv6.toBytes(address)]);
  const name = Buffer.from(host);
  return Buffer.concat([Buffer.from([SocksAddress.name, name.length]), name]);
}

function loginOf(proxy: URL): { readonly name: string; readonly password: string } {
  return { name: decodeURIComponent(proxy.username), password: decodeURIComponent(proxy.password) };
}

/** Exactly so many bytes: what follows stays in the socket. */
async function readBytes(socket: Socket, count: number): Promise<Buffer> {
  for (;;) {
    const bytes: unknown = socket.read(count);
    if (bytes instanceof Buffer && bytes.length === count) return bytes;
    if (socket.readableEnded || socket.destroyed) {
      throw Object.assign(new Error("connection closed"), { code: "ECONNRESET" });
    }
    await untilEvent(socket, "readable");
  }
}
