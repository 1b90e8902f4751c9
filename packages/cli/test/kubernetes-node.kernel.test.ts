/**
 * Aim: a node daemon on a Kubernetes datastore starts, follows the cluster and sets up pods, and leaves on them what Calico does.
 * Method: a real API server; the daemon and its pods in namespaces of the test, which reach the server through a socket in the
 * file system; the CNI executable called as a runtime calls it; the plugins' kubeconfig used by kubectl.
 */
import assert from "node:assert/strict";
import { readFileSync, writeFileSync } from "node:fs";
import { connect, createServer } from "node:net";
import { dirname, join } from "node:path";
import { test } from "node:test";
import { buildPlugins, installPlugins, readInstallSettings } from "@caracal/cni";
import { isRecord } from "@caracal/resources";
import { crdDocuments } from "@caracal/store-kubernetes";
import {
  eventually,
  type KubeApiserver,
  type Namespace,
  requireKubeApiserver,
  requireRoot,
  requireTool,
  runAnyway,
  startKubeApiserver,
  Testbed,
} from "@caracal/testbed";

const skip = requireRoot() || requireKubeApiserver() || requireTool("etcd", "openssl", "nsenter", "kubectl");
const main = join(import.meta.dirname, "..", "src", "main.ts");

/** Listens on a port of its namespace's loopback and hands every connection on to a socket of the file system. */
const relay = `
  const net = require("node:net");
  const server = net.createServer((near) => {
    const far = net.connect(process.argv[1]);
    near.pipe(far).pipe(near);
    for (const end of [near, far]) end.on("error", () => { near.destroy(); far.destroy(); });
  });
  server.listen(Number(process.argv[2]), "127.0.0.1", () => console.log("relaying"));
`;

/** Lets the namespace reach the server under the URL that its kubeconfig has. */
async function bringNear(bed: Testbed, server: KubeApiserver, namespace: Namespace): Promise<void> {
  const socket = join(bed.directory("relay"), "api.sock");
  const port = Number(new URL(server.url).port);
  const listener = createServer((near) => {
    const far = connect(port, "127.0.0.1");
    near.pipe(far).pipe(near);
    near.on("error", () => far.destroy());
    far.on("error", () => near.destroy());
  });
  listener.listen(socket);
  bed.defer(() => void listener.close());
  const program = await namespace.start([process.execPath, "-e", relay, socket, String(port)]);
  await program.waitForOutput(/relaying/);
}

/** Installs the plugins with a kubeconfig of the server as in Calico's pod, with a token of their account; gives its path. */
async function installCni(bed: Testbed, server: KubeApiserver): Promise<string> {
  const account = "/api/v1/namespaces/kube-system/serviceaccounts";
  await server.request("POST", account, { metadata: { name: "calico-cni-plugin" } });
  const granted = await server.request("POST", `${account}/calico-cni-plugin/token`, {
    apiVersion: "authentication.k8s.io/v1",
    kind: "TokenRequest",
    spec: { expirationSeconds: 600 },
  });
  const directory = bed.directory("account");
  writeFileSync(join(directory, "token"), String(member(member(granted, "status"), "token")));
  writeFileSync(join(directory, "ca.crt"), server.ca);
  const netDirectory = bed.directory("net");
  const { hostname: host, port } = new URL(server.url);
  const outcome = readInstallSettings({
    env: {
      CARACAL_LIB_DIR: bed.directory("lib"),
      KUBERNETES_SERVICE_HOST: host,
      KUBERNETES_SERVICE_PORT: port,
    },
    hostName: "n1",
    readFile: () => "",
    exists: () => false,
    isWritable: () => true,
    binDirectory: bed.directory("bin"),
    netDirectory,
  });
  assert.ok(outcome.kind === "ok" && outcome.settings.kubernetes !== undefined);
  const kubernetes = { ...outcome.settings.kubernetes, serviceAccountDirectory: directory };
  installPlugins({ ...outcome.settings, kubernetes }, buildPlugins().directory);
  return join(netDirectory, "calico-kubeconfig");
}

/** When the token of a kubeconfig ends, after a use of it as the plugins would use it: another may be refused. */
async function tokenEndOf(server: KubeApiserver, kubeconfig: string): Promise<number> {
  const asked = await runAnyway(["kubectl", `--kubeconfig=${kubeconfig}`, "get", "--raw", "/apis"], {});
  assert.equal(asked.exitCode, 0, asked.stderr);
  const token = /token: "(.*)"/.exec(readFileSync(kubeconfig, "utf8"))?.[1] ?? "";
  const review = { apiVersion: "authentication.k8s.io/v1", kind: "TokenReview", spec: { token } };
  const found = await server.request("POST", "/apis/authentication.k8s.io/v1/tokenreviews", review);
  const user = member(member(member(found, "status"), "user"), "username");
  assert.equal(user, "system:serviceaccount:kube-system:calico-cni-plugin");
  const claims: unknown = JSON.parse(Buffer.from(token.split(".")[1] ?? "", "base64url").toString());
  return Number(member(claims, "exp"));
}

