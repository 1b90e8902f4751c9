import { isRecord } from "@caracal/resources";
import { CniCode, CniError } from "./cni-error.ts";

/** One call as the plugin's executable sends it: its name, the environment's variables and stdin, all as they came. */
export interface CniCall {
  readonly plugin: "calico" | "calico-ipam";
  readonly command: string;
  readonly containerId: string;
  readonly netns: string;
  readonly ifname: string;
  readonly args: string;
  readonly path: string;
  readonly stdin: string;
}

/** What the plugin prints, and the code it exits with. */
export interface CniAnswer {
  readonly exitCode: number;
  readonly stdout: string;
  readonly stderr?: string;
}

/** The pod of a call made for Kubernetes (CNI_ARGS). */
export interface PodName {
  readonly namespace: string;
  readonly name: string;
}

const texts = ["command", "containerId", "netns", "ifname", "args", "path", "stdin"] as const;

/** Reads the `params` of the control socket's `cni` method; `undefined` when they are not a call. */
export function readCall(params: unknown): CniCall | undefined {
  if (!isRecord(params)) return undefined;
  const { plugin } = params;
  if (plugin !== "calico" && plugin !== "calico-ipam") return undefined;
  const [command, containerId, netns, ifname, args, path, stdin] = texts.map((name) => params[name]);
  return typeof command === "string" &&
    typeof containerId === "string" &&
    typeof netns === "string" &&
    typeof ifname === "string" &&
    typeof args === "string" &&
    typeof path === "string" &&
    typeof stdin === "string"
    ? { plugin, command, containerId, netns, ifname, args, path, stdin }
    : undefined;
}

/** CNI specification, "Parameters": CNI_CONTAINERID starts with an alphanumeric, then also `_`, `.`, `-`. */
const containerIdPattern = /^[a-zA-Z0-9][a-zA-Z0-9_.-]*$/;
/** An etcd key and an IPAM handle hold it; runtimes use 64 hexadecimal digits. */
const containerIdCharactersMax = 256;
/** IFNAMSIZ less the closing NUL. */
const interfaceNameCharactersMax = 15;

/** Checks the variables that an attachment's commands need; `netns` only where the command cannot do without. */
export function checkAttachmentVariables(call: CniCall): void {
  const { containerId, ifname, netns, command } = call;
  if (containerId === "") throw missing("CNI_CONTAINERID");
  if (!containerIdPattern.test(containerId) || containerId.length > containerIdCharactersMax) {
    throw invalid("CNI_CONTAINERID", containerId, "letters, digits, '_', '.' and '-', at most 256");
  }
  if (ifname === "") throw missing("CNI_IFNAME");
  if (!isInterfaceName(ifname))
    throw invalid("CNI_IFNAME", ifname, "an interface name of 1 to 15 characters");
  if (netns === "" && command !== "DEL" && call.plugin === "calico") throw missing("CNI_NETNS");
  if (netns !== "" && !netns.startsWith("/")) throw invalid("CNI_NETNS", netns, "an absolute path");
}

/**
 * As the kernel's dev_valid_name: no `/` or `:`, and not `.` or `..`. Also no `%`, for which the kernel puts in a number, nothing
 * that cannot be seen in a log, and not the names that settings have for all interfaces.
 */
export function isInterfaceName(name: string): boolean {
  return (
    name.length <= interfaceNameCharactersMax &&
    /^[!-~]+$/.test(name) &&
    !/[/:%]/.test(name) &&
    ![".", "..", "all", "default"].includes(name)
  );
}

/** CNI_ARGS, `KEY=value;KEY=value`, in which only the first `=` of each counts. */
export function parseArguments(text: string): ReadonlyMap<string, string> {
  const found = new Map<string, string>();
  for (const pair of text.split(";")) {
    if (pair === "") continue;
    const equals = pair.indexOf("=");
    if (equals <= 0) throw invalid("CNI_ARGS", text, "pairs KEY=value separated by ';'");
    found.set(pair.slice(0, equals), pair.slice(equals + 1));
  }
  return found;
}

/** RFC 1123 subdomain, what a Kubernetes pod may be called; namespaces are labels, which are subdomains too. */
const kubernetesName = /^[a-z0-9]([a-z0-9-]*[a-z0-9])?(\.[a-z0-9]([a-z0-9-]*[a-z0-9])?)*$/;
const kubernetesNameCharactersMax = 253;

/** The pod of Kubernetes, if the runtime says there is one. Podman names every container so, with an empty namespace. */
export function podOf(args: ReadonlyMap<string, string>): PodName | undefined {
  const name = args.get("K8S_POD_NAME") ?? "";
  const namespace = args.get("K8S_POD_NAMESPACE") ?? "";
  if (name === "" || namespace === "") return undefined;
  for (const [key, value] of [
    ["K8S_POD_NAME", name],
    ["K8S_POD_NAMESPACE", namespace],
  ] as const) {
    if (!kubernetesName.test(value) || value.length > kubernetesNameCharactersMax) {
      throw invalid(`CNI_ARGS ${key}`, value, "a Kubernetes name");
    }
  }
  return { namespace, name };
}

function missing(variable: string): CniError {
  return new CniError(CniCode.invalidEnvironment, `${variable} is not set`);
}

function invalid(variable: string, found: string, allowed: string): CniError {
  const shown = JSON.stringify(found.slice(0, 80));
  return new CniError(CniCode.invalidEnvironment, `${variable} must be ${allowed}`, `it is ${shown}`);
}
