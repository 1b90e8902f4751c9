import { connect, isIP, type Socket } from "node:net";
import { checkServerIdentity, connect as connectTls, type ConnectionOptions as TlsOptions } from "node:tls";
import { StoreError } from "@caracal/datastore";
import type { EtcdConfig, EtcdTls } from "./etcd-config.ts";

/** One server, as the gRPC library wants it for streams and HTTP/2 for single calls. */
export interface Endpoint {
  /** Opens a connection for HTTP/2. */
  readonly dial: () => Socket;
  /** As the user wrote it, for messages. */
  readonly text: string;
  /** gRPC target: `dns:` name or `unix:` path. */
  readonly target: string;
  /** Absent for a connection in the clear. */
  readonly secure: SecureEndpoint | undefined;
}

/** How a server must prove what it is, and we who we are. */
export interface SecureEndpoint {
  /** Name or address that the server's certificate must be for. */
  readonly host: string;
  /** What is good for a new connection; the same object as long as nothing of it has changed. */
  readonly tls: () => EtcdTls;
}

const defaultPort = "2379";
/** TCP asks after so long whether a silent server is there. */
const keepAliveMs = 30_000;
const socketOptions = { noDelay: true, keepAlive: true, keepAliveInitialDelay: keepAliveMs } as const;

/** Reads `http://HOST[:PORT]`, `https://…`, `unix:///PATH` or `HOST:PORT`; anything else is a `StoreError` "invalid". */
export function parseEndpoint(text: string, config: Pick<EtcdConfig, "tls" | "renewedTls"> = {}): Endpoint {
  const [, scheme = "http", rest = ""] = /^(?:([a-z]+):\/\/)?(.*)$/.exec(text) ?? [];
  switch (scheme) {
    case "unix":
      if (!rest.startsWith("/")) break;
      return { text, dial: () => connect(rest), target: `unix:${rest}`, secure: undefined };
    case "http":
    case "https": {
      const authority = parseAuthority(rest);
      if (authority === undefined) break;
      const target = `dns:${authority}`;
      const place = { ...socketOptions, ...placeOf(authority) };
      if (scheme === "http") {
        const dial = (): Socket => connect(place);
        return { text, dial, target, secure: undefined };
      }
      const secure = { host: hostOf(authority), tls: currentTls(config) };
      const dial = (): Socket => connectTls({ ...place, ...secureOptions(secure) });
      return { text, dial, target, secure };
    }
    default:
  }
  throw new StoreError(
    "invalid",
    `'${text}' is not an etcd endpoint: write http://HOST:PORT, https://HOST:PORT or unix:///PATH`,
  );
}

function parseAuthority(rest: string): string | undefined {
  const match = /^(\[[0-9a-fA-F:.%]+\]|[^:/@?#[\]\s]+)(?::([0-9]{1,5}))?\/?$/.exec(rest);
  return match === null ? undefined : `${match[1]}:${match[2] ?? defaultPort}`;
}

function hostOf(authority: string): string {
  return authority.slice(0, authority.lastIndexOf(":")).replace(/^\[|\]$/g, "");
}

function placeOf(authority: string): { readonly host: string; readonly port: number } {
  return { host: hostOf(authority), port: Number(authority.slice(authority.lastIndexOf(":") + 1)) };
}

function secureOptions({ host, tls }: SecureEndpoint): TlsOptions {
  const { ca, cert, key } = tls();
  return {
    ALPNProtocols: ["h2"],
    ...(isIP(host) === 0 && { servername: host }),
    ...(ca !== undefined && { ca }),
    ...(cert !== undefined && { cert }),
    ...(key !== undefined && { key }),
    minVersion: "TLSv1.2",
    checkServerIdentity: (_name, certificate) => checkServerIdentity(host, certificate),
  };
}

function currentTls({ tls = {}, renewedTls }: Pick<EtcdConfig, "tls" | "renewedTls">): () => EtcdTls {
  let last = checkedTls(tls);
  if (renewedTls === undefined) return () => last;
  return () => {
    try {
      const next = checkedTls(renewedTls());
      const isSame = next.ca === last.ca && next.cert === last.cert && next.key === last.key;
      if (!isSame) last = next;
    } catch {
      // The files are being replaced.
    }
    return last;
  };
}

function checkedTls(tls: EtcdTls): EtcdTls {
  if ((tls.cert === undefined) === (tls.key === undefined)) return tls;
  throw new StoreError("invalid", "a TLS client certificate and its key go together: one of them is missing");
}
