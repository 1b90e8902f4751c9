import { isAbsolute, join } from "node:path";

/** What `caracal cni install` is told: Calico's environment variables, and directories of our own choice. */
export interface InstallSettings {
  /** Where the plugins go; the first is made when it is not there, the others are left out then. */
  readonly binDirectories: readonly string[];
  /** Where the network configuration goes. */
  readonly netDirectory: string;
  /** The same directory by the name that the host knows it by: what the configuration says. */
  readonly netDirectoryOnHost: string;
  /** Where is kept what was there before, for `uninstall`. */
  readonly stateDirectory: string;
  readonly configName: string;
  /** A configuration of an earlier version, to be taken away. */
  readonly oldConfigName?: string;
  /** Configuration with placeholders; absent: our own. */
  readonly template?: string;
  /** False leaves plugins that are there as they are. */
  readonly updatesBinaries: boolean;
  /** Plugins that are not to be copied. */
  readonly skippedBinaries: readonly string[];
  /** Holds `etcd-ca`, `etcd-cert`, `etcd-key`, as far as they are used. */
  readonly tlsDirectory: string;
  /** Named in the configuration when the daemon's is not the default one. */
  readonly runDirectory?: string;
  readonly kubernetes?: KubernetesAccess;
  /** Whether to stay, and follow changes of certificates and tokens. */
  readonly staysAndFollows: boolean;
  /** Values of the template's placeholders, by name without the underscores. */
  readonly values: Readonly<Record<string, string>>;
}

/** How the kubeconfig reaches the API server. */
export interface KubernetesAccess {
  readonly host: string;
  readonly port: string;
  readonly protocol: string;
  readonly skipsVerification: boolean;
  /** Holds `token` and `ca.crt`. */
  readonly serviceAccountDirectory: string;
}

export interface SettingsSources {
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly hostName: string;
  /** Reads a file; throws what the file system says. */
  readonly readFile: (path: string) => string;
  readonly exists: (path: string) => boolean;
  readonly isWritable: (directory: string) => boolean;
  /** Options that win over the environment. */
  readonly binDirectory?: string;
  readonly netDirectory?: string;
}

export type SettingsOutcome =
  | { readonly kind: "ok"; readonly settings: InstallSettings }
  | { readonly kind: "invalid"; readonly problems: readonly string[] };

/** Mount points of the host in the pod of Calico's manifests. */
const mountedBin = "/host/opt/cni/bin";
const mountedSecondaryBin = "/host/secondary-bin-dir";
const mountedNet = "/host/etc/cni/net.d";
const defaultRunDirectory = "/var/run/calico";
const usualName = "10-calico.conflist";

/** Reads the variables of Calico's install-cni; an empty one counts as unset. Source: fact sheet on CNI, install-cni. */
export function readInstallSettings(sources: SettingsSources): SettingsOutcome {
  const problems: string[] = [];
  const read = (name: string): string | undefined => sources.env[name] || undefined;
  const directories = readDirectories(sources, read, problems);
  const template = readTemplate(sources, read, problems);
  const configName = fileName("CNI_CONF_NAME", read("CNI_CONF_NAME") ?? usualName, problems);
  if (!/\.(conf|conflist|json)$/.test(configName)) {
    problems.push(
      `CNI_CONF_NAME '${configName}' would not be read: it must end in .conflist, .conf or .json`,
    );
  }
  const oldConfigName = fileName("CNI_OLD_CONF_NAME", read("CNI_OLD_CONF_NAME") ?? usualName, problems);
  const runDirectory = read("CARACAL_RUN_DIR");
  const kubernetes = readKubernetes(read);
  const settings: InstallSettings = {
    ...directories,
    configName,
    ...(oldConfigName !== configName && { oldConfigName }),
    ...(template !== undefined && { template }),
    updatesBinaries: readFlag("UPDATE_CNI_BINARIES", read, true, problems),
    skippedBinaries: (read("SKIP_CNI_BINARIES") ?? "")
      .split(",")
      .map((name) => name.trim())
      .filter((name) => name !== ""),
    tlsDirectory: read("TLS_ASSETS_DIR") ?? "/calico-secrets",
    ...(runDirectory !== undefined && runDirectory !== defaultRunDirectory && { runDirectory }),
    ...(kubernetes !== undefined && { kubernetes }),
    // In Calico's pod, whose end would start it anew.
    staysAndFollows: readFlag("SLEEP", read, sources.exists(mountedBin), problems),
    values: readValues(sources, read, kubernetes, problems),
  };
  return problems.length > 0 ? { kind: "invalid", problems } : { kind: "ok", settings };
}

type Read = (name: string) => string | undefined;

