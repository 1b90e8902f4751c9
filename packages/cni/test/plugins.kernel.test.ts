/**
 * Aim: the executables do for a container runtime what the CNI specification says, alone and in chains with the reference plugins.
 * Method: a runtime by hand (environment, stdin, exit code) against the daemon's engine behind a control socket, its node and pods
 * namespaces of the test.
 */
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { describe, it } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { requireRoot } from "@caracal/testbed";
import { buildPlugins } from "../src/index.ts";
import { supportedVersions } from "../src/plugin-call.ts";
import { type Attachment, missing, nothingLeft, printed, Runtime, silent } from "./runtime.ts";

const skip = requireRoot();

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

  it("CHECK takes what a later plugin of the chain has changed", { skip: missing("tuning") }, async () => {
    await using runtime = await Runtime.create();
    const pod = await runtime.newPod();
    const own = { cniVersion: "1.0.0", mtu: 1400 };
    const made = printed(await runtime.call("calico", "ADD", pod, own));
    const change = { cniVersion: "1.0.0", mac: "02:aa:bb:cc:dd:ee", mtu: 1280 };
    const changed = printed(await runtime.call("tuning", "ADD", pod, { ...change, prevResult: made }));
    silent(await runtime.call("calico", "CHECK", pod, { ...own, prevResult: changed }));
    const former = await runtime.call("calico", "CHECK", pod, { ...own, prevResult: made });
    const { code, msg, details } = JSON.parse(former.stdout);
    assert.equal(code, 103);
    assert.match(`${msg}; ${details}`, /^eth0 has MTU 1280, not 1400; eth0 has MAC 02:aa:bb:cc:dd:ee, not /);
    silent(await runtime.call("calico", "DEL", pod, own));
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
