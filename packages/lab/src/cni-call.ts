import { join } from "node:path";
import { spawnInNamespace } from "@caracal/linux";
import type { LabContext } from "./lab-context.ts";
import type { LabDirectory } from "./lab-directory.ts";
import { isJsonObject, parseJsonObject } from "./json-value.ts";
import { LabError } from "./lab-error.ts";
import type { PodRecord } from "./lab-record.ts";
import { LAB_VARIABLE } from "./process-identity.ts";

/** Calls a container runtime makes here. */
export type CniCommand = "ADD" | "DEL";

/** What the plugin answered. */
export type CniOutcome =
  | { readonly kind: "ok"; readonly addresses: readonly string[] }
  | { readonly kind: "error"; readonly code: number; readonly message: string };

/** CNI specification, "Error": the plugin cannot do it now; the runtime should try again later. */
export const CNI_TRY_AGAIN_LATER = 11;

const CNI_VERSION = "1.0.0";
const POD_INTERFACE = "eth0";
const CNI_TIMEOUT_MS = 120_000;
const MAX_OUTPUT_CHARS = 1 << 20;

/** Runs the `calico` plugin for a pod on its node, as kubelet and its container runtime do it. */
export async function callCni(
  lab: LabDirectory,
  pod: PodRecord,
  command: CniCommand,
  ctx: LabContext,
): Promise<CniOutcome> {
  const directory = ctx.pluginDirectory();
  const env = {
    PATH: ctx.env["PATH"],
    [LAB_VARIABLE]: lab.path,
    CNI_COMMAND: command,
    CNI_CONTAINERID: pod.containerId,
    CNI_NETNS: lab.namespacePath(pod.name),
    CNI_IFNAME: POD_INTERFACE,
    CNI_PATH: directory,
    CNI_ARGS: [
      "IgnoreUnknown=1",
      `K8S_POD_NAMESPACE=${pod.namespace}`,
      `K8S_POD_NAME=${pod.name}`,
      `K8S_POD_INFRA_CONTAINER_ID=${pod.containerId}`,
    ].join(";"),
  };
  const input = JSON.stringify(networkConfiguration(lab, pod));
  const { exitCode, stdout } = await runPlugin(lab, pod, join(directory, "calico"), env, input);
  return readOutcome(exitCode, stdout);
}

/** The entry of the conflist that the runtime hands to the plugin. */
function networkConfiguration(lab: LabDirectory, pod: PodRecord): Readonly<Record<string, unknown>> {
  return {
    cniVersion: CNI_VERSION,
    name: "k8s-pod-network",
    type: "calico",
    datastore_type: "etcdv3",
    nodename: pod.node,
    caracal_run_dir: lab.runDirectory(pod.node),
    ipam: { type: "calico-ipam", ...familiesOf(lab) },
    policy: { type: "k8s" },
    // A lab is for trying what annotations can do.
    feature_control: { ip_addrs_no_ipam: true, floating_ips: true },
    // containerd hands a pod's annotations to plugins that have this capability.
    runtimeConfig: { "io.kubernetes.cri.pod-annotations": pod.annotations },
  };
}

/** IPv4 is Calico's default; anything else the configuration has to say, in Calico's own texts. */
function familiesOf(lab: LabDirectory): Readonly<Record<string, string>> {
  const { pool, pool6 } = lab.record ?? {};
  if (pool?.cidr.includes(":") === true) return { assign_ipv4: "false", assign_ipv6: "true" };
  return pool6 === undefined ? {} : { assign_ipv4: "true", assign_ipv6: "true" };
}

function runPlugin(
  lab: LabDirectory,
  pod: PodRecord,
  plugin: string,
  env: Readonly<Record<string, string | undefined>>,
  input: string,
): Promise<{ readonly exitCode: number; readonly stdout: string }> {
  return new Promise((resolve, reject) => {
    const child = spawnInNamespace(lab.namespacePath(pod.node), plugin, [], {
      env,
      stdio: ["pipe", "pipe", "ignore"],
      timeout: CNI_TIMEOUT_MS,
      killSignal: "SIGKILL",
    });
    let stdout = "";
    child.stdout?.setEncoding("utf8");
    child.stdout?.on("data", (chunk: string) => {
      stdout = (stdout + chunk).slice(0, MAX_OUTPUT_CHARS);
    });
    child.once("error", (cause) => reject(new LabError(`cannot run ${plugin}: ${cause.message}`, { cause })));
    child.once("close", (code) => resolve({ exitCode: code ?? 1, stdout }));
    child.stdin?.on("error", () => undefined);
    child.stdin?.end(input);
  });
}

function readOutcome(exitCode: number, stdout: string): CniOutcome {
  const answer = parseJsonObject(stdout);
  if (exitCode === 0) return { kind: "ok", addresses: readAddresses(answer?.["ips"]) };
  const code = typeof answer?.["code"] === "number" ? answer["code"] : 0;
  const words = [answer?.["msg"], answer?.["details"]].filter(
    (part) => typeof part === "string" && part !== "",
  );
  return { kind: "error", code, message: words.join(": ") || `exit code ${exitCode} without a reason` };
}

function readAddresses(ips: unknown): readonly string[] {
  if (!Array.isArray(ips)) return [];
  return ips.flatMap((ip: unknown) => {
    const address = isJsonObject(ip) ? ip["address"] : undefined;
    return typeof address === "string" ? [address.replace(/\/.*$/, "")] : [];
  });
}
