/**
 * Aim: what a configuration says of its node, of gates before ADD, of queues and of profiles has the effect that Calico's
 * plugin gives it. Method: an engine over fakes; files and an HTTP server of this test.
 */
import assert from "node:assert/strict";
import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, it, type TestContext } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import { keys, type MemoryStore } from "@caracal/datastore";
import { FileLock } from "@caracal/linux";
import { Ipv4 } from "@caracal/net";
import { eventually } from "@caracal/testbed";
import { NetworkProfiles } from "../src/endpoints/network-profiles.ts";
import { hostEnd, netconf, podCall, result } from "./cni-suite.ts";
import { fakeCniNode, netns } from "./fake-cni-node.ts";

function temporaryDirectory(t: TestContext): string {
  const directory = mkdtempSync(join(tmpdir(), "caracal-cni-"));
  t.after(() => rmSync(directory, { recursive: true, force: true }));
  return directory;
}

const ok = { exitCode: 0, stdout: "" };
const nothing = { kernel: [], allocations: [], endpoints: [] };

describe("nodename", () => {
  it("of another node is refused by ADD, and does not keep a pod from being deleted", async () => {
    const { node } = fakeCniNode();
    const refused = await node.engine().answer(podCall(netns, {}, { nodename: "other" }));
    assert.equal(JSON.parse(refused.stdout).code, 7);
    assert.match(refused.stdout, /for node \\"other\\", and the daemon is node \\"node-1\\"/);
    assert.deepEqual(await node.state(), nothing);
    result(await node.engine().answer(podCall(netns, {}, { nodename: "node-1" })));
    const deletion = podCall(netns, { command: "DEL" }, { nodename: "other" });
    assert.deepEqual(await node.engine().answer(deletion), ok);
    assert.deepEqual(await node.state(), nothing);
  });

  it("'s file must be there for ADD and DEL, unless it is optional, and its name counts where it is named", async (t) => {
    const { node } = fakeCniNode();
    const file = join(temporaryDirectory(t), "nodename");
    const engine = node.engine({ nodeNameFile: file });
    const advice = "check that the calico/node container is running and has mounted /var/lib/calico/";
    for (const command of ["ADD", "DEL"]) {
      const error = JSON.parse((await engine.answer(podCall(netns, { command }))).stdout);
      assert.equal(error.code, 11);
      assert.equal(error.msg, `stat ${file}: no such file or directory: ${advice}`);
    }
    assert.deepEqual(await node.state(), nothing);
    result(await engine.answer(podCall(netns, {}, { nodename_file_optional: true })));
    writeFileSync(file, "node-1\n");
    assert.deepEqual(await engine.answer(podCall(netns, { command: "DEL" })), ok);
    result(await engine.answer(podCall(netns, {}, { nodename_file: file })));
    writeFileSync(file, "other\n");
    const other = await engine.answer(podCall(netns, {}, { nodename_file: file }));
    assert.equal(JSON.parse(other.stdout).code, 7);
  });
});

describe("readiness_gates", () => {
  const [pauseMs, patienceMs] = [20, 60_000];

  it("hold an ADD back until each answers, with success or a redirection", async (t) => {
    const statuses = [500, 302];
    const server = createServer((_request, response) => response.writeHead(statuses.shift() ?? 204).end());
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    t.after(() => server.close());
    const address = server.address();
    assert.ok(typeof address === "object" && address !== null);
    const { node } = fakeCniNode();
    const readiness_gates = [`http://127.0.0.1:${address.port}/readiness`];
    result(
      await node
        .engine({ gatePatience: { pauseMs, patienceMs } })
        .answer(podCall(netns, {}, { readiness_gates })),
    );
    assert.deepEqual(statuses, []);
  });

  it("that stay shut fail it with code 11 and the reason; DEL does not ask them", async () => {
    const { node } = fakeCniNode();
    const engine = node.engine({ gatePatience: { pauseMs, patienceMs: 300 } });
    const readiness_gates = ["http://127.0.0.1:1/"];
    const error = JSON.parse((await engine.answer(podCall(netns, {}, { readiness_gates }))).stdout);
    assert.equal(error.code, 11);
    assert.match(error.msg, /^the readiness gate http:\/\/127\.0\.0\.1:1\/ was not ready within/);
    assert.notEqual(error.details, "");
    assert.deepEqual(await node.state(), nothing);
    assert.deepEqual(await engine.answer(podCall(netns, { command: "DEL" }, { readiness_gates })), ok);
  });
});

