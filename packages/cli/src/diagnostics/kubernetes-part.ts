import { isRecord, parseJson } from "@caracal/resources";
import type { Arguments } from "../command.ts";
import { CliError } from "../cli-error.ts";
import type { CliContext } from "../context.ts";
import { type Bundle, type CommandResult, runProgram } from "./bundle.ts";

/** What a person says of the logs to take. */
export interface LogChoice {
  /** A duration such as `1h30m`; absent is all there is. */
  readonly since: string | undefined;
  /** Pods of each workload whose logs are taken. */
  readonly maxLogs: number;
  readonly maxParallelism: number;
  /** Nodes whose pods come first. */
  readonly focusNodes: readonly string[];
}

/** Where kubectl finds the cluster. */
export interface KubectlPlace {
  readonly kubeconfig: string | undefined;
  readonly context: string | undefined;
}

/** Kubernetes' objects that tell how Calico's parts run. */
const overviews: Readonly<Record<string, readonly string[]>> = {
  "kubernetes-version": ["version"],
  "kubernetes-nodes": ["get", "nodes", "-o", "wide"],
  "kubernetes-nodes.yaml": ["get", "nodes", "-o", "yaml"],
  "kubernetes-pods": ["get", "pods", "--all-namespaces", "-o", "wide"],
  "kubernetes-workloads": ["get", "daemonsets,deployments", "--all-namespaces", "-o", "wide"],
  "kubernetes-services": ["get", "services", "--all-namespaces", "-o", "wide"],
  "kubernetes-events": ["get", "events", "--all-namespaces"],
};

/** Namespaces that Calico's parts run in, and what their pods are called. */
const namespaces: ReadonlySet<string> = new Set([
  "calico-apiserver",
  "calico-system",
  "kube-system",
  "tigera-operator",
]);
const podNames = /^(calico|caracal|tigera-operator|csi-node-driver|goldmane|whisker)/;

/** Reads the options of a collection from Kubernetes. */
export function readLogChoice(args: Arguments): LogChoice {
  const since = args.text("since");
  if (since !== undefined && !/^([0-9]+(\.[0-9]+)?(ms|s|m|h))+$/.test(since)) {
    throw new CliError(`--since: ${since} is not a duration such as 30m or 1h30m`);
  }
  return {
    since,
    maxLogs: countOf(args, "max-logs", 5),
    maxParallelism: countOf(args, "max-parallelism", 10),
    focusNodes: (args.text("focus-nodes") ?? "").split(",").filter((name) => name !== ""),
  };
}

function countOf(args: Arguments, option: string, absent: number): number {
  const text = args.text(option);
  if (text === undefined) return absent;
  if (!/^[1-9][0-9]{0,3}$/.test(text)) throw new CliError(`--${option}: ${text} is not a number from 1 on`);
  return Number(text);
}

/** Adds Kubernetes' objects and the logs of Calico's pods to a bundle, by kubectl. What cannot be had is told, and passed over. */
export async function addKubernetes(
  ctx: CliContext,
  bundle: Bundle,
  place: KubectlPlace,
  choice: LogChoice,
): Promise<void> {
  const kubectl = (args: readonly string[]): Promise<CommandResult> => {
    const where = [
      ...(place.kubeconfig === undefined ? [] : [`--kubeconfig=${place.kubeconfig}`]),
      ...(place.context === undefined ? [] : [`--context=${place.context}`]),
    ];
    return runProgram("kubectl", [...where, ...args], { env: ctx.env });
  };
  const found = await kubectl(["get", "pods", "--all-namespaces", "-o", "json"]);
  if (!found.isOk) {
    ctx.stderr.write(`pods and their logs are not collected: ${firstLine(found.output)}\n`);
    return;
  }
  ctx.stdout.write("Collecting Kubernetes resources\n");
  const pods = chosenPods(found.output, choice);
  const tasks = [
    ...Object.entries(overviews).map(([file, args]) => ({ file, args })),
    ...pods.flatMap(({ namespace, name }) => podTasks(namespace, name, choice)),
  ];
  ctx.stdout.write(`Collecting logs of ${pods.length} pod(s)\n`);
  const queue = tasks.values();
  const work = async (): Promise<void> => {
    for (const { file, args } of queue) await bundle.add(file, (await kubectl(args)).output);
  };
  await Promise.all(Array.from({ length: choice.maxParallelism }, work));
}

function podTasks(
  namespace: string,
  name: string,
  { since }: LogChoice,
): readonly { readonly file: string; readonly args: readonly string[] }[] {
  const pod = ["-n", namespace, name];
  const logs = [
    "logs",
    ...pod,
    "--all-containers",
    "--prefix",
    ...(since === undefined ? [] : [`--since=${since}`]),
  ];
  return [
    { file: `${namespace}.${name}.describe`, args: ["describe", "pod", ...pod] },
    { file: `${namespace}.${name}.log`, args: logs },
    // Of a container that was started anew, what its last run said.
    { file: `${namespace}.${name}.previous.log`, args: [...logs, "--previous"] },
  ];
}

interface Pod {
  readonly namespace: string;
  readonly name: string;
  readonly node: string;
  /** What tells pods of one workload. */
  readonly workload: string;
}

/** Calico's pods: of each workload so many, those of the nodes in focus first. */
function chosenPods(text: string, { maxLogs, focusNodes }: LogChoice): readonly Pod[] {
  const document = parseJson(text);
  const items: unknown =
    document.kind === "ok" && isRecord(document.value) ? document.value.items : undefined;
  const all: readonly unknown[] = Array.isArray(items) ? items : [];
  const pods = all.flatMap((item) => readPod(item) ?? []);
  const focus = (pod: Pod): number => Number(!focusNodes.includes(pod.node));
  const counts = new Map<string, number>();
  return pods
    .filter(({ namespace, name }) => namespaces.has(namespace) && podNames.test(name))
    .toSorted((a, b) => focus(a) - focus(b) || (a.name < b.name ? -1 : 1))
    .filter(({ namespace, workload }) => {
      const key = `${namespace}/${workload}`;
      const count = counts.get(key) ?? 0;
      counts.set(key, count + 1);
      return count < maxLogs;
    });
}

function readPod(item: unknown): Pod | undefined {
  if (!isRecord(item) || !isRecord(item.metadata)) return undefined;
  const { name, namespace, generateName } = item.metadata;
  const node: unknown = isRecord(item.spec) ? item.spec.nodeName : undefined;
  if (typeof name !== "string" || typeof namespace !== "string") return undefined;
  return {
    name,
    namespace,
    node: typeof node === "string" ? node : "",
    workload: typeof generateName === "string" ? generateName : name,
  };
}

function firstLine(text: string): string {
  return text.trim().split("\n", 1)[0] ?? "";
}
