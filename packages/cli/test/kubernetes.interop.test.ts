/**
 * Aim: calicoctl does on a Kubernetes datastore what it does on etcd, what it writes is what kubectl reads, and a cluster moves
 * between the two. Method: a real API server with our own definitions applied by kubectl, commands as a person types them.
 */
import assert from "node:assert/strict";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { keys } from "@caracal/datastore";
import { Ipam, Nanos } from "@caracal/ipam";
import {
  eventually,
  type KubeApiserver,
  requireKubeApiserver,
  requireTool,
  run as runProgram,
  startEtcd,
  startKubeApiserver,
  Testbed,
} from "@caracal/testbed";
import { openStore } from "../src/connection/open-store.ts";
import { poolYaml } from "./resources-fixture.ts";
import { type Outcome, run } from "./test-context.ts";

const skip = requireKubeApiserver() || requireTool("etcd", "etcdctl", "openssl", "kubectl");

const objects = `
apiVersion: v1
kind: Node
metadata: {name: n1, labels: {rack: a}}
status: {addresses: [{type: InternalIP, address: 10.0.0.1}]}
---
apiVersion: v1
kind: ServiceAccount
metadata: {name: default}
---
apiVersion: v1
kind: Pod
metadata: {name: web-0, labels: {app: web}}
spec: {nodeName: n1, serviceAccountName: default, containers: [{name: c, image: x}]}
---
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: allow-web}
spec: {podSelector: {matchLabels: {app: web}}, ingress: [{ports: [{port: 80}]}]}
`;

const node = `apiVersion: projectcalico.org/v3
kind: Node
metadata: {name: n1, labels: {zone: b}}
spec: {bgp: {ipv4Address: 10.0.0.1/24, asNumber: 65001}}
`;

/** A byte in hexadecimal digits with its bits in reverse order. */
function reversedBits(byte: string): string {
  const bits = Number.parseInt(byte, 16).toString(2).padStart(8, "0");
  return Number.parseInt(bits.split("").toReversed().join(""), 2).toString(16).padStart(2, "0");
}

