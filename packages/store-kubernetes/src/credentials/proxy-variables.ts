import { isIP } from "node:net";
import { IpAddress, Prefix } from "@caracal/net";
import { StoreError } from "@caracal/datastore";
import { isProxyUrl, targetOf } from "../api/proxy.ts";

/**
 * The proxy that the environment names for a server, as Go's and most other programs read it: `HTTPS_PROXY` or `HTTP_PROXY` by the
 * server's scheme, unless `NO_PROXY` has the server in it or it is on this host; capitals come first.
 */
export function environmentProxy(
  server: string,
  variables: Readonly<Record<string, string | undefined>>,
): string | undefined {
  const value = (name: string): string => variables[name] || variables[name.toLowerCase()] || "";
  if (!URL.canParse(server)) return undefined;
  const url = new URL(server);
  const name = url.protocol === "https:" ? "HTTPS_PROXY" : "HTTP_PROXY";
  const proxy = value(name);
  if (proxy === "" || isExcepted(url, value("NO_PROXY"))) return undefined;
  const full = isProxyUrl(proxy) ? proxy : `http://${proxy}`;
  if (proxy.includes("://") ? full === proxy : isProxyUrl(full)) return full;
  throw new StoreError("invalid", `${name} ${proxy} is not a URL of http, https or socks5`);
}

function isExcepted(url: URL, exceptions: string): boolean {
  const target = targetOf(url);
  const host = target.host.replace(/\.$/, "");
  const port = String(target.port);
  const address = isIP(host) === 0 ? undefined : IpAddress.parse(host);
  if (host === "localhost" || (address !== undefined && isLoopback(address))) return true;
  return exceptions
    .split(",")
    .map((entry) => entry.trim().toLowerCase())
    .some((entry) => entry !== "" && isMatch(entry, { host: host.toLowerCase(), port, address }));
}

interface Place {
  readonly host: string;
  readonly port: string;
  readonly address: IpAddress | undefined;
}

/** `*`, a network, an address, or a domain with all below it; `.domain` is only what is below. */
function isMatch(entry: string, { host, port, address }: Place): boolean {
  if (entry === "*") return true;
  const network = entry.includes("/") ? Prefix.parse(entry) : undefined;
  if (network !== undefined) return address !== undefined && Prefix.contains(network, address);
  const [, bracketed, plain = entry, ofPort] = /^(?:\[(.+)\]|([^:]+)):(\d+)$/.exec(entry) ?? [];
  const name = (bracketed ?? plain).replace(/^\[(.*)\]$/, "$1").replace(/^\*(?=\.)/, "");
  if (ofPort !== undefined && ofPort !== port) return false;
  if (address !== undefined) return IpAddress.parse(name) === address;
  return name.startsWith(".") ? host.endsWith(name) : host === name || host.endsWith(`.${name}`);
}

function isLoopback(address: IpAddress): boolean {
  return IpAddress.isIpv4(address) ? address >>> 24 === 127 : address === 1n;
}
