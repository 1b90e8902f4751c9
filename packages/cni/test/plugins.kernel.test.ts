/**
 * Aim: the executables do for a container runtime what the CNI specification says, alone and in chains with the reference plugins.
 * Method: a runtime by hand (environment, stdin, exit code) against the daemon's engine behind a control socket, its node and pods
 * namespaces of the test.
 */
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { describe, it } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { ControlServer } from "@caracal/control";
import { MemoryStore } from "@caracal/datastore";
import { type CommandResult, type Namespace, requireRoot, runAnyway, Testbed } from "@caracal/testbed";
import { FakeIpam } from "../../node/test/cni-fakes.ts";
import { CniEngine } from "../../node/src/cni/cni-engine.ts";
import { LinkRemover } from "../../node/src/cni/link-remover.ts";
import { LinuxPodKernel } from "../../node/src/cni/linux-pod-kernel.ts";
import { buildPlugins } from "../src/index.ts";
import { supportedVersions } from "../src/plugin-call.ts";

const referencePlugins = "/usr/lib/cni";
const skip = requireRoot();

interface Attachment {
  readonly containerId: string;
  readonly netns: string;
  readonly pod: string;
  /** Before those of Kubernetes. */
  readonly firstArgument?: string;
}

/** A node with a daemon that is the CNI engine alone, and a runtime that calls plugins on it. */
class Runtime implements AsyncDisposable {
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
    const kernel = this.#own.use(new LinuxPodKernel((name) => remover.remove(name), this.node.path));
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
      CNI_IFNAME: "eth0",
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

const nothingLeft = { links: [], allocations: [], records: [] };

function printed(result: CommandResult): Record<string, unknown> {
  assert.equal(result.exitCode, 0, `${result.stdout}${result.stderr}`);
  return JSON.parse(result.stdout);
}

function silent(result: CommandResult): void {
  assert.deepEqual(result, { exitCode: 0, stdout: "", stderr: "" });
}

describe("the executables", { skip }, () => {
  it("ADD, CHECK and DEL by hand, in every version of the specification", async () => {
    await using runtime = await Runtime.create();
    const pod = await runtime.newPod();
    for (const cniVersion of supportedVersions) {
      const version = printed(await runtime.call("calico", "VERSION", pod, { cniVersion }));
      assert.equal(version["cniVersion"], cniVersion);
      const made = printed(await runtime.call("calico", "ADD", pod, { cniVersion }));
      assert.equal(made["cniVersion"], cniVersion);
      const isOld = cniVersion < "0.3.0";
      assert.deepEqual(
        made["ip4"],
        isOld ? { ip: "10.244.0.1/32", routes: [{ dst: "10.244.0.1/32" }] } : undefined,
      );
      const version4 = cniVersion < "1.0.0" ? { version: "4" } : {};
      const listed = [{ ...version4, interface: 1, address: "10.244.0.1/32" }];
      assert.deepEqual(made["ips"], isOld ? undefined : listed);
      if (cniVersion >= "0.4.0") {
        silent(await runtime.call("calico", "CHECK", pod, { cniVersion, prevResult: made }));
      }
      silent(await runtime.call("calico", "DEL", pod, { cniVersion, prevResult: made }));
      silent(await runtime.call("calico", "DEL", pod, { cniVersion }));
      assert.deepEqual(await runtime.leftovers(), nothingLeft);
    }
  });

  it("CNI 1.1.0: STATUS is silent, GC removes what the runtime has forgotten", async () => {
    await using runtime = await Runtime.create();
    const pod = await runtime.newPod();
    silent(await runtime.call("calico", "STATUS", pod, { cniVersion: "1.1.0" }));
    printed(await runtime.call("calico", "ADD", pod, { cniVersion: "1.1.0" }));
    const config = { cniVersion: "1.1.0", "cni.dev/valid-attachments": [] };
    silent(await runtime.call("calico", "GC", pod, config));
    assert.deepEqual(await runtime.leftovers(), nothingLeft);
  });

  it(
    "before the reference plugins in a chain",
    { skip: missing("bandwidth", "tuning", "portmap") },
    async () => {
      await using runtime = await Runtime.create();
      const pod = await runtime.newPod();
      const chain = [
        ["calico", {}],
        ["bandwidth", { ingressRate: 8_000_000, ingressBurst: 800_000 }],
        ["tuning", { sysctl: { "net.core.somaxconn": "321" } }],
        [
          "portmap",
          { snat: true, capabilities: { portMappings: true }, runtimeConfig: { portMappings: [] } },
        ],
      ] as const;
      let prevResult: object | undefined;
      for (const [plugin, config] of chain) {
        prevResult = printed(await runtime.call(plugin, "ADD", pod, { ...config, prevResult }));
      }
      for (const [plugin, config] of chain) {
        assert.equal(
          (await runtime.call(plugin, "CHECK", pod, { ...config, prevResult })).exitCode,
          0,
          plugin,
        );
      }
      const queues = await runtime.node.run(["tc", "qdisc", "show"]);
      assert.match(queues.stdout, /qdisc tbf .* dev cali[0-9a-f]{11} .*rate 8Mbit/);
      for (const [plugin, config] of chain.toReversed()) {
        assert.equal((await runtime.call(plugin, "DEL", pod, { ...config, prevResult })).exitCode, 0, plugin);
      }
      assert.deepEqual(await runtime.leftovers(), nothingLeft);
    },
  );

  it("after a reference plugin in a chain", { skip: missing("loopback", "tuning") }, async () => {
    await using runtime = await Runtime.create();
    const pod = await runtime.newPod();
    const first = printed(await runtime.call("loopback", "ADD", pod, {}));
    const result = printed(await runtime.call("calico", "ADD", pod, { prevResult: first }));
    const ips = [
      { version: "4", interface: 0, address: "127.0.0.1/8" },
      { version: "6", interface: 0, address: "::1/128" },
      { version: "4", interface: 2, address: "10.244.0.1/32" },
    ];
    assert.deepEqual(result["ips"], ips);
    const last = { sysctl: { "net.core.somaxconn": "321" }, prevResult: result };
    assert.deepEqual(printed(await runtime.call("tuning", "ADD", pod, last))["ips"], ips);
    silent(await runtime.call("calico", "CHECK", pod, { prevResult: result }));
    silent(await runtime.call("calico", "DEL", pod, { prevResult: result }));
    assert.equal((await runtime.call("loopback", "DEL", pod, { prevResult: result })).exitCode, 0);
    assert.deepEqual(await runtime.leftovers(), nothingLeft);
  });

  it("with addresses of host-local", { skip: missing("host-local") }, async () => {
    await using runtime = await Runtime.create();
    // Without IgnoreUnknown host-local would refuse what names the pod.
    const pod = { ...(await runtime.newPod()), firstArgument: "" };
    const dataDir = runtime.bed.directory("host-local");
    const config = { ipam: { type: "host-local", subnet: "10.99.0.0/24", dataDir } };
    const made = printed(await runtime.call("calico", "ADD", pod, config));
    assert.deepEqual(made["ips"], [{ version: "4", interface: 1, address: "10.99.0.2/32" }]);
    assert.deepEqual(printed(await runtime.call("calico", "ADD", pod, config)), made);
    silent(await runtime.call("calico", "CHECK", pod, { ...config, prevResult: made }));
    silent(await runtime.call("calico", "DEL", pod, config));
    silent(await runtime.call("calico", "DEL", pod, config));
    assert.deepEqual(await runtime.leftovers(), nothingLeft);
    const again = printed(await runtime.call("calico", "ADD", await runtime.newPod(), config));
    assert.deepEqual(again["ips"], [{ version: "4", interface: 1, address: "10.99.0.3/32" }]);
  });

  it("calico-ipam gives addresses to the bridge plugin", { skip: missing("bridge") }, async () => {
    await using runtime = await Runtime.create();
    const pod = await runtime.newPod();
    const config = { bridge: "calibr0" };
    const made = printed(await runtime.call("bridge", "ADD", pod, config));
    assert.deepEqual(made["ips"], [{ version: "4", interface: 2, address: "10.244.0.1/32" }]);
    assert.equal((await runtime.call("bridge", "CHECK", pod, { ...config, prevResult: made })).exitCode, 0);
    assert.equal((await runtime.call("bridge", "DEL", pod, config)).exitCode, 0);
    assert.deepEqual([...runtime.ipam.allocations.keys()], []);
  });

  it("a plugin killed at any moment leaves nothing that DEL does not find", async () => {
    await using runtime = await Runtime.create();
    const program = join(buildPlugins().directory, "calico");
    for (const delayMs of [0, 0.2, 0.5, 1, 2, 4]) {
      const pod = await runtime.newPod();
      const child = spawn(program, {
        env: runtime.environment("ADD", pod),
        stdio: ["pipe", "ignore", "ignore"],
      });
      const ended = once(child, "exit");
      child.stdin.on("error", () => undefined);
      child.stdin.end(runtime.stdin("calico", {}));
      await sleep(delayMs);
      child.kill("SIGKILL");
      await ended;
      silent(await runtime.call("calico", "DEL", pod, {}));
      assert.deepEqual(await runtime.leftovers(), nothingLeft, `killed after ${delayMs} ms`);
    }
  });

  it("50 pods at once", async () => {
    await using runtime = await Runtime.create();
    const pods: Attachment[] = [];
    for (let count = 0; count < 50; count += 1) pods.push(await runtime.newPod());
    const made = await Promise.all(pods.map((pod) => runtime.call("calico", "ADD", pod, {})));
    assert.equal(new Set(made.map((one) => JSON.stringify(printed(one)["ips"]))).size, 50);
    for (const one of await Promise.all(pods.map((pod) => runtime.call("calico", "DEL", pod, {}))))
      silent(one);
    assert.deepEqual(await runtime.leftovers(), nothingLeft);
  });
});

function missing(...plugins: readonly string[]): string | false {
  const absent = plugins.filter((plugin) => !existsSync(join(referencePlugins, plugin)));
  return absent.length === 0 ? false : `not installed: ${absent.join(", ")} (containernetworking-plugins)`;
}
