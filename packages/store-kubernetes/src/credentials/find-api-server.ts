import { delimiter, join } from "node:path";
import { access } from "node:fs/promises";
import { StoreError } from "@caracal/datastore";
import type { ApiServer } from "../api/api-server.ts";
import type { ApiGroup } from "../collections/resource-collections.ts";
import type { PaceLimits } from "../api/pace.ts";
import { type Cluster, Kubeconfig, type KubeContext } from "./kubeconfig.ts";
import { environmentProxy } from "./proxy-variables.ts";
import { readText } from "./read-text.ts";
import { credentialsOf, type User } from "./user-credentials.ts";

/** Variables by name, as a process has them. */
export type Variables = Readonly<Record<string, string | undefined>>;

/** What does not come by a variable. */
export interface FindOptions {
  /** A kubeconfig that stands in Calico's own configuration file. */
  readonly kubeconfigInline?: string;
  /** Where a pod finds its service account. */
  readonly serviceAccountDirectory?: string;
}

const defaultServiceAccountDirectory = "/var/run/secrets/kubernetes.io/serviceaccount";

/** The API server that Calico's variables describe; without any, `~/.kube/config` or the cluster that this is a pod of. */
export async function findApiServer(variables: Variables, options: FindOptions = {}): Promise<ApiServer> {
  const value = reader(variables);
  const context = await contextOf(value, variables, options);
  const cluster = overlayCluster(context?.cluster, value);
  const pace = paceOf(value);
  if (cluster === undefined) return { ...(await inCluster(variables, options)), ...pace };
  const { file } = cluster.ca;
  const ca = cluster.ca.text ?? (file === undefined ? undefined : await readText(file, "the authority"));
  const user = overlayUser(context?.user ?? {}, value);
  const proxyUrl = cluster.proxyUrl ?? environmentProxy(cluster.server, variables);
  return {
    url: cluster.server,
    ...(ca === undefined ? {} : { ca }),
    ...(cluster.serverName === undefined ? {} : { serverName: cluster.serverName }),
    ...(proxyUrl === undefined ? {} : { proxyUrl }),
    ...(user.impersonation === undefined ? {} : { headers: user.impersonation }),
    ...pace,
    insecureSkipTlsVerify: cluster.insecureSkipTlsVerify,
    credentials: credentialsOf(user),
  };
}

/** Which group the variables choose; undefined leaves it to what the server has. */
export function chosenApiGroup(variables: Variables): ApiGroup | undefined {
  const chosen = variables["CALICO_CALICO_API_GROUP"] || variables["CALICO_API_GROUP"] || "";
  switch (chosen) {
    case "":
      return undefined;
    case "crd.projectcalico.org/v1":
    case "crd.projectcalico.org":
      return "crd.projectcalico.org";
    case "projectcalico.org/v3":
    case "projectcalico.org":
      return "projectcalico.org";
    default:
      throw new StoreError(
        "invalid",
        `CALICO_API_GROUP '${chosen}' is neither projectcalico.org/v3 nor crd.projectcalico.org/v1`,
      );
  }
}

type Value = (name: string) => string | undefined;

/** Each variable is also read with the prefix `CALICO_`, which wins. */
function reader(variables: Variables): Value {
  return (name) => variables[`CALICO_${name}`] || variables[name] || undefined;
}

async function contextOf(
  value: Value,
  variables: Variables,
  { kubeconfigInline }: FindOptions,
): Promise<KubeContext | undefined> {
  const chosen = value("K8S_CURRENT_CONTEXT");
  if (kubeconfigInline !== undefined) return Kubeconfig.parse(kubeconfigInline).context(chosen);
  const named = value("KUBECONFIG");
  if (named !== undefined) {
    const paths = named.split(delimiter).filter((path) => path !== "");
    return (await Kubeconfig.read(paths)).context(chosen);
  }
  if (value("K8S_API_ENDPOINT") !== undefined) return undefined;
  const home = variables["HOME"];
  const usual = home === undefined ? undefined : join(home, ".kube", "config");
  const isThere =
    usual !== undefined &&
    (await access(usual).then(
      () => true,
      () => false,
    ));
  if (isThere) return (await Kubeconfig.read([usual])).context(chosen);
  if (chosen === undefined) return undefined;
  throw new StoreError("invalid", `there is no kubeconfig with the context '${chosen}': set KUBECONFIG`);
}

function overlayCluster(cluster: Cluster | undefined, value: Value): Cluster | undefined {
  const server = value("K8S_API_ENDPOINT") ?? cluster?.server;
  if (server === undefined) return undefined;
  const caFile = value("K8S_CA_FILE");
  const isInsecure = value("K8S_INSECURE_SKIP_TLS_VERIFY");
  return {
    server,
    ca: caFile === undefined ? (cluster?.ca ?? {}) : { file: caFile },
    insecureSkipTlsVerify:
      isInsecure === undefined ? (cluster?.insecureSkipTlsVerify ?? false) : isTrue(isInsecure),
    serverName: cluster?.serverName,
    proxyUrl: cluster?.proxyUrl,
  };
}

function overlayUser(user: User, value: Value): User {
  const token = value("K8SAPITOKEN");
  const cert = value("K8S_CERT_FILE");
  const key = value("K8S_KEY_FILE");
  return {
    ...user,
    ...(token === undefined ? {} : { token, tokenFile: undefined }),
    ...(cert === undefined ? {} : { cert: { file: cert } }),
    ...(key === undefined ? {} : { key: { file: key } }),
  };
}

/** A pod is told the server by variables, and has its token and the authority in files. */
async function inCluster(variables: Variables, options: FindOptions): Promise<ApiServer> {
  const host = variables["KUBERNETES_SERVICE_HOST"] ?? "";
  const port = variables["KUBERNETES_SERVICE_PORT"] ?? "";
  if (host === "" || port === "") {
    throw new StoreError(
      "invalid",
      "no Kubernetes API server is configured: set KUBECONFIG or K8S_API_ENDPOINT, or run in a pod",
    );
  }
  const directory = options.serviceAccountDirectory ?? defaultServiceAccountDirectory;
  const ca = await readText(join(directory, "ca.crt"), "the cluster's authority");
  const url = `https://${host.includes(":") ? `[${host}]` : host}:${port}`;
  const proxyUrl = environmentProxy(url, variables);
  return {
    url,
    ca,
    ...(proxyUrl === undefined ? {} : { proxyUrl }),
    credentials: credentialsOf({ tokenFile: join(directory, "token") }),
  };
}

/** As in Kubernetes' own clients, where a rate is given and nothing is said of bursts. */
const usualBurst = 10;

/** Without a rate there is no limit. */
function paceOf(value: Value): { readonly pace?: PaceLimits } {
  const perSecond = numberIn("K8S_CLIENT_QPS", value) ?? 0;
  const burst = numberIn("K8S_CLIENT_BURST", value) ?? 0;
  if (perSecond <= 0) return {};
  return { pace: { perSecond, burst: burst >= 1 ? Math.floor(burst) : usualBurst } };
}

function numberIn(name: string, value: Value): number | undefined {
  const text = value(name);
  if (text === undefined) return undefined;
  const number = Number(text);
  if (text.trim() !== "" && Number.isFinite(number)) return number;
  throw new StoreError("invalid", `${name} '${text}' is not a number`);
}

function isTrue(value: string): boolean {
  return ["1", "t", "true", "y", "yes"].includes(value.toLowerCase());
}
