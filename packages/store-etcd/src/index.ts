/**
 * The `Store` port over the etcd v3 API: for a real etcd cluster and for Caracal's embedded store.
 *
 * Standards: etcd v3 API over gRPC, with Calico's transactions and environment variables.
 * Not here: etcd's cluster management; SRV discovery of endpoints.
 */
export { configFromEnvironment, type EtcdConfig, type EtcdTls, type ReadText } from "./etcd-config.ts";
export { EtcdStore, type EtcdStoreOptions } from "./etcd-store.ts";