describe("policy_setup_timeout_seconds", () => {
  it("waits for the endpoint's file, where the configuration says or where the daemon puts it", async (t) => {
    const directory = temporaryDirectory(t);
    for (const endpoint_status_dir of [directory, undefined]) {
      const { node } = fakeCniNode();
      const engine = node.engine({ endpointStatusDirectory: directory });
      const config = { policy_setup_timeout_seconds: 60, endpoint_status_dir };
      const add = engine.answer(podCall(netns, {}, config));
      let hasEnded = false;
      void add.then(() => (hasEnded = true));
      await eventually(() => node.ipam.allocations.size === 1, { what: "all else" });
      await delay(100);
      assert.equal(hasEnded, false);
      const file = join(directory, "k8s default%2Fnginx-7fc5 eth0");
      writeFileSync(file, "");
      assert.equal((await add).stderr, undefined);
      rmSync(file);
    }
  });

  it("lets the pod start when it does not come, and does not hold up its DEL", async (t) => {
    const { node } = fakeCniNode();
    const engine = node.engine({ endpointStatusDirectory: temporaryDirectory(t) });
    const add = engine.answer(podCall(netns, {}, { policy_setup_timeout_seconds: 1 }));
    await delay(50);
    assert.deepEqual(await engine.answer(podCall(netns, { command: "DEL" })), ok);
    const answer = await add;
    assert.equal(answer.exitCode, 0);
    assert.match(answer.stderr ?? "", /not in force yet/);
    assert.deepEqual(await node.state(), nothing);
  });
});

describe("ipam_lock_file", () => {
  it("is waited for when another program holds it, and free when all calls have ended", async (t) => {
    const { node } = fakeCniNode();
    const ipam_lock_file = join(temporaryDirectory(t), "ipam.lock");
    const held = FileLock.tryOpen(ipam_lock_file);
    assert.ok(held !== undefined);
    const call = podCall(netns, {}, { ipam_lock_file });
    const error = JSON.parse((await node.engine({ lockPatienceMs: 200 }).answer(call)).stdout);
    assert.deepEqual([error.code, /another program has held the lock/.test(error.msg)], [11, true]);
    assert.deepEqual(await node.state(), nothing);
    const add = node.engine().answer(call);
    held.close();
    result(await add);
    using free = FileLock.tryOpen(ipam_lock_file);
    assert.ok(free !== undefined);
  });

  it("that cannot be is done without", async () => {
    const { node } = fakeCniNode();
    result(await node.engine().answer(podCall(netns, {}, { ipam_lock_file: "/dev/null/lock" })));
  });
});

describe("addresses that Calico 2 has assigned", () => {
  const address = Ipv4.of(0x0af40009);

  for (const plugin of ["calico", "calico-ipam"] as const) {
    it(`go with their pod's DEL of ${plugin}`, async () => {
      const { node } = fakeCniNode();
      node.ipam.allocations.set("default.nginx-7fc5", [address]);
      assert.deepEqual(await node.engine().answer(podCall(netns, { command: "DEL", plugin })), ok);
      assert.deepEqual([...node.ipam.allocations], []);
    });
  }

  it("are not taken for those of a network that is called as the pod's namespace", async () => {
    const { node } = fakeCniNode();
    result(await node.engine().answer(podCall(netns)));
    const args = "K8S_POD_NAMESPACE=k8s-pod-network;K8S_POD_NAME=c0ffee0123456789";
    const del = podCall("", { command: "DEL", containerId: "other", args });
    assert.deepEqual(await node.engine().answer(del), ok);
    assert.deepEqual([...node.ipam.allocations.keys()], ["k8s-pod-network.c0ffee0123456789"]);
  });
});

