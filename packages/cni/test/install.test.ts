/**
 * Aim: what `install` puts on a host is what Calico's install-cni puts there, and `uninstall` leaves the host as it was,
 * also when either was killed half-way.
 * Method: real files in directories of this test. For the kills a child process runs the installation and dies at its nth
 * change of the file system, for every n that there is.
 */
import assert from "node:assert/strict";
import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import {
  chmodSync,
  chownSync,
  copyFileSync,
  existsSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterEach, beforeEach, describe, it } from "node:test";
import { FileLock } from "@caracal/linux";
import {
  configurationsBefore,
  InstallBusyError,
  InstallError,
  type InstallSettings,
  installPlugins,
  readInstallSettings,
  uninstallPlugins,
} from "../src/index.ts";

let root = "";
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), "caracal-cni-install-"));
  for (const name of ["calico", "calico-ipam"]) write(`built/${name}`, `program ${name}`, 0o755);
});
afterEach(() => rmSync(root, { recursive: true, force: true }));

function write(path: string, text: string, mode = 0o644): void {
  const file = join(root, path);
  mkdirSync(dirname(file), { recursive: true });
  writeFileSync(file, text);
  chmodSync(file, mode);
}

function text(path: string): string {
  return readFileSync(join(root, path), "utf8");
}

function settings(env: Readonly<Record<string, string>> = {}): InstallSettings {
  const outcome = readInstallSettings({
    env: { CARACAL_LIB_DIR: join(root, "lib"), TLS_ASSETS_DIR: join(root, "tls"), ...env },
    hostName: "Worker-1",
    readFile: (path) => readFileSync(path, "utf8"),
    exists: () => false,
    isWritable: () => true,
    binDirectory: join(root, "bin"),
    netDirectory: join(root, "net"),
  });
  assert.equal(outcome.kind, "ok", JSON.stringify(outcome));
  return outcome.settings;
}

const install = (env?: Readonly<Record<string, string>>) =>
  installPlugins(settings(env), join(root, "built"));
const uninstall = (isForced = false) => uninstallPlugins(join(root, "lib/cni-install"), isForced);

/** Path → mode and content of all files below, for comparison. */
function tree(...directories: readonly string[]): Readonly<Record<string, string>> {
  const files: Record<string, string> = {};
  for (const directory of directories) {
    if (!existsSync(join(root, directory))) continue;
    for (const entry of readdirSync(join(root, directory), { recursive: true, withFileTypes: true })) {
      if (!entry.isFile()) continue;
      const path = join(entry.parentPath, entry.name);
      files[path.slice(root.length)] =
        `${(statSync(path).mode & 0o7777).toString(8)} ${readFileSync(path, "utf8")}`;
    }
  }
  return files;
}

