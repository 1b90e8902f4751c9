/**
 * Aim: containerd uses the plugins as they are installed on a host: containers on two nodes reach each other, also those whose
 * names begin alike, and what `ctr` never gives back is found and given back by the daemon.
 * Method: containerd on two nodes of a lab, each with plugins and configuration by `cni install`, mounted where `ctr run --cni`
 * looks for them, in a mount namespace of its own.
 */
import assert from "node:assert/strict";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { isDeepStrictEqual } from "node:util";
import {
  type CommandResult,
  eventually,
  requireRoot,
  requireTool,
  runAnyway,
  Testbed,
} from "@caracal/testbed";
import type { LabDirectory } from "../src/index.ts";
import { installCni, makeRootfs, page } from "./container-host.ts";
import { labScope, REPOSITORY } from "./lab-scope.ts";
import { labState } from "./lab-state.ts";

const skip = requireRoot() || requireTool("ip", "containerd", "ctr", "runc", "busybox", "nsenter", "unshare");

/** Makes `ctr`'s two directories without touching the machine's: changes of /opt and /etc stay in this mount namespace. */
const ownMounts = `
  mount -t tmpfs none "$1"
  for top in opt etc; do
    mkdir -p "$1/$top/upper" "$1/$top/work"
    mount -t overlay none -o "lowerdir=/$top,upperdir=$1/$top/upper,workdir=$1/$top/work" "/$top"
  done
  mkdir -p /opt/cni/bin /etc/cni/net.d
  mount --bind "$2" /opt/cni/bin
  mount --bind "$3" /etc/cni/net.d
  shift 3
  exec "$@"
`;

/** In a mount namespace of its own, the rest in `ownMounts`. */
const ownMountNamespace = ["unshare", "--mount", "--propagation", "slave", "sh", "-ec", ownMounts, "sh"];

/** Why this machine has no place for `ctr`'s directories, as where it is itself a container without overlays. */
async function whyNoMounts(bed: Testbed): Promise<string | undefined> {
  const directories = ["mounts", "bin", "net"].map((name) => bed.directory(`probe-${name}`));
  const { exitCode, stderr } = await runAnyway([...ownMountNamespace, ...directories, "true"], {});
  return exitCode === 0 ? undefined : stderr.trim();
}

/** containerd on one node, with all that it writes in a directory of its own. */
class NodeContainerd {
  readonly #words: readonly string[];
  readonly #directory: string;
  readonly #rootfs: string;

  private constructor(words: readonly string[], directory: string, rootfs: string) {
    this.#words = words;
    this.#directory = directory;
    this.#rootfs = rootfs;
  }

