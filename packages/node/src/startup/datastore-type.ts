import type { Environment } from "../config.ts";

/** Where the datastore is when `DATASTORE_TYPE` does not say. */
const kubernetesVariables = ["KUBECONFIG", "K8S_API_ENDPOINT", "KUBERNETES_SERVICE_HOST"];

/** Whether the environment means a Kubernetes API server: it says so, or names no etcd and something of Kubernetes. */
export function isKubernetesDatastore(env: Environment): boolean {
  const value = (name: string): string => env[`CALICO_${name}`] || env[name] || "";
  const type = value("DATASTORE_TYPE");
  if (type !== "") return type === "kubernetes";
  return value("ETCD_ENDPOINTS") === "" && kubernetesVariables.some((name) => value(name) !== "");
}
