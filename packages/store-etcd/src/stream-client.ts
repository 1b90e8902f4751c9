import { isIP } from "node:net";
import { checkServerIdentity } from "node:tls";
import { type ChannelCredentials, Client, type ClientOptions, credentials } from "@grpc/grpc-js";
import type { Endpoint, SecureEndpoint } from "./endpoint.ts";

/** Calico's: dial and request time-out of 10 s, keepalive every 30 s with 10 s to answer. */
const channelOptions: ClientOptions = {
  "grpc.keepalive_time_ms": 30_000,
  "grpc.keepalive_timeout_ms": 10_000,
  "grpc.initial_reconnect_backoff_ms": 100,
  "grpc.max_reconnect_backoff_ms": 2_000,
  // A server's answer is as large as what was asked for; listings are paged.
  "grpc.max_receive_message_length": -1,
  "grpc.max_send_message_length": -1,
  // Two stores of one process must not share a channel: closing one would disturb the other.
  "grpc.use_local_subchannel_pool": 1,
};

/** gRPC sends the host as TLS server name, and an address may not be one (RFC 6066 §3): a name goes in its place. */
const nameForAddress = "etcd";

/** The client for a server's streams. The library behind it takes a while to load: only who watches does. */
export function openStreamClient({ target, secure }: Endpoint): Client {
  if (secure === undefined) return new Client(target, credentials.createInsecure(), channelOptions);
  const name = isIP(secure.host) === 0 ? {} : { "grpc.ssl_target_name_override": nameForAddress };
  return new Client(target, secureCredentials(secure), { ...channelOptions, ...name });
}

function secureCredentials({ host, tls }: SecureEndpoint): ChannelCredentials {
  const { ca, cert, key } = tls();
  return credentials.createSsl(bytes(ca), bytes(key), bytes(cert), {
    // The certificate must be the endpoint's, whatever name was sent.
    checkServerIdentity: (_name, certificate) => checkServerIdentity(host, certificate),
  });
}

function bytes(text: string | undefined): Buffer | null {
  return text === undefined ? null : Buffer.from(text);
}