  static async start(bed: Testbed, lab: LabDirectory, node: string, rootfs: string): Promise<NodeContainerd> {
    const { bin, net } = installCni(lab, node, bed.directory(`${node}-cni`));
    const directory = bed.directory(node);
    const mounts = join(directory, "mounts");
    mkdirSync(mounts);
    const configuration = join(directory, "config.toml");
    writeFileSync(configuration, configurationIn(directory));
    const netns = `--net=${lab.namespacePath(node)}`;
    const place = ["nsenter", netns, ...ownMountNamespace, mounts, bin, net];
    const program = await bed.start([...place, "containerd", "--config", configuration]);
    await program.waitForOutput(/containerd successfully booted/, 30_000);
    const inside = ["nsenter", netns, `--mount=/proc/${program.pid}/ns/mnt`];
    // What is named by namespace and container is the machine's.
    const ctr = ["ctr", "--address", join(directory, "s"), "--namespace", `${bed.prefix}-${node}`];
    const containerd = new NodeContainerd([...inside, ...ctr], directory, rootfs);
    bed.defer(() => containerd.#removeAll());
    return containerd;
  }

  command(...words: readonly string[]): Promise<CommandResult> {
    return runAnyway([...this.#words, ...words], {});
  }

  run(options: readonly string[], name: string, ...words: readonly string[]): Promise<CommandResult> {
    const places = ["--runc-root", join(this.#directory, "runc"), "--rootfs", this.#rootfs];
    return this.command("run", ...options, ...places, name, "/bin/busybox", ...words);
  }

  /** As an operator does; no plugin hears of it. */
  async remove(name: string): Promise<void> {
    await this.command("task", "rm", "-f", name);
    await this.command("container", "rm", name);
  }

  async address(name: string): Promise<string> {
    const ip = ["/bin/busybox", "ip", "-4", "-o", "address", "show", "eth0"];
    const shown = await this.command("task", "exec", "--exec-id", "address", name, ...ip);
    return /inet ([\d.]+)\/32/.exec(shown.stdout)?.[1] ?? assert.fail(shown.stdout + shown.stderr);
  }

  async #removeAll(): Promise<void> {
    const { stdout } = await this.command("container", "ls", "-q");
    for (const name of stdout.split("\n").filter((line) => line !== "")) await this.remove(name);
  }
}

function configurationIn(directory: string): string {
  return `version = 2
root = "${directory}/root"
state = "${directory}/state"
disabled_plugins = ["io.containerd.grpc.v1.cri"]
[grpc]
  address = "${directory}/s"
[ttrpc]
  address = "${directory}/t"
[plugins."io.containerd.internal.v1.opt"]
  path = "${directory}/opt"
`;
}

test(
  "containers of containerd on two nodes reach each other, and leave nothing behind",
  { skip },
  async (t) => {
    await using bed = Testbed.create();
    const obstacle = await whyNoMounts(bed);
    if (obstacle !== undefined) {
      t.skip(`no directories can be mounted over here: ${obstacle}`);
      return;
    }
    const env = { ...process.env, CARACAL_IPAM_AUDIT: "repair", CARACAL_IPAM_AUDIT_GRACE: "3s" };
    const scope = await labScope(t, { program: [`${REPOSITORY}caracal`], env });
    const name = scope.newName();
    const { exitCode, stderr } = await scope.lab(["up", "full-mesh", "--name", name]);
    assert.equal(exitCode, 0, stderr);
    const lab = scope.directory(name);
    const rootfs = makeRootfs(bed.directory("rootfs"));
    const start = (short: string): Promise<NodeContainerd> =>
      NodeContainerd.start(bed, lab, `calico-bgp-fullmesh-${short}`, rootfs);
    const [one, two] = await Promise.all([start("worker"), start("worker2")]);
    const probe = await one.run(["--rm"], "probe", "true");
    if (probe.exitCode !== 0) {
      t.skip(`containerd runs no container here: ${probe.stderr.trim()}`);
      return;
    }
    const before = await labState(lab);

    const servers = ["web-server-1", "web-server-2"];
    for (const server of servers) {
      const started = await two.run(["-d", "--cni"], server, "httpd", "-f", "-p", "80", "-h", "/www");
      assert.equal(started.exitCode, 0, started.stderr);
    }
    const addresses = await Promise.all(servers.map((server) => two.address(server)));
    assert.equal(new Set(addresses).size, 2);
    const fetchFrom = (address: string): Promise<CommandResult> =>
      one.run(["--rm", "--cni"], "client", "wget", "-q", "-O", "-", `http://${address}/`);
    for (const address of addresses) {
      const fetched = await fetchFrom(address);
      assert.equal(fetched.stdout, page, fetched.stderr);
    }

    // Of a container in the background `ctr` gives back nothing.
    await two.remove("web-server-1");
    const gone = addresses[0] ?? "";
    await eventually(
      async () => !(await labState(lab)).podRoutes.some((route) => route.endsWith(` ${gone}`)),
      {
        what: "the end of the route to the container that has gone",
      },
    );
    const fetched = await fetchFrom(addresses[1] ?? "");
    assert.equal(fetched.stdout, page, fetched.stderr);
    await two.remove("web-server-2");
    const isAsBefore = async (): Promise<boolean> => isDeepStrictEqual(await labState(lab), before);
    await eventually(isAsBefore, { what: "what the containers had to be given back", deadlineMs: 60_000 });
  },
);
