/**
 * The embedded store: an etcd v3 server for one machine, on SQLite. Clients of etcd cannot tell it from a cluster of one.
 *
 * Standards: etcd v3 API (KV, Watch, Lease; what Cluster, Maintenance and Auth say of one member without users), with the
 * texts and codes of etcd 3.4.
 * Not here: replication, users, TLS, snapshots.
 */
export { EmbeddedServer, type EmbeddedServerOptions } from "./embedded-server.ts";
export { EmbeddedServerError, type EmbeddedServerErrorCode } from "./embedded-server-error.ts";
export { type ListenAddress } from "./listener.ts";