function readDirectories(
  { binDirectory, netDirectory, exists, isWritable }: SettingsSources,
  read: Read,
  problems: string[],
): Pick<InstallSettings, "binDirectories" | "netDirectory" | "netDirectoryOnHost" | "stateDirectory"> {
  const onHost = netDirectory ?? read("CNI_NET_DIR") ?? "/etc/cni/net.d";
  for (const [name, path] of [
    ["--bin-dir", binDirectory],
    [netDirectory === undefined ? "CNI_NET_DIR" : "--net-dir", onHost],
    ["CARACAL_LIB_DIR", read("CARACAL_LIB_DIR")],
  ] as const) {
    if (path !== undefined && !isAbsolute(path)) problems.push(`${name} '${path}' must be an absolute path`);
  }
  const isMounted = binDirectory === undefined && exists(mountedBin);
  const mounted = [mountedBin, mountedSecondaryBin].filter((path) => exists(path) && isWritable(path));
  // Where none can be written to, the first is the one to be told of.
  const [first = mountedBin, ...others] = mounted;
  return {
    binDirectories: isMounted ? [first, ...others] : [binDirectory ?? "/opt/cni/bin"],
    netDirectory: netDirectory === undefined && exists(mountedNet) ? mountedNet : onHost,
    netDirectoryOnHost: onHost,
    stateDirectory: join(read("CARACAL_LIB_DIR") ?? "/var/lib/calico", "cni-install"),
  };
}

function readTemplate({ readFile }: SettingsSources, read: Read, problems: string[]): string | undefined {
  const file = read("CNI_NETWORK_CONFIG_FILE");
  if (file === undefined) return read("CNI_NETWORK_CONFIG");
  try {
    return readFile(file);
  } catch (error) {
    problems.push(`CNI_NETWORK_CONFIG_FILE cannot be read: ${error instanceof Error ? error.message : ""}`);
    return undefined;
  }
}

function readKubernetes(read: Read): KubernetesAccess | undefined {
  const host = read("KUBERNETES_SERVICE_HOST");
  if (host === undefined) return undefined;
  return {
    host,
    port: read("KUBERNETES_SERVICE_PORT") ?? "443",
    protocol: read("KUBERNETES_SERVICE_PROTOCOL") ?? "https",
    skipsVerification: read("SKIP_TLS_VERIFY")?.toLowerCase() === "true",
    serviceAccountDirectory: "/var/run/secrets/kubernetes.io/serviceaccount",
  };
}

/** What the template's placeholders stand for, besides files whose paths the installation itself knows. */
function readValues(
  sources: SettingsSources,
  read: Read,
  kubernetes: KubernetesAccess | undefined,
  problems: string[],
): Readonly<Record<string, string>> {
  const { hostName } = sources;
  const mtu = read("CNI_MTU") ?? "0";
  if (!/^\d{1,6}$/.test(mtu)) problems.push(`CNI_MTU '${mtu}' is not a number of bytes; 0 goes by the host`);
  const datastore = read("DATASTORE_TYPE") ?? (kubernetes === undefined ? "etcdv3" : "kubernetes");
  if (datastore !== "etcdv3" && datastore !== "kubernetes") {
    problems.push(`DATASTORE_TYPE '${datastore}' is not one of etcdv3, kubernetes`);
  }
  return {
    KUBERNETES_NODE_NAME:
      read("KUBERNETES_NODE_NAME") ??
      read("NODENAME") ??
      nodeNameFile(sources, read) ??
      hostName.toLowerCase(),
    KUBERNETES_SERVICE_HOST: kubernetes?.host ?? "",
    KUBERNETES_SERVICE_PORT: kubernetes?.port ?? "",
    CNI_MTU: mtu,
    LOG_LEVEL: read("LOG_LEVEL") ?? "info",
    LOG_FILE_PATH: read("LOG_FILE_PATH") ?? "/var/log/calico/cni/cni.log",
    LOG_FILE_MAX_SIZE: read("LOG_FILE_MAX_SIZE") ?? "100",
    LOG_FILE_MAX_AGE: read("LOG_FILE_MAX_AGE") ?? "30",
    LOG_FILE_MAX_COUNT: read("LOG_FILE_MAX_COUNT") ?? "10",
    DATASTORE_TYPE: datastore,
    ETCD_ENDPOINTS: read("ETCD_ENDPOINTS") ?? "",
    ETCD_DISCOVERY_SRV: read("ETCD_DISCOVERY_SRV") ?? "",
    REQUIRE_MTU_FILE: String(readFlag("REQUIRE_MTU_FILE", read, false, problems)),
    CALICO_API_GROUP: read("CALICO_API_GROUP") ?? "",
  };
}

/** The daemon's own name for the node, if it has run on this host: configurations for another node are refused. */
function nodeNameFile({ readFile }: SettingsSources, read: Read): string | undefined {
  try {
    return readFile(join(read("CARACAL_LIB_DIR") ?? "/var/lib/calico", "nodename")).trim() || undefined;
  } catch {
    return undefined;
  }
}

/** As Go reads them, in whatever case. */
const trueWords = new Set(["true", "t", "1"]);
const falseWords = new Set(["false", "f", "0"]);

function readFlag(name: string, read: Read, otherwise: boolean, problems: string[]): boolean {
  const text = read(name)?.toLowerCase();
  if (text === undefined) return otherwise;
  const isTrue = trueWords.has(text);
  if (!isTrue && !falseWords.has(text)) problems.push(`${name} '${text}' is neither true nor false`);
  return isTrue;
}

function fileName(variable: string, name: string, problems: string[]): string {
  if (name.includes("/") || name.startsWith(".")) {
    problems.push(`${variable} '${name}' is not the name of a file: the directory is CNI_NET_DIR`);
  }
  return name;
}