test("a daemon starts, sets up a pod and takes it down", { skip }, async (t) => {
  const bed = Testbed.create(t);
  const server = await startKubeApiserver(bed, { definitions: crdDocuments("crd.projectcalico.org") });
  await server.request("POST", "/api/v1/nodes", { kind: "Node", metadata: { name: "n1" } });
  const container = { name: "c", image: "x" };
  for (const [name, annotations] of [
    ["web-0", {}],
    ["fixed", { "cni.projectcalico.org/ipAddrs": '["10.244.7.7"]' }],
  ] as const) {
    const spec = { nodeName: "n1", serviceAccountName: "default", containers: [container] };
    const metadata = { name, annotations };
    await server.request("POST", "/api/v1/namespaces/default/pods", { kind: "Pod", metadata, spec });
  }
  const node = await bed.namespace("node");
  await bed.network("wire", [{ namespace: node, name: "eth0", addresses: ["172.18.0.2/24"] }]);
  await bringNear(bed, server, node);
  const kubeconfig = await installCni(bed, server);
  const firstEnd = await tokenEndOf(server, kubeconfig);
  const runDirectory = bed.directory("run");
  const libDirectory = bed.directory("lib");
  const daemon = await node.start([process.execPath, main, "caracal", "node", "run"], {
    env: {
      DATASTORE_TYPE: "kubernetes",
      KUBECONFIG: server.kubeconfig,
      NODENAME: "n1",
      IP: "autodetect",
      CLUSTER_TYPE: "k8s,bgp",
      CALICO_IPV4POOL_CIDR: "10.244.0.0/16",
      CARACAL_RUN_DIR: runDirectory,
      CARACAL_LIB_DIR: libDirectory,
      CARACAL_CONFD_DIR: bed.directory("confd"),
      CALICO_MANAGE_CNI: "true",
      CNI_NET_DIR: dirname(kubeconfig),
    },
  });
  await daemon.waitForOutput(/node started/);
  await daemon.waitForOutput(/renewed the token of CNI plugins/);
  const isRenewed = (await tokenEndOf(server, kubeconfig)) > firstEnd + 3_600;
  assert.ok(isRenewed, "the token of 10 minutes is one of a day");

  const annotationsOf = async (path: string): Promise<Readonly<Record<string, unknown>>> => {
    const metadata = member(await server.request("GET", path), "metadata");
    const annotations = member(metadata, "annotations");
    return isRecord(annotations) ? annotations : {};
  };
  assert.equal((await annotationsOf("/api/v1/nodes/n1"))["projectcalico.org/IPv4Address"], "172.18.0.2/24");
  const information = await server.request(
    "GET",
    "/apis/crd.projectcalico.org/v1/clusterinformations/default",
  );
  assert.equal(member(member(information, "spec"), "clusterType"), "k8s,bgp,kdd");
  await server.request("GET", "/apis/crd.projectcalico.org/v1/ippools/default-ipv4-ippool");

  const pod = await bed.namespace("pod");
  const call = async (command: string, name: string, netns: string) =>
    runAnyway(["nsenter", `--net=${node.path}`, join(buildPlugins().directory, "calico")], {
      input: JSON.stringify({
        cniVersion: "0.4.0",
        name: "k8s-pod-network",
        type: "calico",
        caracal_run_dir: runDirectory,
        ipam: { type: "calico-ipam" },
        policy: { type: "k8s" },
      }),
      env: {
        CNI_COMMAND: command,
        CNI_CONTAINERID: `container-${name}`,
        CNI_NETNS: netns,
        CNI_IFNAME: "eth0",
        CNI_ARGS: `IgnoreUnknown=1;K8S_POD_NAMESPACE=default;K8S_POD_NAME=${name}`,
        CNI_PATH: "/usr/lib/cni",
      },
    });
  const added = await call("ADD", "web-0", pod.path);
  assert.equal(added.exitCode, 0, added.stdout + daemon.output);
  const address = String(member(member(member(JSON.parse(added.stdout), "ips"), "0"), "address"));
  assert.match(await pod.ip("-4", "address", "show", "eth0"), new RegExp(address.replaceAll(".", "\\.")));
  const web = "/api/v1/namespaces/default/pods/web-0";
  const noted = await annotationsOf(web);
  assert.equal(noted["cni.projectcalico.org/podIP"], address);
  assert.equal(noted["cni.projectcalico.org/podIPs"], address);
  assert.equal(noted["cni.projectcalico.org/containerID"], "container-web-0");
  await eventually(async () => (await node.ip("route")).includes("blackhole"), { what: "the block's route" });

  // The runtime hands nothing on: the annotation is Kubernetes'.
  const second = await bed.namespace("second");
  const fixed = await call("ADD", "fixed", second.path);
  assert.match(fixed.stdout, /"10\.244\.7\.7\/32"/);
  const stranger = await call("ADD", "stranger", (await bed.namespace("third")).path);
  assert.match(
    stranger.stdout,
    /operation Create is not supported on WorkloadEndpoint\(default\/n1-k8s-stranger-eth0\)/,
  );

  const removed = await call("DEL", "web-0", pod.path);
  assert.equal(removed.exitCode, 0, removed.stdout);
  const left = await annotationsOf(web);
  assert.equal(left["cni.projectcalico.org/podIP"], "");
  assert.equal(left["cni.projectcalico.org/containerID"], "container-web-0");
  const handles = await server.request("GET", "/apis/crd.projectcalico.org/v1/ipamhandles");
  assert.doesNotMatch(JSON.stringify(handles), /container-web-0/);

  const stopped = await daemon.stop();
  assert.equal(stopped.code, 0, daemon.output);
});

function member(value: unknown, name: string): unknown {
  if (Array.isArray(value)) return value[Number(name)];
  return isRecord(value) ? value[name] : undefined;
}
