/** The CNI plugin as a container runtime runs it, but in the test's hands: it can be killed, and its answer read whole. */
import { randomBytes } from "node:crypto";
import { join } from "node:path";
import { buildPlugins } from "@caracal/cni";
import { createNamespace, deleteNamespace, spawnInNamespace } from "@caracal/linux";
import type { LabDirectory } from "../src/index.ts";
import { LAB_VARIABLE } from "../src/process-identity.ts";

/** What the plugin printed and how it ended; `exitCode` is null when it was killed. */
export interface PluginAnswer {
  readonly exitCode: number | null;
  readonly answer: unknown;
}

/** Where Debian has the reference plugins. */
export const referencePlugins = "/usr/lib/cni";

/** A container of a lab's node that only the test knows of. */
export class TestContainer implements Disposable {
  readonly name: string;
  /** Of the configuration from now on. */
  ipam: Readonly<Record<string, unknown>> = { type: "calico-ipam" };
  readonly #lab: LabDirectory;
  readonly #node: string;
  readonly #id = randomBytes(32).toString("hex");

  constructor(lab: LabDirectory, node: string, name: string) {
    this.name = name;
    this.#lab = lab;
    this.#node = node;
    createNamespace(lab.namespaceName(name));
  }

  /** Runs the plugin; killed with -9 after `killAfterMs` if that is given and it still runs. */
  async run(command: "ADD" | "DEL", killAfterMs?: number): Promise<PluginAnswer> {
    const { directory } = buildPlugins();
    const child = spawnInNamespace(this.#lab.namespacePath(this.#node), join(directory, "calico"), [], {
      env: {
        PATH: process.env["PATH"],
        [LAB_VARIABLE]: this.#lab.path,
        CNI_COMMAND: command,
        CNI_CONTAINERID: this.#id,
        CNI_NETNS: this.#lab.namespacePath(this.name),
        CNI_IFNAME: "eth0",
        CNI_PATH: `${directory}:${referencePlugins}`,
        CNI_ARGS: `IgnoreUnknown=1;K8S_POD_NAMESPACE=default;K8S_POD_NAME=${this.name}`,
      },
      stdio: ["pipe", "pipe", "ignore"],
    });
    const timer =
      killAfterMs === undefined ? undefined : setTimeout(() => child.kill("SIGKILL"), killAfterMs);
    let stdout = "";
    child.stdout?.setEncoding("utf8").on("data", (chunk: string) => (stdout += chunk));
    child.stdin?.on("error", () => undefined);
    child.stdin?.end(this.#configuration());
    const exitCode = await new Promise<number | null>((resolve, reject) => {
      child.once("error", reject);
      child.once("close", resolve);
    });
    clearTimeout(timer);
    const answer: unknown = stdout === "" ? undefined : JSON.parse(stdout);
    return { exitCode, answer };
  }

  [Symbol.dispose](): void {
    deleteNamespace(this.#lab.namespaceName(this.name));
  }

  #configuration(): string {
    return JSON.stringify({
      cniVersion: "1.0.0",
      name: "k8s-pod-network",
      type: "calico",
      nodename: this.#node,
      caracal_run_dir: this.#lab.runDirectory(this.#node),
      ipam: this.ipam,
      policy: { type: "k8s" },
    });
  }
}
