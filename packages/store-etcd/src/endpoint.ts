import { connect, isIP, type Socket } from "node:net";
import { checkServerIdentity, connect as connectTls, type ConnectionOptions as TlsOptions } from "node:tls";
import { StoreError } from "@caracal/datastore";
import { type ChannelCredentials, type ClientOptions, credentials } from "@grpc/grpc-js";
import type { EtcdTls } from "./etcd-config.ts";

/** One server, as gRPC wants it for streams and HTTP/2 for single calls. */
export interface Endpoint {
  /** Opens a connection for HTTP/2. */
  readonly dial: () => Socket;
  /** As the user wrote it, for messages. */
  readonly text: string;
  /** gRPC target: `dns:` name or `unix:` path. */
  readonly target: string;
  readonly credentials: ChannelCredentials;
  /** What the channel needs to know besides. */
  readonly options: ClientOptions;
}

const defaultPort = "2379";
/** TCP asks after so long whether a silent server is there. */
const keepAliveMs = 30_000;
const socketOptions = { noDelay: true, keepAlive: true, keepAliveInitialDelay: keepAliveMs } as const;

/** Reads `http://HOST[:PORT]`, `https://…`, `unix:///PATH` or `HOST:PORT`; anything else is a `StoreError` "invalid". */
export function parseEndpoint(text: string, tls: EtcdTls | undefined): Endpoint {
  const [, scheme = "http", rest = ""] = /^(?:([a-z]+):\/\/)?(.*)$/.exec(text) ?? [];
  switch (scheme) {
    case "unix":
      if (!rest.startsWith("/")) break;
      return {
        text,
        dial: () => connect(rest),
        target: `unix:${rest}`,
        credentials: credentials.createInsecure(),
        options: {},
      };
    case "http":
    case "https": {
      const authority = parseAuthority(rest);
      if (authority === undefined) break;
      const target = `dns:${authority}`;
      const place = { ...socketOptions, ...placeOf(authority) };
      if (scheme === "http") {
        const dial = (): Socket => connect(place);
        return { text, dial, target, credentials: credentials.createInsecure(), options: {} };
      }
      const host = hostOf(authority);
      const options = isIP(host) === 0 ? {} : { "grpc.ssl_target_name_override": nameForAddress };
      const dial = (): Socket => connectTls({ ...place, ...secureOptions(host, tls ?? {}) });
      return { text, dial, target, credentials: secureCredentials(host, tls ?? {}), options };
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

/** gRPC sends the host as TLS server name, and an address may not be one (RFC 6066 §3): a name goes in its place. */
const nameForAddress = "etcd";

function hostOf(authority: string): string {
  return authority.slice(0, authority.lastIndexOf(":")).replace(/^\[|\]$/g, "");
}

function placeOf(authority: string): { readonly host: string; readonly port: number } {
  return { host: hostOf(authority), port: Number(authority.slice(authority.lastIndexOf(":") + 1)) };
}

function secureOptions(host: string, { ca, cert, key }: EtcdTls): TlsOptions {
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

function secureCredentials(host: string, { ca, cert, key }: EtcdTls): ChannelCredentials {
  if ((cert === undefined) !== (key === undefined)) {
    throw new StoreError(
      "invalid",
      "a TLS client certificate and its key go together: one of them is missing",
    );
  }
  return credentials.createSsl(bytes(ca), bytes(key), bytes(cert), {
    // The certificate must be the endpoint's, whatever name was sent.
    checkServerIdentity: (_name, certificate) => checkServerIdentity(host, certificate),
  });
}

function bytes(text: string | undefined): Buffer | null {
  return text === undefined ? null : Buffer.from(text);
}
