import { readFile } from "node:fs/promises";
import { messageOf } from "@caracal/net";
import { isRecord } from "@caracal/resources";
import { CliError } from "../cli-error.ts";
import { didYouMean } from "../did-you-mean.ts";
import type { CliContext } from "../context.ts";

/** Where `calicoctl` looks when it is not told. */
export const defaultConfigPath = "/etc/calico/calicoctl.cfg";

/** How to reach the datastore. */
export interface ApiConfig {
  readonly datastoreType: "etcdv3" | "kubernetes";
  /** Nothing said which: Kubernetes is meant where no etcd is named. */
  readonly isGuess?: true;
  /** Calico's variables (`ETCD_ENDPOINTS`, …): the process's own, or those that the file's fields stand for. */
  readonly environment: Readonly<Record<string, string | undefined>>;
  /** PEM texts that stand in the file itself. */
  readonly inlineTls?: InlineTls;
  /** A kubeconfig that stands in the file itself. */
  readonly kubeconfigInline?: string;
}

/** Certificates in the place of the files that would hold them. */
export interface InlineTls {
  readonly ca?: string;
  readonly cert?: string;
  readonly key?: string;
}

/** Fields of the file and the variables they stand for. */
const variables: Readonly<Record<string, string>> = {
  datastoreType: "DATASTORE_TYPE",
  etcdEndpoints: "ETCD_ENDPOINTS",
  etcdUsername: "ETCD_USERNAME",
  etcdPassword: "ETCD_PASSWORD",
  etcdKeyFile: "ETCD_KEY_FILE",
  etcdCertFile: "ETCD_CERT_FILE",
  etcdCACertFile: "ETCD_CA_CERT_FILE",
  etcdDiscoverySrv: "ETCD_DISCOVERY_SRV",
  kubeconfig: "KUBECONFIG",
  k8sAPIEndpoint: "K8S_API_ENDPOINT",
  k8sAPIToken: "K8SAPITOKEN",
  k8sCAFile: "K8S_CA_FILE",
  k8sCertFile: "K8S_CERT_FILE",
  k8sKeyFile: "K8S_KEY_FILE",
  k8sCurrentContext: "K8S_CURRENT_CONTEXT",
  k8sInsecureSkipTLSVerify: "K8S_INSECURE_SKIP_TLS_VERIFY",
  k8sClientQPS: "K8S_CLIENT_QPS",
  k8sClientBurst: "K8S_CLIENT_BURST",
  calicoAPIGroup: "CALICO_API_GROUP",
};

/** What is no setting of Calico's, but tells where the command runs: a file does not take its place. */
const surroundings = [
  "HOME",
  "KUBERNETES_SERVICE_HOST",
  "KUBERNETES_SERVICE_PORT",
  ...["HTTPS_PROXY", "HTTP_PROXY", "NO_PROXY"].flatMap((name) => [name, name.toLowerCase()]),
];

/** Fields that hold a number or a truth. */
const plainFields: ReadonlySet<string> = new Set([
  "k8sClientQPS",
  "k8sClientBurst",
  "k8sInsecureSkipTLSVerify",
]);

/** Fields that hold a PEM text, and the fields of its file; the two do not go together. */
const inlineFields: Readonly<Record<string, { readonly part: keyof InlineTls; readonly file: string }>> = {
  etcdCACert: { part: "ca", file: "etcdCACertFile" },
  etcdCert: { part: "cert", file: "etcdCertFile" },
  etcdKey: { part: "key", file: "etcdKeyFile" },
};

/** Fields that Calico knows and that the stores Caracal connects to have no use for. */
const unusedFields: ReadonlySet<string> = new Set(["k8sDisableNodePoll", "usePodCIDR"]);

/** Reads the file that was named or the default one; where the default one is not there, the environment. Never both. */
export async function loadApiConfig(path: string | undefined, env: CliContext["env"]): Promise<ApiConfig> {
  const file = path ?? defaultConfigPath;
  let text: string;
  try {
    text = await readFile(file, "utf8");
  } catch (error) {
    if (file === defaultConfigPath) return toConfig(env);
    throw new CliError(`Error reading config file: ${file}`, { cause: error });
  }
  const { environment, inlineTls, kubeconfigInline } = await parseConfigFile(file, text);
  const around = Object.entries(env).filter(([name]) => surroundings.includes(name));
  return {
    ...toConfig({ ...Object.fromEntries(around), ...environment }),
    ...(Object.keys(inlineTls).length === 0 ? {} : { inlineTls }),
    ...(kubeconfigInline === undefined ? {} : { kubeconfigInline }),
  };
}

