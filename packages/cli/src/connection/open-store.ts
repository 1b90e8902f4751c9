import { readFileSync } from "node:fs";
import type { Store } from "@caracal/datastore";
import { configFromEnvironment, EtcdStore } from "@caracal/store-etcd";
import { CliError } from "../cli-error.ts";
import type { ApiConfig } from "./api-config.ts";
import { discoverEtcd } from "./discover-etcd.ts";

/** Connects to the etcd, or the embedded store, that a configuration names. */
export async function openStore(config: ApiConfig): Promise<Store> {
  const etcd = configFromEnvironment(await withDiscovery(config), (path) => readFileSync(path, "utf8"));
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
  const { inlineTls } = config;
  return new EtcdStore(inlineTls === undefined ? etcd : { ...etcd, tls: { ...etcd.tls, ...inlineTls } });
}

/** With the endpoints that a domain's name service tells. */
async function withDiscovery({ datastoreType, environment }: ApiConfig): Promise<ApiConfig["environment"]> {
  const value = (name: string): string => environment[`CALICO_${name}`] || environment[name] || "";
  const domain = value("ETCD_DISCOVERY_SRV");
  if (domain === "" || datastoreType !== "etcdv3") return environment;
  if (value("ETCD_ENDPOINTS") !== "") {
    throw new CliError(
      "ETCD_ENDPOINTS and ETCD_DISCOVERY_SRV (etcdEndpoints and etcdDiscoverySrv) cannot be given both",
    );
  }
  return { ...environment, ETCD_ENDPOINTS: await discoverEtcd(domain) };
}
