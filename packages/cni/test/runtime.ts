/** For tests: a container runtime by hand, and a node whose daemon is the CNI engine alone. */
import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { ControlServer } from "@caracal/control";
import { MemoryStore } from "@caracal/datastore";
import { type CommandResult, type Namespace, runAnyway, Testbed } from "@caracal/testbed";
import { FakeIpam } from "../../node/test/cni-fakes.ts";
import { CniEngine } from "../../node/src/cni/cni-engine.ts";
import { LinkRemover } from "../../node/src/cni/link-remover.ts";
import { LinuxPodKernel } from "../../node/src/cni/linux-pod-kernel.ts";
import { buildPlugins } from "../src/index.ts";

const referencePlugins = "/usr/lib/cni";
export interface Attachment {
  readonly containerId: string;
  readonly netns: string;
  readonly pod: string;
  /** `eth0` unless told. */
  readonly ifname?: string;
  /** Before those of Kubernetes. */
  readonly firstArgument?: string;
}

/** A node with a daemon that is the CNI engine alone, and a runtime that calls plugins on it. */
export class Runtime implements AsyncDisposable {
  readonly bed: Testbed;
  readonly node: Namespace;
  readonly store: MemoryStore = new MemoryStore();
  readonly ipam: FakeIpam = new FakeIpam();
  readonly runDirectory: string;
  readonly #own: AsyncDisposableStack = new AsyncDisposableStack();
  #podCount = 0;

  private constructor(bed: Testbed, node: Namespace) {
    this.bed = bed;
    this.node = node;
    this.runDirectory = bed.directory("run");
  }

  static async create(): Promise<Runtime> {
    const bed = Testbed.create();
    const node = await bed.namespace("node");
    const runtime = new Runtime(bed, node);
    await runtime.#start();
    return runtime;
  }

  async #start(): Promise<void> {
    const remover = this.#own.use(new LinkRemover(this.node.path));
    const kernel = this.#own.use(new LinuxPodKernel(remover, this.node.path));
    const nothing = (): Promise<void> => Promise.resolve();
    const engine = new CniEngine({
      node: "node-1",
      store: this.store,
      ipam: this.ipam,
      kernel,
      hooks: { blocksClaimed: nothing, endpointAdded: nothing, endpointRemoved: nothing },
      isReady: () => true,
      sources: { now: () => new Date(), uuid: () => crypto.randomUUID() },
    });
    const path = join(this.runDirectory, "control.sock");
    this.#own.use(
      await ControlServer.listen({
        path,
        methods: { cni: (params, signal) => engine.handle(params, signal) },
      }),
    );
  }

  async newPod(): Promise<Attachment> {
    const number = (this.#podCount += 1);
    const namespace = await this.bed.namespace(`pod${number}`);
    return { containerId: `container${number}`, netns: namespace.path, pod: `pod-${number}` };
  }

  /** Runs a plugin as a runtime does, in the node's network namespace. */
  async call(plugin: string, command: string, of: Attachment, config: object): Promise<CommandResult> {
    const { directory } = buildPlugins();
    const program = plugin.startsWith("calico") ? join(directory, plugin) : join(referencePlugins, plugin);
    return runAnyway(["nsenter", `--net=${this.node.path}`, program], {
      input: this.stdin(plugin, config),
      env: this.environment(command, of),
    });
  }

  environment(command: string, of: Attachment): Record<string, string> {
    return {
      CNI_COMMAND: command,
      CNI_CONTAINERID: of.containerId,
      CNI_NETNS: of.netns,
      CNI_IFNAME: of.ifname ?? "eth0",
      CNI_ARGS: `${of.firstArgument ?? "IgnoreUnknown=1;"}K8S_POD_NAMESPACE=default;K8S_POD_NAME=${of.pod}`,
      CNI_PATH: `${buildPlugins().directory}:${referencePlugins}`,
    };
  }

  stdin(plugin: string, config: object): string {
    const base = { cniVersion: "0.4.0", name: "net", type: plugin, caracal_run_dir: this.runDirectory };
    return JSON.stringify({ ...base, ipam: { type: "calico-ipam" }, ...config });
  }

  async leftovers(): Promise<unknown> {
    const links = await this.node.ip("-o", "link");
    return {
      links: links.split("\n").filter((line) => /cali|veth/.test(line)),
      allocations: [...this.ipam.allocations.keys()],
      records: (await this.store.list("")).entries.map(({ key }) => key),
    };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#own.disposeAsync();
    await this.bed.close();
  }
}

/** What `leftovers` gives when all is gone. */
export const nothingLeft: object = { links: [], allocations: [], records: [] };

/** What a call that succeeded printed. */
export function printed(result: CommandResult): Record<string, unknown> {
  assert.equal(result.exitCode, 0, `${result.stdout}${result.stderr}`);
  return JSON.parse(result.stdout);
}

export function silent(result: CommandResult): void {
  assert.deepEqual(result, { exitCode: 0, stdout: "", stderr: "" });
}

/** Why a test that needs these reference plugins is skipped, if it is. */
export function missing(...plugins: readonly string[]): string | false {
  const absent = plugins.filter((plugin) => !existsSync(join(referencePlugins, plugin)));
  return absent.length === 0 ? false : `not installed: ${absent.join(", ")} (containernetworking-plugins)`;
}
