/**
 * Aim: `calico-ipam` serves the reference plugins that can use addresses of Calico's form (each alone in its network, no
 * gateway); those that cannot fail clearly, and no address stays behind. What portmap forwards arrives.
 * Method: a runtime by hand on namespaces of the test.
 */
import assert from "node:assert/strict";
import { describe, it, type TestContext } from "node:test";
import { type CommandResult, requireRoot, runAnyway } from "@caracal/testbed";
import { type Attachment, missing, nothingLeft, printed, Runtime, silent } from "./runtime.ts";

const skip = requireRoot();

/** The node's interfaces that other plugins put something upon, or take. */
async function addParents(runtime: Runtime): Promise<void> {
  for (const name of ["parent", "device"]) {
    await runtime.node.ip("link", "add", name, "type", "veth", "peer", "name", `${name}-peer`);
    await runtime.node.ip("link", "set", name, "up");
    await runtime.node.ip("link", "set", `${name}-peer`, "up");
  }
}

async function addressesIn({ netns }: Attachment): Promise<string> {
  const shown = await runAnyway(["nsenter", `--net=${netns}`, "ip", "-4", "-o", "address", "show", "eth0"]);
  return /inet (\S+)/.exec(shown.stdout)?.[1] ?? "";
}

async function leftAddresses(runtime: Runtime): Promise<readonly string[]> {
  return [...runtime.ipam.allocations.keys()];
}

function skipIfUnsupported(t: TestContext, { exitCode, stdout }: CommandResult): boolean {
  if (exitCode === 0 || !/operation not supported/.test(stdout)) return false;
  t.skip("this kernel has no such interfaces");
  return true;
}

describe("calico-ipam alone", { skip }, () => {
  for (const [plugin, config] of [
    ["bridge", { bridge: "calibr0" }],
    ["macvlan", { master: "parent", mode: "bridge" }],
    ["ipvlan", { master: "parent" }],
    ["vlan", { master: "parent", vlanId: 5 }],
    ["host-device", { device: "device" }],
  ] as const) {
    it(`serves ${plugin}`, { skip: missing(plugin) }, async (t) => {
      await using runtime = await Runtime.create();
      await addParents(runtime);
      const pod = await runtime.newPod();
      const added = await runtime.call(plugin, "ADD", pod, config);
      if (skipIfUnsupported(t, added)) return;
      const made = printed(added);
      assert.equal(await addressesIn(pod), "10.244.0.1/32");
      const check = await runtime.call(plugin, "CHECK", pod, { ...config, prevResult: made });
      assert.equal(check.exitCode, 0, check.stdout);
      assert.equal((await runtime.call(plugin, "DEL", pod, { ...config, prevResult: made })).exitCode, 0);
      assert.deepEqual(await leftAddresses(runtime), []);
    });
  }

  for (const [plugin, config, why] of [
    // It gives the host's end of its pair the gateway's address.
    ["ptp", {}, "no gateway"],
    // It takes the address after the pod's for the gateway.
    ["bridge", { bridge: "calibr0", isGateway: true }, "no address besides the pod's in its network"],
  ] as const) {
    const name = `cannot serve ${plugin}${"isGateway" in config ? " as a gateway" : ""}: ${why}`;
    it(`${name}, and DEL leaves nothing`, { skip: missing(plugin) }, async () => {
      await using runtime = await Runtime.create();
      const pod = await runtime.newPod();
      assert.notEqual((await runtime.call(plugin, "ADD", pod, config)).exitCode, 0);
      await runtime.call(plugin, "DEL", pod, config);
      assert.deepEqual(await leftAddresses(runtime), []);
    });
  }

  it(
    "gives two networks of one container an address each, and takes back each one's own",
    { skip: missing("bridge") },
    async () => {
      await using runtime = await Runtime.create();
      const pod = await runtime.newPod();
      const second = { name: "second", bridge: "calibr0" };
      printed(await runtime.call("calico", "ADD", pod, {}));
      const other = { ...pod, ifname: "net1" };
      const ips = printed(await runtime.call("bridge", "ADD", other, second))["ips"];
      assert.deepEqual(ips, [{ version: "4", interface: 2, address: "10.244.0.2/32" }]);
      assert.equal((await runtime.call("bridge", "DEL", other, second)).exitCode, 0);
      assert.deepEqual(await leftAddresses(runtime), ["net.container1"]);
      silent(await runtime.call("calico", "DEL", pod, {}));
      await runtime.node.ip("link", "del", "calibr0");
      assert.deepEqual(await runtime.leftovers(), nothingLeft);
    },
  );
});

describe("portmap after calico", { skip: skip || missing("portmap") }, () => {
  it("forwards a port of the node to the pod", async () => {
    await using runtime = await Runtime.create();
    const pod = await runtime.newPod();
    await runtime.node.run([
      "sh",
      "-ec",
      `ip link add uplink type veth peer name wire && ip link set wire up && ip link set uplink up
       ip address add 172.18.0.2/24 dev uplink && ip route add default via 172.18.0.1
       sysctl -qw net.ipv4.ip_forward=1`,
    ]);
    const mappings = [{ hostPort: 18_080, containerPort: 80, protocol: "tcp" }];
    const config = {
      snat: true,
      capabilities: { portMappings: true },
      runtimeConfig: { portMappings: mappings },
    };
    const prevResult = printed(await runtime.call("calico", "ADD", pod, {}));
    printed(await runtime.call("portmap", "ADD", pod, { ...config, prevResult }));
    const serve = `require("net").createServer((c) => c.end("arrived")).listen(80, () => console.log("ready"))`;
    const server = await runtime.bed.start(["nsenter", `--net=${pod.netns}`, process.execPath, "-e", serve]);
    await server.waitForOutput(/ready/, 20_000);
    const ask = `require("net").connect(18080, "172.18.0.2").on("error", console.log).pipe(process.stdout)`;
    const asked = await runtime.node.run(["timeout", "10", process.execPath, "-e", ask]);
    assert.equal(asked.stdout, "arrived");
    assert.equal((await runtime.call("portmap", "DEL", pod, { ...config, prevResult })).exitCode, 0);
    silent(await runtime.call("calico", "DEL", pod, {}));
    const rules = await runtime.node.run(["nft", "list", "ruleset"]);
    assert.doesNotMatch(rules.stdout, /18080/);
  });
});