describe("calico-ipam -upgrade", () => {
  const upgrade = (directory: string) =>
    podCall("", { plugin: "calico-ipam", command: "UPGRADE", args: directory, stdin: "{}" });

  it("takes over what host-local gave to pods, forgets the rest, and can be done again", async (t) => {
    const { node } = fakeCniNode();
    const directory = join(temporaryDirectory(t), "k8s-pod-network");
    mkdirSync(directory);
    const address = Ipv4.of(0x0af40007);
    const engine = node.engine({
      runIpamPlugin: async () => ({
        interfaces: [],
        ips: [{ address, prefixLength: 24 }],
        routes: [],
        dns: undefined,
      }),
    });
    result(await engine.answer(podCall(netns, {}, { ipam: { type: "host-local" } })));
    assert.deepEqual([...node.ipam.allocations], []);
    writeFileSync(join(directory, "10.244.0.7"), "c0ffee0123456789\r\neth0");
    writeFileSync(join(directory, "10.244.0.8"), "gone\r\neth0");
    writeFileSync(join(directory, "last_reserved_ip.0"), "10.244.0.8");
    const answer = await engine.answer(upgrade(directory));
    assert.match(answer.stdout, /: 1 taken over, 1 of no endpoint forgotten\n$/);
    assert.deepEqual([...node.ipam.allocations], [["k8s-pod-network.c0ffee0123456789", [address]]]);
    assert.equal(existsSync(directory), false);
    assert.match((await engine.answer(upgrade(directory))).stdout, /: 0 taken over\n$/);
    // From now on the pod is one of Calico's own IPAM.
    assert.deepEqual(await engine.answer(podCall(netns, { command: "DEL" })), ok);
    assert.deepEqual(await node.state(), nothing);
  });

  it("keeps the files of addresses that it cannot take over, and waits for host-local", async (t) => {
    const { node } = fakeCniNode();
    const directory = temporaryDirectory(t);
    result(await node.engine().answer(podCall(netns)));
    writeFileSync(join(directory, "10.244.0.1"), "c0ffee0123456789");
    const answer = await node.engine().answer(upgrade(directory));
    assert.equal(JSON.parse(answer.stdout).code, 101, "another handle has it");
    assert.ok(existsSync(join(directory, "10.244.0.1")));
    using held = FileLock.tryOpen(join(directory, "lock"));
    assert.ok(held !== undefined);
    assert.equal(JSON.parse((await node.engine().answer(upgrade(directory))).stdout).code, 11);
  });
});

it("a test of the datastore says whether an ADD could be served, in any version", async () => {
  const { node } = fakeCniNode();
  const test = podCall("", { command: "TEST" });
  assert.deepEqual(await node.engine().answer(test), ok);
  node.store.disconnect();
  assert.equal(JSON.parse((await node.engine().answer(test)).stdout).code, 50);
});

it("num_queues are the pair's, and the interface prefix is the daemon's", async () => {
  const { node, kernel } = fakeCniNode();
  const engine = node.engine({ interfacePrefix: "tap" });
  const made = result(await engine.answer(podCall(netns, {}, { num_queues: 3 })));
  assert.equal(hostEnd(made), "tap197b2f5f4de");
  assert.equal(kernel.pairs.get("tap197b2f5f4de")?.pod.queueCount, 3);
  assert.deepEqual(await engine.answer(podCall(netns, { command: "DEL" })), ok);
  assert.deepEqual(await node.state(), nothing);
});

describe("a network without a policy of its own", () => {
  const profile = keys.resource("profiles", "k8s-pod-network");
  const withoutPolicy = { policy: undefined };

  function profilesOf(store: MemoryStore): NetworkProfiles {
    const now = (): string => "2026-01-02T03:04:05Z";
    return new NetworkProfiles({ store, now, uuid: () => "uuid", clock: () => 0 });
  }

  it("gets its profile with its first endpoint, open to its own members only; Kubernetes' is open to all", async () => {
    for (const [args, ingress] of [
      ["", [{ action: "Allow", source: { selector: "has(k8s-pod-network)" }, destination: {} }]],
      ["K8S_POD_NAMESPACE=a;K8S_POD_NAME=b", [{ action: "Allow", source: {}, destination: {} }]],
    ] as const) {
      const { node } = fakeCniNode();
      const profiles = profilesOf(node.store);
      const engine = node.engine({ ensureProfile: (name, isPod) => profiles.ensure(name, isPod) });
      result(await engine.answer(podCall(netns, { args }, withoutPolicy)));
      const { spec } = JSON.parse((await node.store.get(profile))?.value ?? "{}");
      assert.deepEqual(spec.labelsToApply, { "k8s-pod-network": "" });
      assert.deepEqual(spec.ingress, ingress);
      assert.deepEqual(spec.egress, [{ action: "Allow", source: {}, destination: {} }]);
    }
  });

  it("whose profile is there keeps it as it is, and Kubernetes' policy needs none", async () => {
    const { node } = fakeCniNode();
    const profiles = profilesOf(node.store);
    const engine = node.engine({ ensureProfile: (name, isPod) => profiles.ensure(name, isPod) });
    result(await engine.answer(podCall(netns, {}, netconf)));
    assert.equal(await node.store.get(profile), undefined);
    await node.store.create(profile, "{}");
    const call = podCall(netns, { containerId: "second", args: "" }, withoutPolicy);
    assert.equal(
      JSON.parse((await engine.answer(call)).stdout).code,
      102,
      "the test's one namespace is taken",
    );
    assert.equal((await node.store.get(profile))?.value, "{}");
  });

  it("with a name that no profile can have goes without", async () => {
    const { node } = fakeCniNode();
    await profilesOf(node.store).ensure("Not_a-Profile", false);
    assert.deepEqual((await node.store.list("")).entries, []);
  });
});