function toConfig(environment: Readonly<Record<string, string | undefined>>): ApiConfig {
  const value = (name: string): string => environment[`CALICO_${name}`] || environment[name] || "";
  const hasEtcd = value("ETCD_ENDPOINTS") !== "" || value("ETCD_DISCOVERY_SRV") !== "";
  const type = value("DATASTORE_TYPE") || (hasEtcd ? "etcdv3" : "kubernetes");
  if (type !== "etcdv3" && type !== "kubernetes") {
    throw new CliError(`unknown datastore type: ${type}; it is etcdv3 or kubernetes`);
  }
  const isGuess = value("DATASTORE_TYPE") === "" && !hasEtcd;
  return { datastoreType: type, environment, ...(isGuess ? { isGuess } : {}) };
}

interface FileSettings {
  readonly environment: Readonly<Record<string, string>>;
  readonly inlineTls: InlineTls;
  readonly kubeconfigInline: string | undefined;
}

/** The `spec` of a CalicoAPIConfig, as variables and PEM texts. */
async function parseConfigFile(file: string, text: string): Promise<FileSettings> {
  const { parse } = await import("yaml");
  const fail = (why: string): never => {
    throw new CliError(`syntax error in ${file}: ${why}`);
  };
  let document: unknown;
  try {
    document = parse(text, { logLevel: "error" });
  } catch (error) {
    return fail(firstLine(error));
  }
  if (!isRecord(document)) return fail("invalid config file: expected a mapping of fields");
  const { apiVersion, kind, metadata: _, spec, ...stray } = document;
  if (apiVersion !== "projectcalico.org/v3") {
    return fail(`invalid config file: unknown APIVersion '${shown(apiVersion)}'`);
  }
  if (kind !== "CalicoAPIConfig") {
    return fail(`invalid config file: expected kind 'CalicoAPIConfig', got '${shown(kind)}'`);
  }
  for (const field of Object.keys(stray)) return fail(`unknown field "${field}"`);
  return readSpec(isRecord(spec) ? spec : {}, fail);
}

function readSpec(spec: Readonly<Record<string, unknown>>, fail: (why: string) => never): FileSettings {
  const environment: Record<string, string> = {};
  const inlineTls: { -readonly [Part in keyof InlineTls]: string } = {};
  let kubeconfigInline: string | undefined;
  for (const [field, given] of Object.entries(spec)) {
    if (unusedFields.has(field) || given === null) continue;
    const isPlain = plainFields.has(field) && (typeof given === "boolean" || typeof given === "number");
    const value = isPlain ? String(given) : given;
    if (field === "kubeconfigInline" && typeof value === "string") {
      if (value !== "") kubeconfigInline = value;
      continue;
    }
    const variable = Object.hasOwn(variables, field) ? variables[field] : undefined;
    const inline = Object.hasOwn(inlineFields, field) ? inlineFields[field] : undefined;
    if (variable === undefined && inline === undefined && field !== "kubeconfigInline") {
      const known = [
        ...Object.keys(variables),
        ...Object.keys(inlineFields),
        ...unusedFields,
        "kubeconfigInline",
      ];
      return fail(`unknown field "spec.${field}"${didYouMean(field, known)}`);
    }
    if (typeof value !== "string") return fail(`spec.${field} must be text`);
    if (value === "") continue;
    if (inline !== undefined && typeof spec[inline.file] === "string" && spec[inline.file] !== "") {
      return fail(`spec.${field} and spec.${inline.file} cannot be given both`);
    }
    if (variable !== undefined) environment[variable] = value;
    if (inline !== undefined) inlineTls[inline.part] = value;
  }
  return { environment, inlineTls, kubeconfigInline };
}

function shown(value: unknown): string {
  return typeof value === "string" ? value : "";
}

function firstLine(error: unknown): string {
  return messageOf(error).split("\n", 1)[0] ?? "";
}
