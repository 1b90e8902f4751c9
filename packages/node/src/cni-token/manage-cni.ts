import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import type { Cancellation } from "@caracal/net";
import type { Environment, NodeConfig } from "../config.ts";
import type { Log } from "../observe/log.ts";
import { keepCniToken } from "./cni-token-keeper.ts";

/** Where Calico's pod sees the host's network configurations. */
const mountedDirectory = "/host/etc/cni/net.d";
const kubeconfigName = "calico-kubeconfig";
const namespaceFile = "/var/run/secrets/kubernetes.io/serviceaccount/namespace";
/** What Calico's manifests call the plugins' service account. */
const serviceAccount = "calico-cni-plugin";
const daySeconds = 86_400;

/**
 * `CALICO_MANAGE_CNI`: keeps the token of the plugins' kubeconfig valid, on a Kubernetes datastore. Unless told, only in a pod that
 * sees the host's directory; told so, in `CNI_NET_DIR` too. Ends with the signal.
 */
export async function manageCni(
  { config, env, log }: { readonly config: NodeConfig; readonly env: Environment; readonly log: Log },
  signal: Cancellation,
): Promise<void> {
  const isMounted = existsSync(mountedDirectory);
  if (!config.isKubernetesDatastore || config.managesCni === false) return;
  if (!isMounted && config.managesCni !== true) return;
  const directory = isMounted ? mountedDirectory : env["CNI_NET_DIR"] || "/etc/cni/net.d";
  const account = {
    namespace: ownNamespace() ?? config.secrets.namespace,
    serviceAccount,
    seconds: daySeconds,
  };
  const { requestToken } = await import("@caracal/store-kubernetes");
  const request = (): ReturnType<typeof requestToken> => requestToken(env, account);
  await keepCniToken({ path: join(directory, kubeconfigName), request, log }, signal);
}

function ownNamespace(): string | undefined {
  try {
    return readFileSync(namespaceFile, "utf8").trim() || undefined;
  } catch {
    return undefined;
  }
}