for (const group of ["crd.projectcalico.org/v1", "projectcalico.org/v3"] as const) {
  describe(`calicoctl on a Kubernetes datastore with ${group}`, { skip }, () => {
    const bed = Testbed.create();
    let server: KubeApiserver | undefined;
    const plural = group === "projectcalico.org/v3" ? "projectcalico.org" : "crd.projectcalico.org";

    before(async () => {
      server = await startKubeApiserver(bed);
      const { stdout } = await run(["crds", "--group", group]);
      await kubectl(["apply", "-f", "-"], stdout);
      await kubectl(["wait", "--for=condition=established", "--timeout=60s", "crd", "--all"]);
      await kubectl(["apply", "-f", "-"], objects);
    });

    after(() => bed.close());

    async function kubectl(args: readonly string[], input = ""): Promise<string> {
      const options = { env: { KUBECONFIG: server?.kubeconfig ?? "" }, input, timeoutMs: 90_000 };
      return (await runProgram(["kubectl", ...args], options)).stdout;
    }

    function environment(): Readonly<Record<string, string>> {
      return { DATASTORE_TYPE: "kubernetes", KUBECONFIG: server?.kubeconfig ?? "" };
    }

    async function ctl(line: string, stdin = "", env = environment()): Promise<Outcome> {
      return run(line, { env, openStore, stdin });
    }

    test("the views of Kubernetes' own objects", async () => {
      assert.match(
        (await ctl("get wep -o wide")).stdout,
        /n1-k8s-web--0-eth0 .* cali0d7763386da .*kns\.default,ksa/,
      );
      const profiles = (await ctl("get profiles")).stdout;
      for (const name of ["kns.default", "ksa.default.default", "projectcalico-default-allow"]) {
        assert.match(profiles, new RegExp(`^${name} `, "m"));
      }
      assert.match((await ctl("get networkpolicy")).stdout, /^knp\.default\.allow-web /m);
      const refused = await ctl(
        "apply -f -",
        "apiVersion: projectcalico.org/v3\nkind: Profile\nmetadata: {name: x}\n",
      );
      assert.match(refused.stderr, /operation Create is not supported on Profile\(x\)/);
      const deleted = await ctl("delete node n1");
      assert.match(deleted.stderr, /operation Delete is not supported on Node\(n1\)/);
    });

    test("what calicoctl writes, kubectl reads, and the other way round", async () => {
      assert.equal((await ctl("apply -f -", `${poolYaml("p", "10.244.0.0/16")}---\n${node}`)).stderr, "");
      const pool = JSON.parse(await kubectl(["get", `ippools.${plural}`, "p", "-o", "json"]));
      assert.equal(pool.spec.cidr, "10.244.0.0/16");
      const { annotations } = JSON.parse(await kubectl(["get", "node", "n1", "-o", "json"])).metadata;
      assert.equal(annotations["projectcalico.org/IPv4Address"], "10.0.0.1/24");
      assert.equal(annotations["projectcalico.org/ASNumber"], "65001");
      assert.deepEqual(JSON.parse(annotations["projectcalico.org/labels"]), { zone: "b" });
      assert.match((await ctl("get nodes -o wide")).stdout, /^n1 +65001 +10\.0\.0\.1\/24/m);

      await kubectl([
        "patch",
        `ippools.${plural}`,
        "p",
        "--type=merge",
        "-p",
        '{"spec":{"natOutgoing":true}}',
      ]);
      assert.match((await ctl("get ippool p -o yaml")).stdout, /natOutgoing: true/);
      await kubectl(["annotate", "node", "n1", "projectcalico.org/RouteReflectorClusterID=1.0.0.1"]);
      assert.match((await ctl("get node n1 -o yaml")).stdout, /routeReflectorClusterID: 1\.0\.0\.1/);
      const raw = `apiVersion: ${group}\nkind: GlobalNetworkSet\nmetadata: {name: raw, labels: {a: b}}\nspec: {nets: [10.9.0.0/16]}\n`;
      await kubectl(["apply", "-f", "-"], raw);
      assert.match((await ctl("get globalnetworkset raw -o yaml")).stdout, /labels:\n {4}a: b\n/);
    });

    test("patch, label, replace with a stale version, and delete", async () => {
      await ctl("apply -f -", poolYaml("q", "10.245.0.0/16"));
      const stale = (await ctl("get ippool q -o yaml")).stdout;
      assert.match(
        (await ctl(["patch", "ippool", "q", "-p", '{"spec":{"natOutgoing":true}}'].join(" "))).stdout,
        /patched 1/,
      );
      assert.match((await ctl("replace -f -", stale)).stderr, /update conflict: IPPool\(q\)/);
      assert.match((await ctl("label ippool q a=b")).stdout, /Successfully set label a on IPPool q/);
      const again = await ctl("create -f -", poolYaml("q", "10.245.0.0/16"));
      const taken = `resource already exists: IPPool(q) with error: ippools.${plural} "q" already exists`;
      assert.equal(again.stderr, `failed to create 'IPPool' resource: [${taken}]\n`);
      assert.equal((await ctl("delete ippool q")).exitCode, 0);
      const gone = `resource does not exist: IPPool(q) with error: ippools.${plural} "q" not found\n`;
      assert.equal((await ctl("get ippool q")).stderr, gone);
      const tried = await ctl("delete ippool q --dry-run=server");
      assert.equal(tried.stderr, `Failed to delete 'IPPool' resource: ${gone}`);
      const node = 'resource does not exist: Node(n9) with error: nodes "n9" not found\n';
      assert.equal((await ctl("get node n9")).stderr, node);
    });

    test("IPAM: settings are one object, addresses are the cluster's", async () => {
      assert.match((await ctl("ipam configure --strictaffinity=true")).stdout, /Successfully/);
      assert.match((await ctl("ipam show --show-configuration")).stdout, /StrictAffinity +\| true/);
      assert.match((await ctl("get ipamconfig -o yaml")).stdout, /strictAffinity: true/);
      const store = await openStore({ datastoreType: "kubernetes", environment: environment() });
      const ipam = new Ipam({ store, node: "n1", now: () => Nanos.of(1_700_000_000_123_456_789n) });
      await ipam.assign({ family: 4, handle: "K8s-Pod-Network.ABC", attributes: { node: "n1" } });
      await store.close();
      const [block] = JSON.parse(await kubectl(["get", `ipamblocks.${plural}`, "-o", "json"])).items;
      assert.equal(block.spec.affinity, "host:n1");
      const [affinity] = JSON.parse(await kubectl(["get", `blockaffinities.${plural}`, "-o", "json"])).items;
      assert.equal(affinity.metadata.name, `n1-${block.metadata.name}`);
      assert.equal(affinity.spec.deleted, group === "projectcalico.org/v3" ? false : "false");
      const [handle] = JSON.parse(await kubectl(["get", `ipamhandles.${plural}`, "-o", "json"])).items;
      assert.equal(handle.metadata.name, "k8s-pod-network.abc");
      assert.equal(handle.spec.handleID, "K8s-Pod-Network.ABC");
      assert.match((await ctl("ipam show --show-blocks")).stdout, /Block .*10\.244\..*\/26 .*1 \(2%\)/);
      assert.match((await ctl("get blockaffinities -o yaml")).stdout, /node: n1/);
    });

    test("IPAM: what people put on the settings stays, whoever writes them", async () => {
      const kind = `${plural === "projectcalico.org" ? "ipamconfigurations" : "ipamconfigs"}.${plural}`;
      const own = {
        labels: { team: "net" },
        annotations: { note: "keep" },
        finalizers: ["example.com/keep"],
      };
      await kubectl(["patch", kind, "default", "--type=merge", "-p", JSON.stringify({ metadata: own })]);
      const kept = async (): Promise<void> => {
        const { metadata } = JSON.parse(await kubectl(["get", kind, "default", "-o", "json"]));
        assert.partialDeepStrictEqual(metadata, own);
      };
      const store = await openStore({ datastoreType: "kubernetes", environment: environment() });
      const record = (await store.get(keys.ipamConfig)) ?? assert.fail("no settings");
      const other = record.value.replace("{", '{"maxBlocksPerHost":7,');
      assert.equal((await store.update(record.key, other, record.revision)).kind, "ok");
      assert.equal((await store.update(record.key, record.value, record.revision)).kind, "conflict");
      await store.close();
      await kept();
      assert.equal((await ctl("ipam configure --max-blocks-per-host=5")).exitCode, 0);
      await kept();
      await ctl("ipam configure --max-blocks-per-host=0");
      await kubectl(["patch", kind, "default", "--type=merge", "-p", '{"metadata":{"finalizers":[]}}']);
    });

    test("a move to etcd and back", async () => {
      const etcd = await startEtcd(bed);
      const other = { ETCD_ENDPOINTS: etcd.endpoint };
      assert.equal((await ctl("datastore migrate lock")).stderr, "");
      const exported = (await ctl("datastore migrate export")).stdout;
      assert.doesNotMatch(exported, /knp\.default/);
      assert.equal((await ctl("datastore migrate import -f -", exported, other)).stderr, "");
      assert.match((await ctl("get ippools", "", other)).stdout, /^p +10\.244\.0\.0\/16/m);
      assert.match((await ctl("ipam show --show-blocks", "", other)).stdout, /1 \(2%\)/);
      const again = (await ctl("datastore migrate export", "", other)).stdout;

      // Into an API server that has the cluster's own objects, and nothing of Calico's.
      const refused = await ctl("datastore migrate import -f -", again);
      assert.match(refused.stderr, /Datastore already has Calico resources/);
      for (const kind of ["ippools", "ipamblocks", "ipamhandles", "blockaffinities", "globalnetworksets"]) {
        await kubectl(["delete", `${kind}.${plural}`, "--all"]);
      }
      await kubectl([
        "delete",
        plural === "projectcalico.org" ? "ipamconfigurations" : "ipamconfigs",
        "--all",
      ]);
      const imported = await ctl("datastore migrate import -f -", again);
      assert.equal(imported.stderr, "");
      assert.match(imported.stdout, /successfully imported/);
      assert.match((await ctl("ipam show --show-blocks")).stdout, /1 \(2%\)/);
      assert.equal((await ctl("datastore migrate unlock")).stderr, "");
    });

    test("IPAM: leaks are found and given back, and a pool is split", async () => {
      await ctl("apply -f -", poolYaml("leaky", "10.246.0.0/16"));
      const store = await openStore({ datastoreType: "kubernetes", environment: environment() });
      const ipam = new Ipam({ store, node: "n1", now: () => Nanos.of(1_700_000_000_123_456_789n) });
      const attributes = { node: "n1", pod: "gone", namespace: "default" };
      const leak = { family: 4, handle: "net.Gone", attributes, pools: ["leaky"] } as const;
      assert.equal((await ipam.assign(leak)).kind, "assigned");
      await store.create(keys.handle("net.idle"), '{"block":{},"deleted":false}');
      assert.equal((await ctl("datastore migrate lock")).stderr, "");
      const report = join(bed.directory("report"), "report.json");
      const checked = (await ctl(`ipam check --show-all-ips -o ${report}`)).stdout;
      assert.match(
        checked,
        /^ {2}10\.246\.\S+ leaked; attrs Main:net\.Gone Extra:namespace=default,node=n1,/m,
      );
      assert.match(checked, /^ {2}net\.idle doesn't have any active IPs\.$/m);
      const [leakedHandle] = JSON.parse(readFileSync(report, "utf8")).leakedHandles;
      const { metadata } = JSON.parse(
        await kubectl(["get", `ipamhandles.${plural}`, "net.idle", "-o", "json"]),
      );
      assert.equal(leakedHandle.Revision, metadata.resourceVersion);
      // Calico compares the uid that it would show itself.
      const isShown = group === "projectcalico.org/v3";
      const firstByte = isShown ? metadata.uid.slice(0, 2) : reversedBits(metadata.uid.slice(0, 2));
      assert.equal(leakedHandle.UID.slice(0, 2), firstByte);
      assert.equal(leakedHandle.UID === metadata.uid, isShown);
      const released = await ctl(`ipam release --from-report ${report}`);
      assert.equal(released.stderr, "");
      assert.match(released.stdout, /^Released 1 handles; 0 skipped; 0 errors\.$/m);
      assert.deepEqual(await ipam.addressesOf("net.Gone"), []);
      await store.close();
      const split = (await ctl("ipam split 2 --cidr=10.246.0.0/16")).stdout;
      assert.match(
        split,
        /^IP Pool leaky was successfully split into 2 smaller pools\.Created split-leaky-0 with/,
      );
      assert.match((await ctl("get ippools")).stdout, /^split-leaky-1 +10\.246\.128\.0\/17 /m);
      await ctl("delete ippool split-leaky-0 split-leaky-1 --force");
      assert.equal((await ctl("datastore migrate unlock")).stderr, "");
    });

    test("a watch over several kinds tells of all of them", async () => {
      const stop = new AbortController();
      const seen: string[] = [];
      const watching = run("get networkpolicy -A --watch", {
        env: environment(),
        openStore,
        signal: stop.signal,
        stdout: { write: (text) => void seen.push(text) },
      });
      await eventually(() => seen.join("").includes("knp.default.allow-web"), { what: "the first listing" });
      await kubectl(["apply", "-f", "-"], objects.replace("allow-web", "second"));
      await ctl(
        "apply -f -",
        "apiVersion: projectcalico.org/v3\nkind: NetworkPolicy\nmetadata: {name: own}\nspec: {selector: all()}\n",
      );
      await eventually(() => /knp\.default\.second/.test(seen.join("")) && /\bown\b/.test(seen.join("")), {
        what: "both policies",
      });
      stop.abort();
      await watching;
    });

    test("the connection may stand in calicoctl.cfg, whole or by files", async () => {
      assert.ok(server !== undefined);
      const path = join(bed.directory("config"), "calicoctl.cfg");
      const ca = join(bed.directory("ca"), "ca.pem");
      writeFileSync(ca, server.ca);
      const config = (spec: object): void => {
        writeFileSync(
          path,
          JSON.stringify({ apiVersion: "projectcalico.org/v3", kind: "CalicoAPIConfig", spec }),
        );
      };
      const { url, token, clientCert } = server;
      const specs = [
        { datastoreType: "kubernetes", kubeconfig: server.kubeconfig },
        { datastoreType: "kubernetes", kubeconfig: server.kubeconfig, k8sCurrentContext: "testbed" },
        { k8sAPIEndpoint: url, k8sAPIToken: token, k8sCAFile: ca },
        { k8sAPIEndpoint: url, k8sAPIToken: token, k8sInsecureSkipTLSVerify: true },
        { k8sAPIEndpoint: url, k8sCertFile: clientCert.cert, k8sKeyFile: clientCert.key, k8sCAFile: ca },
        {
          kubeconfigInline: JSON.stringify({
            clusters: [{ name: "c", cluster: { server: url, "certificate-authority": ca } }],
            users: [{ name: "u", user: { token } }],
            contexts: [{ name: "x", context: { cluster: "c", user: "u" } }],
            "current-context": "x",
          }),
          calicoAPIGroup: group,
        },
      ];
      for (const spec of specs) {
        config(spec);
        const outcome = await run(`get nodes --config ${path}`, { env: {}, openStore });
        assert.deepEqual([outcome.exitCode, outcome.stderr], [0, ""], JSON.stringify(spec));
        assert.match(outcome.stdout, /^n1 /m);
      }
    });

    test("who is not allowed is told so in one line", async () => {
      assert.ok(server !== undefined);
      const path = join(bed.directory("restricted"), "kubeconfig");
      const cluster = { server: server.url, "insecure-skip-tls-verify": true };
      const kubeconfig = {
        clusters: [{ name: "c", cluster }],
        users: [{ name: "u", user: { token: server.restrictedToken } }],
        contexts: [{ name: "x", context: { cluster: "c", user: "u" } }],
        "current-context": "x",
      };
      writeFileSync(path, JSON.stringify(kubeconfig));
      const outcome = await ctl("get nodes", "", { KUBECONFIG: path });
      assert.equal(outcome.exitCode, 1);
      assert.equal((await ctl("apply -f -", poolYaml("readable", "10.247.0.0/16"))).stderr, "");
      // Who may read what IPAM is about needs no more to check it.
      const own = [
        "ipamblocks",
        "ipamhandles",
        "ippools",
        "clusterinformations",
        "kubecontrollersconfigurations",
      ];
      const verbs = ["get", "list"];
      const rules = [
        { apiGroups: [plural], resources: own, verbs },
        { apiGroups: [""], resources: ["nodes", "pods", "services"], verbs },
      ];
      const roleRef = { apiGroup: "rbac.authorization.k8s.io", kind: "ClusterRole", name: "ipam-reader" };
      const subjects = [{ apiGroup: "rbac.authorization.k8s.io", kind: "User", name: "restricted" }];
      const metadata = { name: "ipam-reader" };
      for (const [file, object] of Object.entries({
        role: { kind: "ClusterRole", metadata, rules },
        binding: { kind: "ClusterRoleBinding", metadata, roleRef, subjects },
      })) {
        const manifest = join(bed.directory("rbac"), `${file}.json`);
        writeFileSync(manifest, JSON.stringify({ apiVersion: "rbac.authorization.k8s.io/v1", ...object }));
        await kubectl(["apply", "-f", manifest]);
      }
      const checked = await eventually(async () => {
        const found = await ctl("ipam check", "", { KUBECONFIG: path });
        assert.equal(found.stderr, "");
        return found;
      });
      await ctl("delete ippool readable --force");
      assert.match(checked.stdout, /^Check complete; found \d+ problems\.$/m);
      const kept = await ctl("ipam configure --strictaffinity=true", "", { KUBECONFIG: path });
      assert.match(kept.stderr, /^(error: )?connection is unauthorized: [^\n]*\n$/);
      assert.match(outcome.stderr, /^connection is unauthorized: [^\n]*User "restricted" cannot [^\n]*\n$/);
      const unknown = await ctl("get nodes --context=nope", "", { KUBECONFIG: path });
      assert.match(
        unknown.stderr,
        /^kubeconfig \S+: the context 'nope' is not in it; of contexts it has x\n$/,
      );
    });
  });
}
