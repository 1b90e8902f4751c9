import { readFileSync } from "node:fs";
import type { Store } from "@caracal/datastore";
import { configFromEnvironment, EtcdStore } from "@caracal/store-etcd";
import { CliError } from "../cli-error.ts";
import type { ApiConfig } from "./api-config.ts";

/** Connects to the etcd, or the embedded store, that a configuration names. */
export async function openStore(config: ApiConfig): Promise<Store> {
  const etcd = configFromEnvironment(config.environment, (path) => readFileSync(path, "utf8"));
  if (etcd !== undefined && config.datastoreType === "kubernetes") {
    throw new CliError(
      "datastore type kubernetes is not supported yet: set DATASTORE_TYPE (or datastoreType in the configuration file) to etcdv3",
    );
  }
  if (etcd === undefined) {
    throw new CliError(
      "no datastore is configured: set ETCD_ENDPOINTS (http://HOST:2379 or unix:///PATH), or etcdEndpoints in /etc/calico/calicoctl.cfg",
    );
  }
  return new EtcdStore(etcd);
}