describe("cni install", () => {
  it("puts plugins and a configuration on a bare host, says so once, and takes all away again", () => {
    const first = install({ CNI_MTU: "1440", CARACAL_RUN_DIR: "/run/c" });
    assert.deepEqual(
      first.map(({ path, kind }) => `${path.slice(root.length)} ${kind}`),
      ["/bin/calico installed", "/bin/calico-ipam installed", "/net/10-calico.conflist installed"],
    );
    assert.equal(text("bin/calico"), "program calico");
    assert.equal(statSync(join(root, "bin/calico")).mode & 0o777, 0o755);
    assert.equal(statSync(join(root, "net/10-calico.conflist")).mode & 0o777, 0o600);
    const config: unknown = JSON.parse(text("net/10-calico.conflist"));
    assert.deepEqual(config, {
      name: "k8s-pod-network",
      cniVersion: "1.0.0",
      plugins: [
        {
          type: "calico",
          log_level: "info",
          log_file_path: "/var/log/calico/cni/cni.log",
          datastore_type: "etcdv3",
          nodename: "worker-1",
          mtu: 1440,
          ipam: { type: "calico-ipam" },
          policy: { type: "k8s" },
          capabilities: { ips: true, mac: true },
          caracal_run_dir: "/run/c",
        },
      ],
    });
    const again = install({ CNI_MTU: "1440", CARACAL_RUN_DIR: "/run/c" });
    assert.deepEqual(new Set(again.map(({ kind }) => kind)), new Set(["up-to-date"]));
    uninstall();
    assert.deepEqual(tree("bin", "net", "lib"), {});
    assert.deepEqual(uninstall(), []);
  });

  it("chains portmap and bandwidth where their programs are", () => {
    for (const name of ["portmap", "bandwidth"]) write(`bin/${name}`, name, 0o755);
    install();
    const types = [...text("net/10-calico.conflist").matchAll(/"type": "([\w-]+)"/g)].map(([, type]) => type);
    assert.deepEqual(types, ["calico", "calico-ipam", "k8s", "portmap", "bandwidth"]);
  });

  it("fills Calico's placeholders, certificates and the kubeconfig, for the paths that the host knows", () => {
    for (const name of ["etcd-ca", "etcd-cert", "etcd-key"]) write(`tls/${name}`, name);
    write("account/token", 'to"ken\n');
    write("account/ca.crt", "authority");
    const template = JSON.stringify({
      name: "net",
      plugins: [
        {
          type: "calico",
          etcd_endpoints: "__ETCD_ENDPOINTS__",
          etcd_key_file: "__ETCD_KEY_FILE__",
          etcd_cert_file: "__ETCD_CERT_FILE__",
          etcd_ca_cert_file: "__ETCD_CA_CERT_FILE__",
          kubernetes: { kubeconfig: "__KUBECONFIG_FILEPATH__", token: "__SERVICEACCOUNT_TOKEN__" },
          host: "__KUBERNETES_SERVICE_HOST__:__KUBERNETES_SERVICE_PORT__",
        },
      ],
    });
    const given = settings({
      CNI_NETWORK_CONFIG: template,
      ETCD_ENDPOINTS: "https://10.0.0.1:2379",
      KUBERNETES_SERVICE_HOST: "fd00::1",
      KUBERNETES_SERVICE_PORT: "6443",
    });
    assert.ok(given.kubernetes !== undefined);
    const kubernetes = { ...given.kubernetes, serviceAccountDirectory: join(root, "account") };
    installPlugins({ ...given, kubernetes, netDirectoryOnHost: "/etc/cni/net.d" }, join(root, "built"));
    assert.deepEqual(JSON.parse(text("net/10-calico.conflist")), {
      name: "net",
      plugins: [
        {
          type: "calico",
          etcd_endpoints: "https://10.0.0.1:2379",
          etcd_key_file: "/etc/cni/net.d/calico-tls/etcd-key",
          etcd_cert_file: "/etc/cni/net.d/calico-tls/etcd-cert",
          etcd_ca_cert_file: "/etc/cni/net.d/calico-tls/etcd-ca",
          kubernetes: { kubeconfig: "/etc/cni/net.d/calico-kubeconfig", token: 'to"ken' },
          host: "fd00::1:6443",
        },
      ],
    });
    assert.equal(text("net/calico-tls/etcd-key"), "etcd-key");
    const kubeconfig = text("net/calico-kubeconfig");
    assert.match(kubeconfig, /server: "https:\/\/\[fd00::1\]:6443"/);
    assert.match(kubeconfig, /token: "to\\"ken"/);
    assert.ok(kubeconfig.includes(Buffer.from("authority").toString("base64")));
    uninstall();
    assert.equal(existsSync(join(root, "net/calico-tls")), false);
  });

  it("keeps what was there, an earlier configuration too, and puts all of it back", () => {
    write("bin/calico", "an older calico", 0o700);
    write("net/10-calico.conflist", '{"name":"older"}', 0o640);
    write("net/05-old.conflist", "{}");
    for (const name of ["02-other.conf", "03-no-configuration.bak", "87-later.conflist"])
      write(`net/${name}`, "{}");
    const before = tree("bin", "net");
    assert.deepEqual(configurationsBefore(settings()), ["02-other.conf", "05-old.conflist"]);
    const outcomes = install({ CNI_OLD_CONF_NAME: "05-old.conflist" });
    assert.equal(outcomes.at(-1)?.kind, "removed");
    assert.ok(!existsSync(join(root, "net/05-old.conflist")));
    install({ CNI_OLD_CONF_NAME: "05-old.conflist", CNI_MTU: "1400" });
    uninstall();
    assert.deepEqual(tree("bin", "net"), before);
    assert.deepEqual(tree("lib"), {});
  });

  it("puts symbolic links and owners back as they were, and leaves alone what links lead to", () => {
    write("elsewhere/theirs.conflist", '{"name":"theirs"}', 0o640);
    write("bin/calico-ipam", "an older calico-ipam", 0o755);
    const isRoot = process.geteuid?.() === 0;
    if (isRoot) chownSync(join(root, "bin/calico-ipam"), 1000, 1001);
    mkdirSync(join(root, "net"));
    symlinkSync("../elsewhere/theirs.conflist", join(root, "net/10-calico.conflist"));
    symlinkSync("nowhere", join(root, "bin/calico"));
    install();
    assert.ok(lstatSync(join(root, "net/10-calico.conflist")).isFile());
    assert.equal(text("bin/calico"), "program calico");
    assert.equal(text("elsewhere/theirs.conflist"), '{"name":"theirs"}');
    uninstall();
    assert.equal(readlinkSync(join(root, "net/10-calico.conflist")), "../elsewhere/theirs.conflist");
    assert.equal(readlinkSync(join(root, "bin/calico")), "nowhere");
    const { uid, gid } = statSync(join(root, "bin/calico-ipam"));
    if (isRoot) assert.deepEqual([uid, gid], [1000, 1001]);
    assert.deepEqual(tree("lib"), {});
  });

  it("goes into directories that are links, and takes the place of a plugin that runs", async () => {
    for (const name of ["bin", "net"]) {
      mkdirSync(join(root, `real-${name}`));
      symlinkSync(`real-${name}`, join(root, name));
    }
    copyFileSync("/bin/sleep", join(root, "bin/calico"));
    const running = spawn(join(root, "bin/calico"), ["60"], { stdio: "ignore" });
    await once(running, "spawn");
    install();
    assert.equal(text("real-bin/calico"), "program calico");
    assert.ok(existsSync(join(root, "real-net/10-calico.conflist")));
    running.kill("SIGKILL");
    await once(running, "exit");
  });

  it("one at a time: another one under way is told of, and nothing is changed", () => {
    const directory = join(root, "lib/cni-install");
    {
      using held = FileLock.tryOpen(join(directory, "lock"));
      assert.ok(held !== undefined);
      assert.throws(() => install(), InstallBusyError);
      assert.throws(() => uninstall(), InstallBusyError);
    }
    assert.deepEqual(tree("bin", "net"), {});
    install();
    uninstall();
    assert.deepEqual(tree("bin", "net", "lib"), {});
  });

  it("a disk that is full is told of by the file, and what was done until then can be undone", (t) => {
    const mount = ["--mount", "sh", "-ec", 'mount -t tmpfs -o size=4k none "$1" && shift && exec "$@"', "sh"];
    mkdirSync(join(root, "net"));
    if (spawnSync("unshare", [...mount, join(root, "net"), "true"]).status !== 0) {
      t.skip("no file system can be mounted here");
      return;
    }
    const script = join(root, "full.ts");
    writeFileSync(script, fullRun);
    const words = [script, join(import.meta.dirname, "../src/index.ts"), JSON.stringify(settings())];
    const run = [...mount, join(root, "net"), process.execPath, ...words, join(root, "built")];
    const child = spawnSync("unshare", run, { encoding: "utf8" });
    assert.match(child.stdout, /net\/10-calico\.conflist cannot be written: ENOSPC/, child.stderr);
    assert.equal(text("bin/calico"), "program calico");
    uninstall();
    assert.deepEqual(tree("bin", "net", "lib"), {});
  });

  it("leaves what someone changed since, and names it; forced it does not", () => {
    install();
    write("bin/calico", "a newer calico", 0o755);
    const left = uninstall().filter(({ kind }) => kind === "left");
    assert.deepEqual(
      left.map(({ path }) => path),
      [join(root, "bin/calico")],
    );
    assert.equal(text("bin/calico"), "a newer calico");
    assert.deepEqual(
      uninstall(true).map(({ kind }) => kind),
      ["removed"],
    );
    assert.deepEqual(tree("bin", "net", "lib"), {});
  });

  it("keeps a copy of what it replaces that someone had changed", () => {
    install();
    write("net/10-calico.conflist", "edited by hand", 0o600);
    const outcome = install().at(-1);
    assert.match(outcome?.detail ?? "", /^someone had changed it/);
    const copy = /kept as (\S+)$/.exec(outcome?.detail ?? "")?.[1];
    assert.equal(readFileSync(copy ?? "", "utf8"), "edited by hand");
  });

  it("takes the place of Calico's usual configuration by another name, and gives it back", () => {
    write("net/10-calico.conflist", '{"name":"older"}', 0o640);
    const before = tree("bin", "net");
    install({ CNI_CONF_NAME: "05-caracal.conflist" });
    assert.deepEqual(readdirSync(join(root, "net")), ["05-caracal.conflist"]);
    uninstall();
    assert.deepEqual(tree("bin", "net", "lib"), before);
  });

  it("names the node as the daemon that has run here does, unless told otherwise", () => {
    write("lib/nodename", "from-file\n");
    for (const [env, name] of [
      [{}, "from-file"],
      [{ NODENAME: "told" }, "told"],
      [{ NODENAME: "told", KUBERNETES_NODE_NAME: "kubernetes" }, "kubernetes"],
    ] as const) {
      assert.equal(settings(env).values["KUBERNETES_NODE_NAME"], name);
    }
  });

  it("in Calico's pod goes to the host's directories that can be written to, and stays", () => {
    const inPod = (writable: readonly string[], env: Readonly<Record<string, string>> = {}) => {
      const outcome = readInstallSettings({
        env: { CNI_NET_DIR: "/etc/elsewhere", ...env },
        hostName: "h",
        readFile: () => {
          throw new Error("none");
        },
        exists: (path) => path.startsWith("/host/"),
        isWritable: (path) => writable.includes(path),
      });
      assert.equal(outcome.kind, "ok");
      return outcome.settings;
    };
    const [main, second] = ["/host/opt/cni/bin", "/host/secondary-bin-dir"] as const;
    assert.deepEqual(inPod([main, second]).binDirectories, [main, second]);
    assert.deepEqual(inPod([main]).binDirectories, [main]);
    assert.deepEqual(inPod([second]).binDirectories, [second]);
    assert.deepEqual(inPod([]).binDirectories, [main], "to be told of");
    const { netDirectory, netDirectoryOnHost, staysAndFollows } = inPod([main]);
    assert.deepEqual([netDirectory, netDirectoryOnHost], ["/host/etc/cni/net.d", "/etc/elsewhere"]);
    assert.equal(staysAndFollows, true);
    assert.equal(inPod([main], { SLEEP: "false" }).staysAndFollows, false);
  });

  it("leaves a token alone that the node daemon has renewed, while it follows, and takes the kubeconfig away all the same", () => {
    write("account/token", "first");
    const kubernetes = {
      host: "10.96.0.1",
      port: "443",
      protocol: "https",
      skipsVerification: true,
      serviceAccountDirectory: join(root, "account"),
    };
    const given = { ...settings(), kubernetes };
    const built = join(root, "built");
    const path = join(root, "net/calico-kubeconfig");
    const kinds = (isFollowing: boolean) => installPlugins(given, built, isFollowing).map(({ kind }) => kind);
    installPlugins(given, built);
    write("account/token", "second");
    assert.ok(kinds(true).includes("installed"), "its own token was renewed");
    writeFileSync(path, readFileSync(path, "utf8").replace('"second"', '"renewed"'));
    assert.ok(!kinds(true).includes("installed"));
    assert.match(readFileSync(path, "utf8"), /"renewed"/);
    assert.ok(kinds(false).includes("installed"), "installed anew");
    writeFileSync(path, readFileSync(path, "utf8").replace('"second"', '"renewed"'));
    uninstall();
    assert.deepEqual(tree("bin", "net", "lib"), {});
  });

  it("reads flags as Go does", () => {
    for (const [text, isOn] of [
      ["1", true],
      ["T", true],
      ["True", true],
      ["0", false],
      ["f", false],
      ["FALSE", false],
    ] as const) {
      assert.equal(settings({ SLEEP: text }).staysAndFollows, isOn, text);
    }
  });

  it("leaves plugins alone that are skipped, or there and not to be updated", () => {
    write("bin/calico", "another", 0o755);
    const outcomes = install({ UPDATE_CNI_BINARIES: "false", SKIP_CNI_BINARIES: "calico-ipam" });
    assert.deepEqual(
      outcomes.map(({ kind }) => kind),
      ["skipped", "installed"],
    );
    assert.equal(text("bin/calico"), "another");
    assert.ok(!existsSync(join(root, "bin/calico-ipam")));
  });

  it("changes nothing when anything is wrong, and says what", () => {
    for (const [env, message] of [
      [{ CNI_NETWORK_CONFIG: "{" }, /network configuration is wrong: it is not JSON/],
      [{ CNI_NETWORK_CONFIG: "[]" }, /not a JSON object/],
      [{ CNI_NETWORK_CONFIG: '{"name":"a b","type":"calico"}' }, /its name "a b" must be/],
      [{ CNI_NETWORK_CONFIG: '{"name":"a","plugins":[{}]}' }, /has no type/],
      [{ CNI_NETWORK_CONFIG: '{"name":"__NO_SUCH__"}' }, /placeholders that mean nothing here: __NO_SUCH__/],
      [{ KUBERNETES_SERVICE_HOST: "10.96.0.1" }, /no service account's token/],
    ] as const) {
      assert.throws(
        () => install(env),
        (error) => error instanceof InstallError && message.test(error.message),
      );
      assert.deepEqual(tree("bin", "net", "lib"), {});
    }
    mkdirSync(join(root, "net/10-calico.conflist"), { recursive: true });
    assert.throws(() => install(), /10-calico\.conflist is there and is not a file$/);
    assert.deepEqual(tree("bin", "net", "lib"), {});
    rmSync(join(root, "net/10-calico.conflist"), { recursive: true });
    symlinkSync(root, join(root, "net/10-calico.conflist"));
    assert.throws(() => install(), /10-calico\.conflist is there and is not a file$/);
    assert.ok(!existsSync(join(root, "bin/calico")));
  });

  it("refuses settings that cannot be meant, each in one line", () => {
    const outcome = readInstallSettings({
      env: {
        CNI_NETWORK_CONFIG_FILE: "/no/such/file",
        CNI_CONF_NAME: "../calico.conflist",
        CNI_MTU: "big",
        CNI_NET_DIR: "net",
        DATASTORE_TYPE: "consul",
        UPDATE_CNI_BINARIES: "maybe",
      },
      hostName: "h",
      readFile: (path) => readFileSync(path, "utf8"),
      exists: () => false,
      isWritable: () => true,
    });
    assert.equal(outcome.kind, "invalid");
    const starts = outcome.problems.map((problem) => problem.replace(/ .*/s, ""));
    assert.deepEqual(starts.toSorted(), [
      "CNI_CONF_NAME",
      "CNI_MTU",
      "CNI_NETWORK_CONFIG_FILE",
      "CNI_NET_DIR",
      "DATASTORE_TYPE",
      "UPDATE_CNI_BINARIES",
    ]);
  });

  it("killed at any change, an installation or its undoing can be done again, and the host is as it was in the end", () => {
    const script = join(root, "killed.ts");
    writeFileSync(script, killedRun);
    const run = (what: "install" | "uninstall", after: number) => {
      const settingsText = JSON.stringify(settings({ CNI_OLD_CONF_NAME: "05-old.conflist" }));
      const index = join(import.meta.dirname, "../src/index.ts");
      const words = [script, index, what, String(after), settingsText, join(root, "built")];
      const child = spawnSync(process.execPath, words, { encoding: "utf8" });
      assert.ok(child.signal === "SIGKILL" || child.status === 0, child.stderr);
      return child.signal === "SIGKILL";
    };
    const prepare = (): Readonly<Record<string, string>> => {
      for (const directory of ["bin", "net", "lib"])
        rmSync(join(root, directory), { recursive: true, force: true });
      write("bin/calico", "an older calico", 0o700);
      write("net/10-calico.conflist", '{"name":"older"}', 0o640);
      write("net/05-old.conflist", "{}");
      return tree("bin", "net");
    };
    let kills = 0;
    for (const what of ["install", "uninstall"] as const) {
      for (let after = 0, wasKilled = true; wasKilled; after += 1) {
        const before = prepare();
        if (what === "uninstall") install({ CNI_OLD_CONF_NAME: "05-old.conflist" });
        wasKilled = run(what, after);
        kills += wasKilled ? 1 : 0;
        // Whatever a runtime would read is whole at every moment.
        for (const [path, content] of Object.entries(tree("net"))) {
          if (path.endsWith(".conflist")) JSON.parse(content.slice(content.indexOf(" ") + 1));
        }
        if (what === "install") install({ CNI_OLD_CONF_NAME: "05-old.conflist" });
        uninstall();
        assert.deepEqual(tree("bin", "net", "lib"), before, `${what} killed at change ${after}`);
      }
    }
    assert.ok(kills > 10, `${kills} kills`);
  });
});

/** Arguments: the package's entrance, what to do, how many renames and removals to allow, settings, built plugins. */
const killedRun = `
import fs from "node:fs";
import { syncBuiltinESMExports } from "node:module";
const [, , index, what, after, settings, built] = process.argv;
let left = Number(after);
for (const name of ["renameSync", "rmSync"]) {
  const real = fs[name];
  fs[name] = (...words) => {
    if (left-- <= 0) process.kill(process.pid, "SIGKILL");
    return real(...words);
  };
}
syncBuiltinESMExports();
const { installPlugins, uninstallPlugins } = await import(index);
const given = JSON.parse(settings);
if (what === "install") installPlugins(given, built);
else uninstallPlugins(given.stateDirectory, false);
`;

/** Arguments: the package's entrance, settings, built plugins. The network configuration's directory has no room left. */
const fullRun = `
import { writeFileSync } from "node:fs";
const [, , index, settings, built] = process.argv;
const { installPlugins } = await import(index);
const given = JSON.parse(settings);
writeFileSync(given.netDirectory + "/filler", "x".repeat(4096));
try {
  installPlugins(given, built);
} catch (error) {
  console.log(error.message);
}
`;
