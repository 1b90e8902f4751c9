import { StoreError } from "@caracal/datastore";
import { type ChannelCredentials, credentials } from "@grpc/grpc-js";
import type { EtcdTls } from "./etcd-config.ts";

/** One server, as gRPC wants it. */
export interface Endpoint {
  /** As the user wrote it, for messages. */
  readonly text: string;
  /** gRPC target: `dns:` name or `unix:` path. */
  readonly target: string;
  readonly credentials: ChannelCredentials;
}

const defaultPort = "2379";

/** Reads `http://HOST[:PORT]`, `https://…`, `unix:///PATH` or `HOST:PORT`; anything else is a `StoreError` "invalid". */
export function parseEndpoint(text: string, tls: EtcdTls | undefined): Endpoint {
  const [, scheme = "http", rest = ""] = /^(?:([a-z]+):\/\/)?(.*)$/.exec(text) ?? [];
  switch (scheme) {
    case "unix":
      if (!rest.startsWith("/")) break;
      return { text, target: `unix:${rest}`, credentials: credentials.createInsecure() };
    case "http":
    case "https": {
      const authority = parseAuthority(rest);
      if (authority === undefined) break;
      const secure = scheme === "https";
      const how = secure ? secureCredentials(tls ?? {}) : credentials.createInsecure();
      return { text, target: `dns:${authority}`, credentials: how };
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

function secureCredentials({ ca, cert, key }: EtcdTls): ChannelCredentials {
  if ((cert === undefined) !== (key === undefined)) {
    throw new StoreError(
      "invalid",
      "a TLS client certificate and its key go together: one of them is missing",
    );
  }
  return credentials.createSsl(bytes(ca), bytes(key), bytes(cert));
}

function bytes(text: string | undefined): Buffer | null {
  return text === undefined ? null : Buffer.from(text);
}
