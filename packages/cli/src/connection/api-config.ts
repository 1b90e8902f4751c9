import { readFile } from "node:fs/promises";
import { isRecord } from "@caracal/resources";
import { CliError } from "../cli-error.ts";
import type { CliContext } from "../context.ts";

/** Where `calicoctl` looks when it is not told. */
export const defaultConfigPath = "/etc/calico/calicoctl.cfg";

/** How to reach the datastore. */
export interface ApiConfig {
  readonly datastoreType: "etcdv3" | "kubernetes";
  /** Calico's variables (`ETCD_ENDPOINTS`, …): the process's own, or those that the file's fields stand for. */
  readonly environment: Readonly<Record<string, string | undefined>>;
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
};

/** Fields that Calico knows and that the stores Caracal connects to have no use for. */
const unusedFields: ReadonlySet<string> = new Set([
  "calicoAPIGroup",
  "etcdCACert",
  "etcdCert",
  "etcdDiscoverySrv",
  "etcdKey",
  "k8sAPIEndpoint",
  "k8sAPIToken",
  "k8sCAFile",
  "k8sCertFile",
  "k8sClientBurst",
  "k8sClientQPS",
  "k8sCurrentContext",
  "k8sDisableNodePoll",
  "k8sInsecureSkipTLSVerify",
  "k8sKeyFile",
  "kubeconfig",
  "kubeconfigInline",
  "usePodCIDR",
]);

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
  return toConfig(await parseConfigFile(file, text));
}

function toConfig(environment: Readonly<Record<string, string | undefined>>): ApiConfig {
  const value = (name: string): string => environment[`CALICO_${name}`] || environment[name] || "";
  const type = value("DATASTORE_TYPE") || (value("ETCD_ENDPOINTS") === "" ? "kubernetes" : "etcdv3");
  if (type !== "etcdv3" && type !== "kubernetes") {
    throw new CliError(`unknown datastore type: ${type}; it is etcdv3 or kubernetes`);
  }
  return { datastoreType: type, environment };
}

/** The `spec` of a CalicoAPIConfig, as variables. */
async function parseConfigFile(file: string, text: string): Promise<Readonly<Record<string, string>>> {
  const { parse } = await import("yaml");
  const fail = (why: string): never => {
    throw new CliError(`syntax error in ${file}: ${why}`);
  };
  let document: unknown;
  try {
    document = parse(text);
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
  const environment: Record<string, string> = {};
  for (const [field, value] of Object.entries(isRecord(spec) ? spec : {})) {
    if (unusedFields.has(field) || value === null) continue;
    const variable = Object.hasOwn(variables, field) ? variables[field] : undefined;
    if (variable === undefined) return fail(`unknown field "spec.${field}"`);
    if (typeof value !== "string") return fail(`spec.${field} must be text`);
    environment[variable] = value;
  }
  return environment;
}

function shown(value: unknown): string {
  return typeof value === "string" ? value : "";
}

function firstLine(error: unknown): string {
  return (error instanceof Error ? error.message : String(error)).split("\n", 1)[0] ?? "";
}
