import { isObject } from "./json-object.ts";

/** The rendered configuration, or what is wrong with it. */
export type ConfigOutcome =
  | { readonly kind: "ok"; readonly text: string }
  | { readonly kind: "invalid"; readonly problem: string };

/** Plugins of the CNI project that Calico's configuration chains, each where its program is there. */
const chained: Readonly<Record<string, Readonly<Record<string, unknown>>>> = {
  portmap: { type: "portmap", snat: true, capabilities: { portMappings: true } },
  bandwidth: { type: "bandwidth", capabilities: { bandwidth: true } },
};

/** Programs that our own template chains when they are there. */
export const chainedPlugins: readonly string[] = Object.keys(chained);

/** The template of those who give none: Calico's, with the chained plugins that are there. */
export function defaultTemplate(present: readonly string[], usesKubernetes: boolean): string {
  const calico = {
    type: "calico",
    log_level: "__LOG_LEVEL__",
    log_file_path: "__LOG_FILE_PATH__",
    datastore_type: "__DATASTORE_TYPE__",
    nodename: "__KUBERNETES_NODE_NAME__",
    mtu: "__CNI_MTU__",
    ipam: { type: "calico-ipam" },
    policy: { type: "k8s" },
    // What podman's --ip, --ip6 and --mac-address ask for, and others' like.
    capabilities: { ips: true, mac: true },
    ...(usesKubernetes && { kubernetes: { kubeconfig: "__KUBECONFIG_FILEPATH__" } }),
  };
  const plugins = [calico, ...present.flatMap((name) => chained[name] ?? [])];
  const list = { name: "k8s-pod-network", cniVersion: "1.0.0", plugins };
  // A number has no quotation marks.
  return JSON.stringify(list, undefined, 2).replace('"__CNI_MTU__"', "__CNI_MTU__");
}

/**
 * Fills the placeholders `__NAME__` of a template, and makes sure that what comes out is a network configuration. Values are
 * escaped for JSON's strings. `runDirectory` is put into every `calico` entry.
 */
export function renderNetworkConfig(
  template: string,
  values: Readonly<Record<string, string>>,
  runDirectory: string | undefined,
): ConfigOutcome {
  const unknown = new Set<string>();
  const text = template.replaceAll(/__([A-Z]+(?:_[A-Z]+)*)__/g, (whole, name: string) => {
    const value = values[name];
    if (value === undefined) unknown.add(whole);
    return value === undefined ? whole : JSON.stringify(value).slice(1, -1);
  });
  if (unknown.size > 0)
    return invalid(`it has placeholders that mean nothing here: ${[...unknown].join(", ")}`);
  let config: unknown;
  try {
    config = JSON.parse(text);
  } catch (error) {
    return invalid(
      `it is not JSON when its placeholders are filled: ${error instanceof Error ? error.message : ""}`,
    );
  }
  if (!isObject(config)) return invalid("it is not a JSON object");
  const { name, plugins } = config;
  if (typeof name !== "string" || !/^[a-zA-Z0-9_.-]+$/.test(name)) {
    return invalid(`its name ${JSON.stringify(name)} must be of letters, digits, '_', '.' and '-'`);
  }
  const entries: readonly unknown[] = Array.isArray(plugins) ? plugins : [config];
  if (!entries.every((entry) => isObject(entry) && typeof entry["type"] === "string")) {
    return invalid("an entry has no type: each names the plugin it is for");
  }
  if (runDirectory === undefined) return { kind: "ok", text: text.endsWith("\n") ? text : `${text}\n` };
  for (const entry of entries) {
    if (isObject(entry) && entry["type"] === "calico") entry["caracal_run_dir"] = runDirectory;
  }
  return { kind: "ok", text: `${JSON.stringify(config, undefined, 2)}\n` };
}

function invalid(problem: string): ConfigOutcome {
  return { kind: "invalid", problem };
}
