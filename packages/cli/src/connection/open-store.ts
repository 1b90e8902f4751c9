import { readFileSync } from "node:fs";
import { type Store, StoreError } from "@caracal/datastore";
import { configFromEnvironment, EtcdStore } from "@caracal/store-etcd";
import { CliError } from "../cli-error.ts";
import type { ApiConfig } from "./api-config.ts";

/** Connects to the etcd, the embedded store or the Kubernetes API server that a configuration names. */
export async function openStore(config: ApiConfig): Promise<Store> {
  if (config.datastoreType === "kubernetes") return openKubernetes(config);
  const etcd = configFromEnvironment(await withDiscovery(config), (path) => readFileSync(path, "utf8"));
  if (etcd === undefined) {
    throw new CliError(
      "no datastore is configured: set ETCD_ENDPOINTS (http://HOST:2379 or unix:///PATH), or etcdEndpoints in /etc/calico/calicoctl.cfg",
    );
  }
  const { inlineTls } = config;
  return new EtcdStore(inlineTls === undefined ? etcd : { ...etcd, tls: { ...etcd.tls, ...inlineTls } });
}

/** Most commands run without Kubernetes: its store is read from the disk when it is needed. */
async function openKubernetes({ environment, kubeconfigInline, isGuess }: ApiConfig): Promise<Store> {
  const { openKubernetesStore } = await import("@caracal/store-kubernetes");
  try {
    return await openKubernetesStore(environment, kubeconfigInline === undefined ? {} : { kubeconfigInline });
  } catch (error) {
    const isNone = error instanceof StoreError && error.message.startsWith("no Kubernetes API server");
    if (isGuess !== true || !isNone) throw error;
    throw new CliError(
      "no datastore is configured: set ETCD_ENDPOINTS (http://HOST:2379 or unix:///PATH) or KUBECONFIG, or write /etc/calico/calicoctl.cfg",
      { cause: error },
    );
  }
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
  const { discoverEtcd } = await import("./discover-etcd.ts");
  return { ...environment, ETCD_ENDPOINTS: await discoverEtcd(domain) };
}
