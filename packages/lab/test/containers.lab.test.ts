/**
 * Aim: a real container runtime uses the plugins as they are installed on a host: containers on two nodes reach each other, and
 * what they had is given back when they go.
 * Method: podman with CNI networks on two nodes of a lab, each with plugins and configuration by `cni install`, its containers
 * from one root file system with nothing but busybox.
 */
import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test, type TestContext } from "node:test";
import { listNamespaces } from "@caracal/linux";
import { type CommandResult, requireRoot, requireTool, runAnyway, Testbed } from "@caracal/testbed";
import type { LabDirectory } from "../src/index.ts";
import { installCni, makeRootfs, page } from "./container-host.ts";
import { labScope, REPOSITORY } from "./lab-scope.ts";
import { labState } from "./lab-state.ts";

const skip = requireRoot() || requireTool("ip", "podman", "runc", "busybox", "nsenter");
const network = "k8s-pod-network";
const mac = "02:00:00:00:00:42";

/** Podman on one node, with all that it writes in a directory of its own. */
class NodePodman {
  readonly #words: readonly string[];
  readonly #env: Readonly<Record<string, string>>;
  readonly #rootfs: string;

  constructor(t: TestContext, lab: LabDirectory, node: string, directory: string, rootfs: string) {
    const { bin, net } = installCni(lab, node, directory);
    const settings = join(directory, "containers.conf");
    writeFileSync(
      settings,
      `[network]
network_backend = "cni"
cni_plugin_dirs = ["${bin}"]
network_config_dir = "${net}"
[containers]
# Not everyone who may make namespaces may also raise limits.
default_ulimits = ["nofile=1024:1024", "nproc=1024:1024"]
[engine]
runtime = "runc"
cgroup_manager = "cgroupfs"
events_logger = "file"
`,
    );
    this.#env = { CONTAINERS_CONF: settings };
    this.#rootfs = rootfs;
    // Podman takes no longer run directory than 50 letters.
    const short = mkdtempSync("/tmp/podman-");
    t.after(async () => {
      await this.command("rm", "-a", "-f", "-t", "0");
      rmSync(short, { recursive: true, force: true });
    });
    const store = ["root", "runroot", "tmpdir"].flatMap((name) => [`--${name}`, join(short, name)]);
    // `ip netns exec` has a mount namespace of its own, in which nobody else would see podman's network namespaces.
    const enter = ["nsenter", `--net=${lab.namespacePath(node)}`];
    this.#words = [...enter, "podman", ...store, "--storage-driver", "vfs"];
  }

  command(...words: readonly string[]): Promise<CommandResult> {
    return runAnyway([...this.#words, ...words], { env: this.#env });
  }

  start(name: string, networkName: string, ...words: readonly string[]): Promise<CommandResult> {
    return this.command(
      "run",
      "-d",
      "--name",
      name,
      "--network",
      networkName,
      "--rootfs",
      this.#rootfs,
      ...words,
    );
  }

  async address(name: string): Promise<string> {
    const format = `{{(index .NetworkSettings.Networks "${network}").IPAddress}}`;
    return (await this.command("inspect", name, "--format", format)).stdout.trim();
  }
}

/** Why this machine runs no containers at all, networks apart. */
async function whyNoContainers(podman: NodePodman): Promise<string | undefined> {
  const { exitCode, stderr } = await podman.start("probe", "none", "/bin/busybox", "true");
  await podman.command("rm", "-f", "probe");
  return exitCode === 0 ? undefined : `podman runs no container here: ${stderr.trim()}`;
}

/** The lab's namespaces, and podman's: others' labs come and go meanwhile. */
function ownNamespaces(lab: LabDirectory): readonly string[] {
  return listNamespaces().filter((name) => name.startsWith("netns-") || name.startsWith(`${lab.name}-`));
}

test(
  "containers of podman on two nodes reach each other, and leave nothing behind",
  { skip },
  async (t: TestContext) => {
    const scope = await labScope(t, { program: [`${REPOSITORY}caracal`] });
    const name = scope.newName();
    const testbed = Testbed.create(t);
    const rootfs = makeRootfs(testbed.directory("rootfs"));
    const { exitCode, stderr } = await scope.lab(["up", "full-mesh", "--name", name]);
    assert.equal(exitCode, 0, stderr);
    const lab = scope.directory(name);
    const node = (short: string): NodePodman =>
      new NodePodman(t, lab, `calico-bgp-fullmesh-${short}`, testbed.directory(short), rootfs);
    const [one, two] = [node("worker"), node("worker2")];
    const why = await whyNoContainers(one);
    if (why !== undefined) {
      t.skip(why);
      return;
    }
    const [before, namespaces] = [await labState(lab), ownNamespaces(lab)];

    const started = await Promise.all([
      one.start("client", `${network}:mac=${mac}`, "sleep", "600"),
      two.start("server", network, "/bin/busybox", "httpd", "-f", "-p", "80", "-h", "/www"),
    ]);
    assert.deepEqual(
      started.map((result) => result.exitCode),
      [0, 0],
      JSON.stringify(started),
    );
    const address = await two.address("server");
    assert.match(address, /^10\.244\./);
    const link = await one.command("exec", "client", "/bin/busybox", "ip", "link", "show", "eth0");
    assert.ok(link.stdout.includes(mac), link.stdout + link.stderr);
    const ping = await one.command("exec", "client", "/bin/busybox", "ping", "-c", "2", address);
    assert.match(ping.stdout, /2 packets received/, ping.stderr);
    const wget = ["/bin/busybox", "wget", "-q", "-O", "-", `http://${address}/`];
    const fetched = await one.command("exec", "client", ...wget);
    assert.equal(fetched.stdout, page, fetched.stderr);
    assert.notDeepEqual(await labState(lab), before);

    for (const podman of [one, two]) await podman.command("rm", "-a", "-f", "-t", "0");
    assert.deepEqual(await labState(lab), before);
    assert.deepEqual(ownNamespaces(lab), namespaces);

    process.kill(
      lab.daemon({ node: "calico-bgp-fullmesh-worker" })?.pid ?? assert.fail("no such process"),
      "SIGKILL",
    );
    const refused = await one.start("late", network, "sleep", "600");
    assert.notEqual(refused.exitCode, 0);
    assert.match(refused.stderr, /the node daemon cannot be reached at /);
  },
);
